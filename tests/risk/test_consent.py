"""No consent, no text: asked of the platform, told by events and by the messages themselves."""

from datetime import timedelta

import pytest

from risk.actions.archiving import pull_due_archives
from risk.handlers import note_agreement
from risk.models import Agreement
from scrm.channels.errors import Stale
from scrm.channels.events import ArchivingAgreed
from scrm.tenancy.models import Corp
from tests.factories import NOW
from tests.risk.archive import FakeArchive, texts

MINUTE = timedelta(minutes=1)


def test_neither_side_is_kept_of_who_never_agreed(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm2", "Hello")
    archive.say("wm2", "anna", "Leave me alone")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("no_consent", ""), ("no_consent", "")]
    row = Agreement.objects.get()
    assert (row.userid, row.external_userid, row.is_agreed) == ("anna", "wm2", False)


def test_is_asked_anew_for_messages_that_came_since(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm2", "Before")
    pull_due_archives(now=NOW)
    archive.now = NOW + MINUTE
    archive.agrees("anna", "wm2")
    archive.say("anna", "wm2", "After")

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("no_consent", ""), ("kept", "After")]


def test_what_was_said_before_she_agreed_is_not_kept(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm2", "Before")
    archive.now = NOW + MINUTE
    archive.agrees("anna", "wm2")
    archive.say("anna", "wm2", "After")

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("no_consent", ""), ("kept", "After")]


def test_what_was_kept_stays_when_she_withdraws_and_nothing_follows(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.say("anna", "wm1", "While agreed")
    pull_due_archives(now=NOW)
    archive.now = NOW + MINUTE
    archive.agrees("anna", "wm1", is_so=False)
    archive.say("anna", "wm1", "Afterwards")

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("kept", "While agreed"), ("no_consent", "")]


def test_agreement_with_one_colleague_is_none_with_another(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.say("ben", "wm1", "Hello")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("no_consent", "")]


def test_deleting_the_customer_hides_nothing(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    archive.now = NOW + MINUTE
    archive.say("anna", "wm1", "Add my private account")
    del archive.agreed["anna", "wm1"]

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("kept", "One"), ("kept", "Add my private account")]


def test_userids_are_compared_without_case(shop: Corp, archive: FakeArchive) -> None:
    archive.say("Anna", "wm1", "Hello")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("kept", "Hello")]


def test_messages_say_it_too(shop: Corp, archive: FakeArchive) -> None:
    """The platform's answer lags behind; what the stream says holds from its place on."""
    archive.say("wm1", "anna", "One")
    refusal = {"userid": "wm1", "disagree_time": int(NOW.timestamp() * 1000) + 2}
    archive.say("wm1", "anna", msgtype="disagree", disagree=refusal)
    archive.say("wm1", "anna", "Two")
    consent = {"userid": "wm1", "agree_time": int(NOW.timestamp() * 1000) + 4}
    archive.say("wm1", "anna", msgtype="agree", agree=consent)
    archive.say("wm1", "anna", "Three")

    pull_due_archives(now=NOW)

    assert [each for each in texts(shop) if each[0] != "no_text"] == [
        ("kept", "One"), ("no_consent", ""), ("kept", "Three"),
    ]  # fmt: skip
    assert Agreement.objects.get().is_agreed


def test_the_event_is_noted_and_outlives_an_older_answer(shop: Corp) -> None:
    event = ArchivingAgreed(NOW, userid="Anna", external_userid="wm2")
    note_agreement(event, shop, NOW + MINUTE)
    note_agreement(event, shop, NOW + 2 * MINUTE)

    row = Agreement.objects.get()
    assert (row.userid, row.is_agreed, row.changed_at) == ("anna", True, NOW)


def test_a_hundred_are_asked_at_a_time(shop: Corp, archive: FakeArchive) -> None:
    for number in range(250):
        archive.say("anna", f"wm-{number}", "Hello")

    pull_due_archives(now=NOW)

    assert [len(data["info"]) for _, data in archive.asked] == [100, 100, 50]


def test_nobody_is_asked_about_messages_of_which_nothing_is_kept(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.say("anna", "wm1", msgtype="revoke", action="recall", revoke={"pre_msgid": "m0"})

    pull_due_archives(now=NOW)

    assert archive.asked == []


def test_an_unknown_member_does_not_spoil_what_the_others_said(
    shop: Corp, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = archive.post

    def post(path: str, *, data: dict[str, list[dict[str, str]]]) -> object:
        if any(pair["userid"] == "ghost" for pair in data["info"]):
            raise Stale("The archive does not know this member.", errcode=301061)
        return answer(path, data=data)

    monkeypatch.setattr(archive, "post", post)
    archive.say("anna", "wm1", "Hello")
    archive.say("ghost", "wm1", "Boo")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("kept", "Hello"), ("no_consent", "")]


# --- rooms ----------------------------------------------------------------------------------------
def test_in_a_room_everybody_speaks_for_herself(shop: Corp, archive: FakeArchive) -> None:
    archive.agrees_in("wr1", "wm1")
    archive.agrees_in("wr1", "wm2", is_so=False)
    archive.now = NOW + MINUTE
    archive.say("wm1", ["anna", "wm2"], "I agreed", roomid="wr1")
    archive.say("wm2", ["anna", "wm1"], "I did not", roomid="wr1")
    archive.say("anna", ["wm1", "wm2"], "Good morning", roomid="wr1")

    pull_due_archives(now=NOW + MINUTE)

    assert texts(shop) == [("kept", "I agreed"), ("no_consent", ""), ("kept", "Good morning")]
    assert [path for path, _ in archive.asked] == ["msgaudit/check_room_agree"]


def test_a_room_in_which_nobody_agreed_is_not_kept(shop: Corp, archive: FakeArchive) -> None:
    archive.agrees_in("wr1", "wm2", is_so=False)
    archive.say("anna", ["wm1", "wm2"], "Good morning", roomid="wr1")
    archive.say("anna", ["wm1"], "Nobody knows this room", roomid="wr2")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("no_consent", ""), ("no_consent", "")]


def test_a_refusal_in_a_room_ends_what_is_kept_of_her(shop: Corp, archive: FakeArchive) -> None:
    archive.agrees_in("wr1", "wm1")
    archive.say("wm1", ["anna"], "One", roomid="wr1")
    pull_due_archives(now=NOW)
    archive.now = NOW + MINUTE
    archive.agrees_in("wr1", "wm1", is_so=False)
    archive.say("wm1", ["anna"], "Two", roomid="wr1")

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("kept", "One"), ("no_consent", "")]
