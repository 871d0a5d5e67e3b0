"""What was said is screened once, and what it holds becomes one incident."""

from datetime import timedelta
from typing import Any

import pytest

from risk.actions import incidents, publishing, screening, screening_messages
from risk.actions.archiving import pull_due_archives
from risk.actions.screening_messages import screen_due_messages
from risk.models import ArchivedMessage, Incident
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_lexicon, make_message, make_staff
from tests.risk.archive import FakeArchive

MINUTE = timedelta(minutes=1)


@pytest.fixture
def rules(shop: Corp) -> None:
    make_lexicon(shop, name="private", words=["加我私人微信"], severity="high", category="private")
    make_lexicon(shop, name="promise", words=["最好"], severity="medium", category="promise")
    make_lexicon(shop, name="noted", words=["竞品"], severity="low", category="rival")


def said(shop: Corp, text: str, **fields: Any) -> ArchivedMessage:
    return make_message(shop, text=text, screened_version=None, **fields)


def test_a_hit_of_staff_opens_an_incident(shop: Corp, anna: Staff, rules: None) -> None:
    message = said(shop, "你好, 加我私人微信: 123")

    counts = screen_due_messages(now=NOW)

    assert counts == {"screened": 1, "hits": 1, "incidents": 1}
    incident = Incident.objects.get()
    assert (incident.kind, incident.key) == ("message", f"message:{message.msgid}")
    assert (incident.severity, incident.category, incident.status) == ("high", "private", "open")
    assert (incident.staff, incident.external_userid) == (anna, "wm1")
    assert incident.happened_at == message.sent_at
    assert incident.hits[0]["text"] == "加我私人微信"


def test_one_message_is_one_incident_as_bad_as_its_worst(
    shop: Corp, anna: Staff, rules: None
) -> None:
    said(shop, "竞品? 我们最好. 加我私人微信")

    screen_due_messages(now=NOW)

    incident = Incident.objects.get()
    assert (incident.severity, incident.category) == ("high", "private")
    assert {hit["severity"] for hit in incident.hits} == {"low", "medium", "high"}


def test_low_is_recorded_and_waits_for_nobody(shop: Corp, anna: Staff, rules: None) -> None:
    said(shop, "竞品")

    counts = screen_due_messages(now=NOW)

    assert counts["hits"] == 1
    assert not counts["incidents"]
    assert Incident.objects.get().status == "recorded"
    assert not Incident.objects.waiting().exists()


def test_what_a_customer_says_is_hers_and_concerns_who_she_speaks_to(
    shop: Corp, anna: Staff, rules: None
) -> None:
    said(shop, "最好", sender="wm1", receivers=["Anna"], is_from_staff=False)

    screen_due_messages(now=NOW)

    incident = Incident.objects.get()
    assert (incident.staff, incident.external_userid) == (anna, "wm1")


def test_in_a_room_nobody_in_particular_is_spoken_to(shop: Corp, anna: Staff, rules: None) -> None:
    make_staff(shop, userid="ben")
    said(
        shop,
        "最好",
        sender="wm1",
        receivers=["anna", "ben", "wm2"],
        is_from_staff=False,
        room_id="wr",
    )
    said(shop, "最好", receivers=["ben", "wm1", "wm2"], room_id="wr")

    screen_due_messages(now=NOW)

    by_customer, by_staff = Incident.objects.order_by("id")
    assert (by_customer.staff, by_customer.external_userid) == (None, "wm1")
    assert (by_staff.staff, by_staff.external_userid, by_staff.chat_id) == (anna, "", "wr")


def test_rules_for_customers_do_not_hold_for_staff(shop: Corp, anna: Staff) -> None:
    make_lexicon(shop, words=["退款"], directions=["customer"])
    said(shop, "退款")

    assert screen_due_messages(now=NOW) == {"screened": 1}


def test_each_is_screened_once(shop: Corp, anna: Staff, rules: None) -> None:
    message = said(shop, "最好")
    screen_due_messages(now=NOW)

    assert not screen_due_messages(now=NOW + MINUTE)
    message.refresh_from_db()
    assert message.screened_version
    assert message.text == "最好"


def test_a_second_screening_finds_the_first_one_s_incident(
    shop: Corp, anna: Staff, rules: None
) -> None:
    said(shop, "最好")
    screen_due_messages(now=NOW)
    ArchivedMessage.objects.update(screened_version=None)

    screen_due_messages(now=NOW + MINUTE)

    assert Incident.objects.get().opened_at < NOW + MINUTE


def test_text_that_is_not_kept_is_not_screened(
    shop: Corp, archive: FakeArchive, rules: None
) -> None:
    archive.say("anna", "wm2", "加我私人微信")
    archive.say("anna", "wm1", msgtype="voice", voice={})
    pull_due_archives(now=NOW)

    assert not screen_due_messages(now=NOW)
    assert not Incident.objects.exists()


def test_a_megabyte_is_screened_to_its_end_and_then_cut(
    shop: Corp, archive: FakeArchive, rules: None
) -> None:
    archive.say("anna", "wm1", "安" * 1_000_000 + "加我私人微信")
    pull_due_archives(now=NOW)

    screen_due_messages(now=NOW)

    message = ArchivedMessage.objects.get()
    assert len(message.text) == ArchivedMessage.KEPT_CHARACTERS
    assert message.text_length == 1_000_006
    assert message.is_cut
    assert Incident.objects.get().hits[0]["start"] == 1_000_000


def test_one_that_cannot_be_screened_does_not_hold_up_the_others(
    shop: Corp, anna: Staff, rules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = screening.screen_text

    def screen_text(text: str, **kwargs: Any) -> Any:
        if text == "poison":
            raise RecursionError
        return real(text, **kwargs)

    def screen_texts(texts: list[str], **kwargs: Any) -> Any:
        return [screen_text(text, **kwargs) for text in texts]

    monkeypatch.setattr(screening_messages, "screen_text", screen_text)
    monkeypatch.setattr(screening_messages, "screen_texts", screen_texts)
    poison, good = said(shop, "poison"), said(shop, "最好")

    counts = screen_due_messages(now=NOW)

    assert (counts["failed"], counts["screened"]) == (1, 1)
    poison.refresh_from_db()
    assert poison.problem == "It could not be screened: look at it yourself."
    assert Incident.objects.get().message == good
    assert not screen_due_messages(now=NOW + MINUTE)


def test_rules_that_cannot_be_read_leave_the_messages_waiting(
    shop: Corp, anna: Staff, rules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(screening_messages, "screen_text", fail)
        patch.setattr(screening_messages, "screen_texts", fail)
        said(shop, "最好")
        assert screen_due_messages(now=NOW) == {"waiting": 1}

    assert screen_due_messages(now=NOW)["incidents"] == 1


@pytest.mark.parametrize("batch", [1, 2, 200])
def test_a_corp_whose_rules_are_broken_does_not_hold_up_the_others(
    shop: Corp, anna: Staff, rules: None, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    other = make_corp()
    make_lexicon(other, words=["最好"])
    real = publishing.compile_rules

    def compile_rules(corp: Corp, **kwargs: Any) -> Any:
        if corp == shop:
            raise ValueError("broken")
        return real(corp, **kwargs)

    waiting = [said(shop, "最好"), said(shop, "好")]
    screened = said(other, "最好")
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "compile_rules", compile_rules)
        patch.setattr(screening_messages, "_BATCH", batch)
        counts = screen_due_messages(now=NOW)

    assert (counts["screened"], counts["incidents"]) == (1, 1)
    assert Incident.objects.get().message == screened
    assert list(ArchivedMessage.objects.to_screen()) == waiting

    assert screen_due_messages(now=NOW + MINUTE) == {"screened": 2, "hits": 1, "incidents": 1}
    assert not ArchivedMessage.objects.to_screen().exists()


def test_one_whose_incident_cannot_be_raised_does_not_hold_up_the_others(
    shop: Corp, anna: Staff, rules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = said(shop, "最好"), said(shop, "最好")
    real = incidents.raise_incident

    def raise_incident(occasion: Any, **kwargs: Any) -> Incident:
        if occasion.message == poison:
            Incident.objects.create(corp=shop, kind="far too long for its column")
        return real(occasion, **kwargs)

    monkeypatch.setattr(screening_messages, "raise_incident", raise_incident)

    assert screen_due_messages(now=NOW) == {"failed": 1, "screened": 1, "hits": 1, "incidents": 1}
    poison.refresh_from_db()
    assert poison.problem == "It could not be screened: look at it yourself."
    assert poison.screened_version == 0
    assert Incident.objects.get().message == good
    assert not screen_due_messages(now=NOW + MINUTE)
