"""What somebody must do before the platform forgets: seen on the home page, not only in a log."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from risk.models import ArchiveCursor, ArchivedMessage
from scrm.channels.models import ArchiveKey
from scrm.tenancy.models import Corp

_KEPT = ArchiveCursor.KEPT_BY_PLATFORM


@dataclass(frozen=True)
class ArchiveAlarm:
    """A figure, and the sentence that it begins."""

    cursor: ArchiveCursor
    count: int
    text: str


def archive_alarms(cursors: Collection[ArchiveCursor], *, now: datetime) -> list[ArchiveAlarm]:
    """What is wrong with some archives, the most urgent of each first."""
    if not cursors:
        return []
    waiting = _waiting_for_keys(cursors, now=now)
    return [
        alarm
        for cursor in cursors
        for alarm in (
            *_lag_alarm(cursor, now=now),
            *waiting.get(cursor.corp, ()),
            *_gap_alarm(cursor, now=now),
        )
    ]


def _lag_alarm(cursor: ArchiveCursor, *, now: datetime) -> Iterator[ArchiveAlarm]:
    lag = cursor.lag(now)
    if lag is None or lag <= settings.ARCHIVE_ALARM_AFTER:
        return
    if lag < _KEPT:
        sentence = _("hours behind: the archive of %(corp)s. WeCom forgets messages after 5 days; %(left)s left. %(why)s")  # fmt: skip
    else:
        sentence = _("hours behind: the archive of %(corp)s. WeCom keeps messages for 5 days only: each hour more is lost for ever. %(why)s")  # fmt: skip
    words = {"corp": cursor.corp, "left": _span(_KEPT - lag, now=now), "why": cursor.problem}
    yield ArchiveAlarm(cursor, int(lag / timedelta(hours=1)), (sentence % words).strip())


def _gap_alarm(cursor: ArchiveCursor, *, now: datetime) -> Iterator[ArchiveAlarm]:
    noted = cursor.gap_noted_at
    if noted is None or now - noted > ArchiveCursor.GAP_SHOWN_FOR:
        return
    sentence = _("message numbers of %(corp)s are missing after %(after)d: WeCom has forgotten them, or never gave them out.")  # fmt: skip
    words = {"corp": cursor.corp, "after": cursor.gap_after}
    yield ArchiveAlarm(cursor, cursor.gap_size, sentence % words)


def _waiting_for_keys(
    cursors: Collection[ArchiveCursor], *, now: datetime
) -> dict[Corp, list[ArchiveAlarm]]:
    """By version: messages that the platform still has, sealed with a key that we do not have."""
    of_corp = {cursor.corp_id: cursor for cursor in cursors}
    key = ArchiveKey.objects.filter(corp=OuterRef("corp"), version=OuterRef("key_version"))
    unopened = ArchivedMessage.objects.filter(
        corp__in=of_corp, text_state=ArchivedMessage.TextState.UNREADABLE, pulled_at__gt=now - _KEPT
    )
    versions = (
        unopened.exclude(Exists(key))
        .values("corp", "key_version")
        .annotate(count=Count("pk"), since=Min("pulled_at"))
        .order_by("corp", "key_version")
    )
    found: dict[Corp, list[ArchiveAlarm]] = {}
    sentence = _("messages of %(corp)s wait for the private key of version %(version)d: add it to the corp. WeCom forgets the first of them in %(left)s at the latest.")  # fmt: skip
    for row in versions:
        cursor = of_corp[int(row["corp"])]
        left = _span(row["since"] + _KEPT - now, now=now)
        words = {"corp": cursor.corp, "version": row["key_version"], "left": left}
        alarm = ArchiveAlarm(cursor, row["count"], sentence % words)
        found.setdefault(cursor.corp, []).append(alarm)
    return found


def _span(span: timedelta, *, now: datetime) -> str:
    return timesince(now, now + span)
