"""Screening by what a corp has published: verdicts, scopes, and when a change holds."""

from datetime import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from risk.actions import publishing
from risk.actions.lexicons import delete_lexicon, update_lexicon
from risk.actions.packs import PackInstalled, PackUnknown, install_pack
from risk.actions.rules import delete_rule
from risk.actions.screening import (
    Direction,
    VerdictWord,
    screen_text,
    screen_texts,
    screening_version,
)
from risk.models import Lexicon, Publication, RiskRule
from scrm.audit.actions.recording import SYSTEM
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    NOW,
    make_corp,
    make_department,
    make_lexicon,
    make_risk_rule,
    make_staff,
)


@pytest.mark.parametrize(
    ("severity", "word"),
    [("low", VerdictWord.PASS), ("medium", VerdictWord.WARN), ("high", VerdictWord.BLOCK)],
)
def test_the_severity_decides(corp: Corp, severity: str, word: VerdictWord) -> None:
    make_lexicon(corp, ["飞单"], severity=severity)

    verdict = screen_text("不要飞 单", corp=corp)

    assert (verdict.word, verdict.is_blocked) == (word, word == "block")
    assert [hit.text for hit in verdict.hits] == ["飞 单"]


def test_the_worst_hit_decides(corp: Corp) -> None:
    make_lexicon(corp, ["飞单"], severity="low")
    make_lexicon(corp, ["转账"], severity="high")

    assert screen_text("转账飞单", corp=corp).word == VerdictWord.BLOCK
    assert screen_text("飞单", corp=corp).word == VerdictWord.PASS
    assert len(screen_text("飞单", corp=corp).hits) == 1


def test_many_texts_get_a_verdict_each(corp: Corp) -> None:
    make_lexicon(corp, ["飞单"])

    verdicts = screen_texts(["好", "飞单", "", "飞", "单飞单"], corp=corp)

    assert [verdict.is_blocked for verdict in verdicts] == [False, True, False, False, True]
    assert verdicts[4].hits[0].start == 1
    assert screen_texts([], corp=corp) == []


def test_a_rule_holds_for_its_departments_and_those_below(corp: Corp) -> None:
    sales = make_department(corp)
    team = make_department(corp, parent=sales)
    other = make_department(corp)
    make_lexicon(corp, ["飞单"], departments=[sales.department_id])
    inside, outside = (make_staff(corp, departments=[each]) for each in (team, other))

    def blocked(staff: Staff | None) -> bool:
        return screen_text("飞单", corp=corp, direction=Direction.STAFF, staff=staff).is_blocked

    assert (blocked(inside), blocked(outside), blocked(None)) == (True, False, True)


def test_a_draft_does_not_hold(corp: Corp) -> None:
    lexicon = make_lexicon(corp, ["飞单"], is_draft=True)

    assert not screen_text("飞单", corp=corp).hits
    assert screening_version(corp) == 0
    update_lexicon(lexicon, changes={"is_draft": False}, actor=SYSTEM, now=NOW)
    assert screen_text("飞单", corp=corp).is_blocked
    assert screening_version(corp) == 1


def test_every_change_of_what_holds_is_a_version(corp: Corp, now: datetime) -> None:
    lexicon = make_lexicon(corp, ["飞单"])
    update_lexicon(lexicon, changes={"words": ["飞单"]}, actor=SYSTEM, now=now)
    update_lexicon(lexicon, changes={"words": ["转账"]}, actor=SYSTEM, now=now)
    make_risk_rule(corp, "phone")
    make_lexicon(make_corp())

    assert Publication.objects.get(corp=corp).version == 3
    assert not screen_text("飞单", corp=corp).hits
    delete_lexicon(lexicon, actor=SYSTEM, now=now)
    assert Publication.objects.get(corp=corp).version == 4
    assert not screen_text("转账", corp=corp).hits


def test_another_process_looks_again_after_a_second(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("risk.actions.publishing.time.monotonic", lambda: clock[0])
    lexicon = make_lexicon(corp, ["飞单"])
    screen_text("飞单", corp=corp)
    # As another process does it: nothing here is told.
    Lexicon.objects.filter(pk=lexicon.pk).update(words=["转账"])
    Publication.objects.filter(corp=corp).update(version=2)

    assert screen_text("飞单", corp=corp).hits
    clock[0] += 1.0
    assert not screen_text("飞单", corp=corp).hits
    assert screen_text("转账", corp=corp).hits


def test_a_version_that_was_rolled_back_leaves_nothing(corp: Corp) -> None:
    make_lexicon(corp, ["飞单"])

    with transaction.atomic():
        make_lexicon(corp, ["转账"])
        assert screen_text("转账", corp=corp).hits
        transaction.set_rollback(True)
    make_lexicon(corp, ["红包"])

    assert screening_version(corp) == 2
    assert not screen_text("转账", corp=corp).hits
    assert screen_text("红包", corp=corp).hits


def test_a_rule_that_cannot_be_compiled_is_not_published(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["飞单"])
    broken = make_risk_rule(corp, "link", name="Links")
    RiskRule.objects.filter(pk=broken.pk).update(settings={"hosts": [1]})

    with pytest.raises(publishing.RulesBroken, match="«Links»"):
        make_lexicon(corp, ["转账"])

    assert Publication.objects.get(corp=corp).version == 2
    delete_rule(broken, actor=SYSTEM, now=now)
    make_lexicon(corp, ["转账"])
    assert screen_text("转账", corp=corp).is_blocked


def test_while_rules_cannot_be_compiled_those_before_them_hold(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("risk.actions.publishing.time.monotonic", lambda: clock[0])
    make_lexicon(corp, ["飞单"])
    rule = make_risk_rule(corp, "link")
    assert screening_version(corp) == 2
    RiskRule.objects.filter(pk=rule.pk).update(settings={"hosts": [1]})
    Publication.objects.filter(corp=corp).update(version=3)
    clock[0] += 1.0

    assert screen_text("飞单", corp=corp).is_blocked
    assert screening_version(corp) == 2
    RiskRule.objects.filter(pk=rule.pk).update(settings={"hosts": []})
    clock[0] += 1.0
    assert screening_version(corp) == 3


def test_screening_asks_the_database_once_a_second(corp: Corp) -> None:
    make_lexicon(corp, ["飞单"])
    screen_text("好", corp=corp)

    with CaptureQueriesContext(connection) as queries:
        for _ in range(100):
            screen_text("好", corp=corp)

    assert len(queries) <= 2


def test_a_message_of_a_megabyte_is_screened(corp: Corp) -> None:
    make_lexicon(corp, ["飞单"], options=["repeats", "lookalikes", "split", "pinyin"])
    make_risk_rule(corp, "phone")
    make_risk_rule(corp, "link")

    verdict = screen_text("早 上。好" * 200_000 + "飞单", corp=corp)

    assert [(hit.start, hit.text) for hit in verdict.hits] == [(1_000_000, "飞单")]


def test_a_pack_is_installed_once(corp: Corp, now: datetime) -> None:
    lexicon = install_pack("private_contact", corp=corp, actor=SYSTEM, now=now)

    assert lexicon.is_draft
    assert not screen_text("加我私人微信", corp=corp).hits
    with pytest.raises(PackInstalled):
        install_pack("private_contact", corp=corp, actor=SYSTEM, now=now)
    with pytest.raises(PackUnknown):
        install_pack("everything", corp=corp, actor=SYSTEM, now=now)
    install_pack("private_contact", corp=make_corp(), actor=SYSTEM, now=now, is_draft=False)


def test_the_story_s_message_is_caught_by_the_shipped_pack(corp: Corp, now: datetime) -> None:
    install_pack("private_contact", corp=corp, actor=SYSTEM, now=now, is_draft=False)

    verdict = screen_text("加我私人微信 ＶⅩ：abc123", corp=corp, direction=Direction.STAFF)

    assert verdict.is_blocked
    assert verdict.hits[0].text == "加我私人微信"
