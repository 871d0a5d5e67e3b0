"""What somebody must know before the platform forgets, and where she sees it."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from risk.actions import archiving
from risk.actions.archive_alarms import archive_alarms
from risk.actions.archiving import pull_due_archives
from risk.models import ArchiveCursor
from scrm.audit.models import AuditEntry
from scrm.channels.errors import Misconfigured
from scrm.tenancy.models import Corp
from tests.factories import NOW
from tests.risk.archive import FakeArchive, give_key

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def alarms(corp: Corp, *, after: timedelta) -> list[tuple[int, str]]:
    cursors = list(ArchiveCursor.objects.for_corp(corp).select_related("corp"))
    return [(each.count, each.text) for each in archive_alarms(cursors, now=NOW + after)]


def fail(archive: FakeArchive, *, after: timedelta) -> None:
    archive.trouble = [Misconfigured("The archive is not enabled.")]
    pull_due_archives(now=NOW + after)


def test_nothing_is_said_while_it_is_read(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)

    assert alarms(shop, after=23 * HOUR) == []


def test_a_day_behind_is_an_alarm_that_says_how_long_is_left(
    shop: Corp, archive: FakeArchive
) -> None:
    pull_due_archives(now=NOW)
    fail(archive, after=25 * HOUR)

    ((count, text),) = alarms(shop, after=26 * HOUR + timedelta(minutes=1))

    assert count == 26
    assert f"hours behind: the archive of {shop}" in text
    assert "3 days, 21 hours left. The archive is not enabled." in text.replace("\xa0", " ")


def test_how_far_behind_is_an_alarm_can_be_set(
    shop: Corp, archive: FakeArchive, settings: Settings
) -> None:
    settings.ARCHIVE_ALARM_AFTER = timedelta(hours=2)
    pull_due_archives(now=NOW)
    assert [count for count, _ in alarms(shop, after=3.5 * HOUR)] == [3]


def test_after_five_days_it_says_that_messages_are_lost(shop: Corp, archive: FakeArchive) -> None:
    pull_due_archives(now=NOW)
    ((count, text),) = alarms(shop, after=6 * DAY)
    assert count >= 143
    assert "lost for ever" in text


def test_one_that_never_worked_is_an_alarm_too(shop: Corp, archive: FakeArchive) -> None:
    fail(archive, after=timedelta())
    assert [count for count, _ in alarms(shop, after=30.5 * HOUR)] == [30]


def test_catching_up_is_seen_before_it_is_done(
    shop: Corp, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest message that was taken in tells how far it is."""
    pull_due_archives(now=NOW)
    for hours in (10, 40):
        archive.now = NOW + hours * HOUR
        archive.say("anna", "wm1", f"After {hours}")
    monkeypatch.setattr(archiving, "_PAGE", 1)

    def stop() -> None:
        archive.on_page = lambda: fail_once(archive)

    archive.on_page = stop
    pull_due_archives(now=NOW + 40 * HOUR)

    assert [count for count, _ in alarms(shop, after=41 * HOUR)] == [30]


def fail_once(archive: FakeArchive) -> None:
    raise Misconfigured("The archive is not enabled.")


def test_a_missing_key_is_named_and_goes_with_the_key(shop: Corp, archive: FakeArchive) -> None:
    archive.version = 3
    archive.say("anna", "wm1", "One")
    archive.say("anna", "wm1", "Two")
    pull_due_archives(now=NOW)

    ((count, text),) = alarms(shop, after=HOUR)
    assert count == 2
    assert "wait for the private key of version 3" in text
    assert "in 4 days, 2" in text.replace("\xa0", " ")

    give_key(shop, 3, now=NOW + HOUR)
    pull_due_archives(now=NOW + 2 * HOUR)
    assert alarms(shop, after=2 * HOUR) == []


# --- gaps -----------------------------------------------------------------------------------------
def skip(archive: FakeArchive, count: int) -> None:
    """Messages that the platform never hands out."""
    for _ in range(count):
        archive.say("anna", "wm1", "Unheard")
    archive.rows[-count:] = [(NOW - 9 * DAY, row) for _, row in archive.rows[-count:]]


def test_numbers_that_are_left_out_are_counted(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    skip(archive, 7)
    archive.say("anna", "wm1", "Nine")

    pull_due_archives(now=NOW + HOUR)

    ((count, text),) = alarms(shop, after=HOUR)
    assert count == 7
    assert f"message numbers of {shop} are missing after 1" in text
    entry = AuditEntry.objects.get(action="archive.numbers_missing")
    assert entry.data == {"missing": 7, "after": 1}
    assert alarms(shop, after=9 * DAY)[1:] == []


def test_gaps_of_a_day_are_one_alarm(shop: Corp, archive: FakeArchive) -> None:
    archive.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    for hours in (1, 2):
        skip(archive, 5)
        archive.say("anna", "wm1", "Next")
        pull_due_archives(now=NOW + hours * HOUR)

    assert [count for count, _ in alarms(shop, after=2 * HOUR)] == [10]
    assert AuditEntry.objects.filter(action="archive.numbers_missing").count() == 1


def test_where_an_archive_begins_is_no_gap(shop: Corp, archive: FakeArchive) -> None:
    skip(archive, 4)
    archive.say("anna", "wm1", "Five")

    pull_due_archives(now=NOW)

    assert alarms(shop, after=HOUR) == []
    assert not AuditEntry.objects.filter(action__startswith="archive.num").exists()
