"""Bad SOPs: every problem at once, each named by its place."""

from datetime import datetime
from typing import Any

import pytest

from campaigns.actions.screening import BlockedByRisk
from campaigns.actions.sops.drafting import (
    WrongStatus,
    activate_sop,
    create_sop,
    draft_of,
    pause_sop,
    update_sop,
)
from campaigns.actions.sops.grammar import SopDraft
from campaigns.models import Sop
from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp
from tests.campaigns.sops import MANUAL, forbid, make_sop, message, tag, task
from tests.factories import make_corp, make_tag


def problems(corp: Corp, now: datetime, **fields: Any) -> dict[str, str]:
    draft = SopDraft(**({"name": "SOP", "trigger": MANUAL, "steps": [message()]} | fields))
    with pytest.raises(InvalidInput) as refused:
        create_sop(corp, draft=draft, actor=SYSTEM, now=now)
    assert not Sop.objects.exists()
    return {problem.path: problem.code for problem in refused.value.errors}


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": " "}, "/name", "invalid"),
        ({"trigger": {}}, "/trigger/type", "invalid"),
        ({"trigger": {"type": "moon"}}, "/trigger/type", "invalid"),
        ({"trigger": {"type": ["manual"]}}, "/trigger/type", "invalid"),
        ({"trigger": {"type": "manual", "tag": 1}}, "/trigger/tag", "unknown"),
        ({"trigger": {"type": "tag_added"}}, "/trigger/tag", "required"),
        ({"trigger": {"type": "tag_added", "tag": 1}}, "/trigger/tag", "unknown_id"),
        ({"trigger": {"type": "tag_added", "tag": True}}, "/trigger/tag", "unknown_id"),
        ({"trigger": {"type": "tag_added", "tag": 10**30}}, "/trigger/tag", "unknown_id"),
        ({"trigger": {"type": "group_joined"}}, "/trigger/chat_ids", "required"),
        (
            {"trigger": {"type": "group_joined", "chat_ids": ["wr"]}},
            "/trigger/chat_ids/0",
            "unknown_id",
        ),
        (
            {"trigger": {"type": "customer_added", "staff": ["nobody"]}},
            "/trigger/staff/0",
            "unknown_id",
        ),
        ({"trigger": {"type": "customer_added", "state": ""}}, "/trigger/state", "invalid"),
        (
            {"trigger": {"type": "attribute_date", "attribute": "a b"}},
            "/trigger/attribute",
            "invalid_key",
        ),
        (
            {"trigger": {"type": "attribute_date", "attribute": "due", "yearly": 1}},
            "/trigger/yearly",
            "invalid",
        ),
        ({"exit": {"all": [{"field": "x"}]}}, "/exit/all/0/field", "unknown_field"),
        ({"quiet_hours": {"start": "21:00"}}, "/quiet_hours/end", "invalid"),
        ({"quiet_hours": {"start": "9:00", "end": "10:00"}}, "/quiet_hours/start", "invalid"),
        ({"quiet_hours": {"start": "09:00", "end": "09:00"}}, "/quiet_hours/end", "invalid"),
        ({"late_policy": "never"}, "/late_policy", "invalid"),
        ({"grace_minutes": -1}, "/grace_minutes", "invalid"),
        ({"grace_minutes": True}, "/grace_minutes", "invalid"),
        ({"steps": ["x"]}, "/steps/0", "invalid"),
        ({"steps": [message()] * 101}, "/steps", "too_many"),
        ({"steps": [message(at="24:00")]}, "/steps/0/at", "invalid"),
        ({"steps": [message(at="٠٩:٠٠")]}, "/steps/0/at", "invalid"),
        ({"steps": [message(days=1.5)]}, "/steps/0/offset/days", "invalid"),
        ({"steps": [message(days=10**9)]}, "/steps/0/offset/days", "invalid"),
        ({"steps": [message(id=7)]}, "/steps/0/id", "unknown_id"),
        ({"steps": [message(colour="red")]}, "/steps/0/colour", "unknown"),
        ({"steps": [message(""), task(" ")]}, "/steps/0/action/content", "required"),
        ({"steps": [message(""), task(" ")]}, "/steps/1/action/text", "invalid"),
        ({"steps": [message("字" * 2000)]}, "/steps/0/action/content", "too_long"),
        ({"steps": [tag()]}, "/steps/0/action/tags", "required"),
        ({"steps": [tag(9)]}, "/steps/0/action/tags/0", "unknown_id"),
        ({"steps": [{"action": {"kind": "webhook"}}]}, "/steps/0/action/kind", "unsupported"),
        ({"steps": [{"action": {"kind": "dance"}}]}, "/steps/0/action/kind", "invalid"),
        ({"steps": [{}]}, "/steps/0/action/kind", "invalid"),
        (
            {"steps": [{"action": {"kind": "stage", "stage": "x"}}]},
            "/steps/0/action/stage",
            "unknown_id",
        ),
        (
            {
                "steps": [
                    {"action": {"kind": "message", "attachments": [{"kind": "link", "title": "x"}]}}
                ]
            },
            "/steps/0/action/attachments/0/url",
            "required",
        ),
        (
            {"steps": [message(condition={"field": "gender", "op": "eq", "value": 7})]},
            "/steps/0/condition/value",
            "invalid",
        ),
    ],
)
def test_names_every_problem(
    corp: Corp, now: datetime, fields: dict[str, Any], path: str, code: str
) -> None:
    assert problems(corp, now, **fields)[path] == code


def test_another_corps_tag_is_no_tag(corp: Corp, now: datetime) -> None:
    theirs = make_tag(make_corp())

    found = problems(corp, now, steps=[tag(theirs.pk)])

    assert found == {"/steps/0/action/tags/0": "unknown_id"}


def test_before_the_day_only_where_the_day_is_known(corp: Corp, now: datetime) -> None:
    early = [message(days=-7, at="09:00")]

    found = problems(corp, now, steps=early, trigger={"type": "customer_added"})

    assert found == {"/steps/0/offset/days": "invalid"}
    dated = {"type": "attribute_date", "attribute": "due"}
    assert make_sop(corp, early, now=now, trigger=dated).status == Sop.Status.ACTIVE


def test_a_name_is_taken_once(corp: Corp, now: datetime) -> None:
    make_sop(corp, [message()], now=now, name="Newborn")

    with pytest.raises(InvalidInput) as refused:
        make_sop(corp, [message()], now=now, name=" Newborn ")

    assert refused.value.errors[0].path == "/name"


def test_a_sop_without_steps_cannot_run(corp: Corp, now: datetime) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_sop(corp, [], now=now)

    assert [each.path for each in refused.value.errors] == ["/steps"]


def test_a_forbidden_text_cannot_run(
    corp: Corp, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "治愈")
    sop = make_sop(corp, [task(), message("保证治愈")], now=now, is_active=False)

    with pytest.raises(BlockedByRisk) as refused:
        activate_sop(sop, actor=SYSTEM, now=now)

    assert [each.path for each in refused.value.errors] == ["/steps/1/action/content"]
    sop.refresh_from_db()
    assert sop.status == Sop.Status.DRAFT


def test_a_running_sop_cannot_be_given_a_forbidden_text(
    corp: Corp, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sop = make_sop(corp, [message()], now=now)
    forbid(monkeypatch, "治愈")

    with pytest.raises(BlockedByRisk):
        update_sop(sop, changes={"steps": [message("治愈")]}, actor=SYSTEM, now=now)

    assert sop.steps.current().get().action["content"] == "Hello"


def test_only_what_runs_is_paused(corp: Corp, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now, is_active=False)

    with pytest.raises(WrongStatus):
        pause_sop(sop, actor=SYSTEM, now=now)

    activate_sop(sop, actor=SYSTEM, now=now)
    assert pause_sop(sop, actor=SYSTEM, now=now).status == Sop.Status.PAUSED
    assert pause_sop(sop, actor=SYSTEM, now=now).status == Sop.Status.PAUSED


def test_what_is_read_can_be_sent_back(corp: Corp, now: datetime) -> None:
    sop = make_sop(corp, [message(days=1, at="09:00"), task(minutes=5)], now=now)
    before = draft_of(sop)

    update_sop(sop, changes={"steps": before.steps}, actor=SYSTEM, now=now)

    assert draft_of(Sop.objects.get()) == before
