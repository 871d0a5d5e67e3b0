"""Taking the archive in: nothing lost, nothing twice, whatever the platform hands out."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from risk.actions import archiving
from risk.actions.archiving import pull_due_archives, wish_pull
from risk.handlers import note_grown_archive
from risk.models import ArchiveCursor, ArchivedMessage
from scrm.audit.models import AuditEntry
from scrm.channels.errors import BackOff, Misconfigured, Unreachable
from scrm.channels.events import ArchiveGrew
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp
from tests.risk.archive import FakeArchive, give_key, texts

State = ArchivedMessage.TextState
MINUTE = timedelta(minutes=1)


def cursor_of(corp: Corp) -> ArchiveCursor:
    return ArchiveCursor.objects.get(corp=corp)


def test_keeps_what_was_said(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "Good morning")
    archive.say("wm1", "anna", "Hello")

    counts = pull_due_archives(now=NOW)

    assert counts == {"messages": 2, "pages": 1}
    first, second = ArchivedMessage.objects.order_by("seq")
    assert (first.sender, first.is_from_staff, first.text) == ("anna", True, "Good morning")
    assert (second.sender, second.is_from_staff, second.text) == ("wm1", False, "Hello")
    assert first.conversation == second.conversation == "anna|wm1"
    assert cursor_of(shop).seq == 2
    assert cursor_of(shop).caught_up_at >= NOW  # type: ignore[operator]


def test_the_text_is_unreadable_in_the_database(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "Good morning")
    pull_due_archives(now=NOW)

    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM risk_archivedmessage")
        (stored,) = cursor.fetchone()
    assert "morning" not in stored


def test_goes_on_where_it_stopped(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    archive.say("anna", "wm1", "Two")

    counts = pull_due_archives(now=NOW + MINUTE)

    assert counts["messages"] == 1
    assert [text for _, text in texts(shop)] == ["One", "Two"]


def test_looks_again_after_fifteen_seconds_or_when_told(shop: Corp, archive: FakeArchive) -> None:
    pull_due_archives(now=NOW)
    archive.say("anna", "wm1", "One")

    assert not pull_due_archives(now=NOW + timedelta(seconds=5))
    note_grown_archive(ArchiveGrew(NOW), shop, NOW + timedelta(seconds=5))
    assert pull_due_archives(now=NOW + timedelta(seconds=6))["messages"] == 1


def test_pages_until_there_is_nothing_more(
    shop: Corp, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_PAGE", 2)
    for number in range(5):
        archive.say("anna", "wm1", f"{number}")

    counts = pull_due_archives(now=NOW)

    assert (counts["messages"], counts["pages"]) == (5, 3)


def test_messages_without_text_do_not_stall_it(
    shop: Corp, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_PAGE", 10)
    for _ in range(30):
        archive.say("wm1", "anna", msgtype="image", image={"md5sum": "0", "sdkfileid": "f"})
    archive.put({"msgid": "switch", "action": "switch", "time": 1700000000000, "user": "anna"})
    archive.say("wm1", "anna", "Hello")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("no_text", "")] * 31 + [("kept", "Hello")]


def test_the_same_page_twice_is_stored_once(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    ArchiveCursor.objects.update(seq=0)

    counts = pull_due_archives(now=NOW + MINUTE)

    assert counts["messages"] == 0
    assert ArchivedMessage.objects.count() == 1
    assert cursor_of(shop).seq == 1


def test_a_crash_before_the_cursor_moves_loses_and_doubles_nothing(
    shop: Corp, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.say("anna", "wm1", "One")

    def die(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(archiving, "record_agreements", die)
        assert pull_due_archives(now=NOW)["failed"] == 1
    assert not ArchivedMessage.objects.exists()
    assert cursor_of(shop).seq == 0

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("kept", "One")]


def test_a_worker_that_vanished_is_replaced_when_its_lease_is_over(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.say("anna", "wm1", "One")
    ArchiveCursor.objects.create(corp=shop, lease_until=NOW + 3 * MINUTE)

    assert not pull_due_archives(now=NOW + MINUTE)
    assert pull_due_archives(now=NOW + 4 * MINUTE)["messages"] == 1


def test_a_slow_worker_whose_page_another_has_stored_writes_nothing(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.say("anna", "wm1", "One")

    def another() -> None:
        archive.on_page = None
        ArchiveCursor.objects.update(lease_until=None)
        assert pull_due_archives(now=NOW)["messages"] == 1

    archive.on_page = another
    counts = pull_due_archives(now=NOW)

    assert counts["overtaken"] == 1
    assert counts["messages"] == 0
    assert ArchivedMessage.objects.count() == 1


def test_catches_up_after_an_outage(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    archive.trouble = [Unreachable("The platform cannot be reached.")]

    assert pull_due_archives(now=NOW)["failed"] == 1
    assert cursor_of(shop).problem == "The platform cannot be reached."
    assert cursor_of(shop).caught_up_at is None

    pull_due_archives(now=NOW + MINUTE)
    assert cursor_of(shop).problem == ""
    assert texts(shop) == [("kept", "One")]


def test_a_page_waits_while_nobody_says_who_agreed(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    archive.on_page = lambda: archive.trouble.append(Unreachable("Gone."))
    pull_due_archives(now=NOW)
    assert cursor_of(shop).seq == 0

    archive.on_page, archive.trouble = None, []
    pull_due_archives(now=NOW + MINUTE)
    assert texts(shop) == [("kept", "One")]


def test_spares_a_platform_that_asks_for_it(shop: Corp, archive: FakeArchive) -> None:
    archive.trouble = [BackOff("Too many.", errcode=45009, delay=timedelta(minutes=3))]
    pull_due_archives(now=NOW)

    assert not pull_due_archives(now=NOW + 2 * MINUTE)
    assert cursor_of(shop).next_pull_at >= NOW + 3 * MINUTE  # type: ignore[operator]


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        (Misconfigured("The archive is not enabled."), "The archive is not enabled."),
        (LookupError("unforeseen"), "LookupError"),
    ],
)
def test_one_corp_in_trouble_does_not_hold_up_the_others(
    shop: Corp,
    archive: FakeArchive,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    problem: str,
) -> None:
    other = make_corp(archive_secret="other")

    def open_archive(corp: Corp) -> Any:
        if corp == other:
            raise trouble
        return archive.open(corp)

    monkeypatch.setattr(archiving, "open_archive", open_archive)
    archive.say("anna", "wm1", "One")

    assert pull_due_archives(now=NOW) == {"failed": 1, "messages": 1, "pages": 1}
    assert cursor_of(other).problem == problem


def test_nothing_happens_without_an_archive_secret(
    corp: Corp, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):
        assert not pull_due_archives(now=NOW)
    assert not ArchiveCursor.objects.exists()


def test_says_that_messages_were_lost_in_five_days_of_silence(
    shop: Corp, archive: FakeArchive
) -> None:
    pull_due_archives(now=NOW)
    archive.say("anna", "wm1", "Gone for ever")
    later = NOW + timedelta(days=6)
    archive.now = later
    archive.say("anna", "wm1", "Still there")

    pull_due_archives(now=later)

    assert texts(shop) == [("kept", "Still there")]
    entry = AuditEntry.objects.get(action="archive.messages_lost")
    assert entry.corp == shop
    assert datetime.fromisoformat(entry.data["until"]) >= later - timedelta(days=5)
    assert datetime.fromisoformat(entry.data["since"]) < NOW + MINUTE


# --- keys -----------------------------------------------------------------------------------------
def test_a_missing_key_spoils_only_its_own_messages(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    archive.version = 2
    archive.say("anna", "wm1", "Two")
    archive.version = 1
    archive.say("anna", "wm1", "Three")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("kept", "One"), ("unreadable", ""), ("kept", "Three")]
    second = ArchivedMessage.objects.get(seq=2)
    assert second.problem == "The private key of version 2 is missing: add it to the corp."
    assert cursor_of(shop).problem == ""


def test_what_could_not_be_opened_is_read_when_its_key_comes(
    shop: Corp, archive: FakeArchive
) -> None:
    archive.version = 2
    archive.say("anna", "wm1", "One")
    archive.say("anna", "wm1", "Two")
    pull_due_archives(now=NOW)

    give_key(shop, 2, now=NOW + MINUTE)
    counts = pull_due_archives(now=NOW + 2 * MINUTE)

    assert counts["reopened"] == 2
    assert texts(shop) == [("kept", "One"), ("kept", "Two")]
    assert not pull_due_archives(now=NOW + 3 * MINUTE)["reopened"]


def test_a_wrong_key_can_be_replaced(shop: Corp, archive: FakeArchive) -> None:
    give_key(shop, 2, pem_of=3)
    archive.version = 2
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW + MINUTE)
    assert "is it the right one?" in ArchivedMessage.objects.get().problem

    give_key(shop, 2, now=NOW + 2 * MINUTE)
    pull_due_archives(now=NOW + 3 * MINUTE)

    assert texts(shop) == [("kept", "One")]


def test_a_key_that_comes_too_late_finds_nothing(shop: Corp, archive: FakeArchive) -> None:
    archive.version = 2
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    later = archive.now = NOW + timedelta(days=6)
    give_key(shop, 2, now=later)

    pull_due_archives(now=later + MINUTE)

    message = ArchivedMessage.objects.get()
    assert message.text_state == State.UNREADABLE
    assert message.problem == "The platform does not keep it any more: its key came too late."
    assert not pull_due_archives(now=later + 2 * MINUTE)["reopened"]


@pytest.mark.parametrize("plain", [b"no json", b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_nonsense_inside_a_seal_is_a_problem_of_its_own(
    shop: Corp, archive: FakeArchive, plain: bytes
) -> None:
    archive.put({"msgid": "m1_external"}, plain=plain)
    archive.say("anna", "wm1", "Next")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("unreadable", ""), ("kept", "Next")]


# --- odd messages ---------------------------------------------------------------------------------
def test_a_recalled_message_keeps_its_text_and_says_so(shop: Corp, archive: FakeArchive) -> None:
    said = archive.say("anna", "wm1", "Add my private account")
    archive.say("anna", "wm1", msgtype="revoke", action="recall", revoke={"pre_msgid": said})

    pull_due_archives(now=NOW)

    first, second = ArchivedMessage.objects.order_by("seq")
    assert first.text == "Add my private account"
    assert first.recalled_at == second.sent_at
    assert (second.action, second.text_state) == ("recall", State.NO_TEXT)


def test_a_message_of_one_megabyte_is_taken_in(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "长" * 1_000_000)

    pull_due_archives(now=NOW)

    assert ArchivedMessage.objects.get().text_length == 1_000_000


def test_odd_characters_and_ids_do_not_stop_it(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "half \ud83d and \x00 nothing")
    archive.say("x" * 500, ["y" * 500], "long ids", roomid="z" * 500)
    archive.say("", [], "nobody", msgtime="soon", tolist=None)

    assert pull_due_archives(now=NOW)["messages"] == 3
    assert texts(shop)[0] == ("kept", "half ? and  nothing")


def test_messages_among_colleagues_are_not_kept(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "ben", "Lunch?", msgid="m1")

    pull_due_archives(now=NOW)

    assert texts(shop) == [("internal", "")]


def test_a_wish_is_forgotten_by_nobody(shop: Corp, archive: FakeArchive) -> None:
    pull_due_archives(now=NOW)
    wish_pull(shop, now=NOW)
    assert cursor_of(shop).next_pull_at == NOW
