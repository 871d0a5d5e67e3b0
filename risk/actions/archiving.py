"""Taking the chat archive in: page by page, each with its place in one transaction."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.utils.translation import gettext as _

from risk.actions.consent import record_agreements
from risk.actions.reading import PageReader
from risk.models import ArchiveCursor, ArchivedMessage
from scrm.audit.actions.recording import SYSTEM, record
from scrm.channels.base import ArchivedRecord, ArchiveSource
from scrm.channels.errors import ChannelError, RetryLater
from scrm.channels.models import ArchiveKey
from scrm.channels.opening import open_archive
from scrm.channels.pace import BUDGET, Clock, clock_from
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

State = ArchivedMessage.TextState

# The platform announces new messages at most this often [doc 95039]; without its word we look.
_EVERY = timedelta(seconds=15)
_PAGE = 1000
# Longer than the slowest page with its questions about agreements; renewed with each.
_LEASE = timedelta(minutes=3)
# What only a change in the platform's console, or of the corp's settings, can end.
_TO_BE_CHANGED = timedelta(minutes=1)


class Overtaken(Exception):
    """Another worker has stored this page: leave the archive to it."""


def pull_due_archives(*, now: datetime) -> Counter[str]:
    """Take in what is new in every archive that is due; any number of workers may run it."""
    clock = clock_from(now)
    counts: Counter[str] = Counter()
    _ensure_cursors()
    while clock() < now + BUDGET and (cursor := _claim(now=clock())):
        counts += _pull(cursor, until=now + BUDGET, clock=clock)
    return counts


def wish_pull(corp: Corp, *, now: datetime) -> None:
    """Look at the archive at once."""
    ArchiveCursor.objects.for_corp(corp).update(next_pull_at=now)


def _ensure_cursors() -> None:
    with_secret = Corp.objects.exclude(archive_secret="")
    known = ArchiveCursor.objects.values("corp")
    rows = [ArchiveCursor(corp=corp) for corp in with_secret.exclude(pk__in=known)]
    ArchiveCursor.objects.bulk_create(rows, ignore_conflicts=True)


def _claim(*, now: datetime) -> ArchiveCursor | None:
    with transaction.atomic():
        due = ArchiveCursor.objects.due(now).select_related("corp")
        cursor = due.select_for_update(skip_locked=True, of=("self",)).first()
        if cursor is not None:
            cursor.lease_until = now + _LEASE
            # What was said before anybody looked is not owed.
            cursor.read_until = cursor.read_until or cursor.caught_up_at or now
            cursor.save(update_fields=["lease_until", "read_until"])
    return cursor


def _pull(cursor: ArchiveCursor, *, until: datetime, clock: Clock) -> Counter[str]:
    """Take in one archive until it has nothing more or time is over; trouble is written into it."""
    counts: Counter[str] = Counter()
    try:
        source = open_archive(cursor.corp)
        has_all = _pull_pages(cursor, source, until=until, clock=clock, counts=counts)
        if has_all and (opened := _reopen(cursor, source, until=until, clock=clock)):
            counts["reopened"] += opened
    except Overtaken:
        counts["overtaken"] += 1
        return counts
    except ChannelError as error:
        counts["failed"] += 1
        delay = error.delay if isinstance(error, RetryLater) else _TO_BE_CHANGED
        _release(cursor, problem=error.detail, next_pull_at=clock() + max(delay, _EVERY))
        return counts
    except Exception as error:
        # One archive that cannot be read must not keep the others from being read.
        logger.exception("Archive pull failed", extra={"corp": cursor.corp.corp_id})
        counts["failed"] += 1
        _release(cursor, problem=type(error).__name__, next_pull_at=clock() + _TO_BE_CHANGED)
        return counts
    now = clock()
    done: dict[str, Any] = {"next_pull_at": now}
    if has_all:
        done = {"caught_up_at": now, "read_until": now, "next_pull_at": now + _EVERY}
    _release(cursor, problem="", **done)
    return counts


def _pull_pages(
    cursor: ArchiveCursor,
    source: ArchiveSource,
    *,
    until: datetime,
    clock: Clock,
    counts: Counter[str],
) -> bool:
    """Whether everything there was has been stored before the time was over."""
    while clock() < until:
        page = source.messages_after(cursor.seq, limit=_PAGE)
        # A source that gives the same rows again has nothing after them.
        rows = [row for row in page.rows if row.seq > cursor.seq]
        if not rows:
            return True
        counts["messages"] += _store(cursor, source, rows, now=clock())
        counts["pages"] += 1
    return False


_MOVED = ("seq", "lease_until", "read_until", "gap_size", "gap_after", "gap_noted_at")


def _store(
    cursor: ArchiveCursor, source: ArchiveSource, records: list[ArchivedRecord], *, now: datetime
) -> int:
    """Keep a page and move the cursor behind it, both or neither; returns how many are new.

    The agreements are asked for before, outside the transaction. Whoever else has moved the cursor
    since has stored this page: then nothing is written.
    """
    reader = PageReader(records, corp=cursor.corp, now=now)
    reader.learn(source)
    messages = [reader.read(one) for one in records]
    newest = max((one.sent_at for one in records if one.sent_at), default=None)
    with transaction.atomic():
        held = ArchiveCursor.objects.select_for_update().get(pk=cursor.pk)
        if held.seq != cursor.seq:
            raise Overtaken
        _note_gap(held, records, now=now)
        of_corp = ArchivedMessage.objects.for_corp(cursor.corp)
        known = of_corp.filter(msgid__in=[one.msgid for one in messages]).count()
        ArchivedMessage.objects.bulk_create(messages, batch_size=500, ignore_conflicts=True)
        _mark_recalled(records, of_corp)
        record_agreements(reader.said, corp=cursor.corp)
        held.seq, held.lease_until = max(one.seq for one in records), now + _LEASE
        if newest and held.read_until and newest <= now:
            held.read_until = max(held.read_until, newest)
        held.save(update_fields=_MOVED)
    cursor.seq, cursor.lease_until = held.seq, held.lease_until
    return len({one.msgid for one in messages}) - known


def _mark_recalled(records: Sequence[ArchivedRecord], of_corp: QuerySet[ArchivedMessage]) -> None:
    for one in records:
        if one.recalls:
            of_corp.filter(msgid=one.recalls[:128]).update(recalled_at=one.sent_at)


def _note_gap(cursor: ArchiveCursor, records: Sequence[ArchivedRecord], *, now: datetime) -> None:
    """Write down, once a day, how many numbers the archive left out, and whether they are lost."""
    if not cursor.seq and cursor.caught_up_at is None:
        # Where an archive begins is its own affair.
        missing = _missing(records, after=min(one.seq for one in records) - 1)
    else:
        missing = _missing(records, after=cursor.seq)
    if not missing:
        return
    is_new = cursor.gap_noted_at is None or now - cursor.gap_noted_at > timedelta(days=1)
    if not is_new:
        cursor.gap_size += missing
        return
    cursor.gap_size, cursor.gap_after, cursor.gap_noted_at = missing, cursor.seq, now
    data: dict[str, Any] = {"missing": missing, "after": cursor.seq}
    action = "archive.numbers_missing"
    since, until = cursor.caught_up_at, now - ArchiveCursor.KEPT_BY_PLATFORM
    if since is not None and since < until:
        # Of what was said in between the platform has forgotten everything.
        action = "archive.messages_lost"
        data |= {"since": since.isoformat(), "until": until.isoformat()}
    record(action, actor=SYSTEM, corp=cursor.corp, subject=cursor, now=now, data=data)


def _missing(records: Sequence[ArchivedRecord], *, after: int) -> int:
    numbers = {one.seq for one in records}
    return max(numbers) - after - len(numbers)


def _reopen(cursor: ArchiveCursor, source: ArchiveSource, *, until: datetime, clock: Clock) -> int:
    """Read again what could not be opened and whose key has come since; once for each key."""
    opened, done = 0, -1
    while clock() < until and (first := _first_to_reopen(cursor.corp, after=done)) is not None:
        records = list(source.messages_after(first - 1, limit=_PAGE).rows)
        now = clock()
        reader = PageReader(records, corp=cursor.corp, now=now)
        reader.learn(source)
        read = {message.msgid: message for message in map(reader.read, records)}
        with transaction.atomic():
            # Without an answer nothing from there on is kept any more.
            done = max((one.seq for one in records), default=2**63 - 1)
            for row in _to_reopen(cursor.corp).filter(seq__lte=done).select_for_update():
                opened += _rewrite(row, read.get(row.msgid), now=now)
            record_agreements(reader.said, corp=cursor.corp)
    return opened


_READ_AGAIN = (
    "action", "kind", "sender", "is_from_staff", "receivers", "room_id", "conversation", "sent_at",
    "text", "text_state", "text_length", "payload", "problem", "pulled_at",
)  # fmt: skip


def _rewrite(row: ArchivedMessage, read: ArchivedMessage | None, *, now: datetime) -> bool:
    """Put what was read into the row; one that the platform has forgotten stays as it is."""
    if read is None:
        row.pulled_at = now
        row.problem = _("The platform does not keep it any more: its key came too late.")
        row.save(update_fields=["pulled_at", "problem"])
        return False
    for name in _READ_AGAIN:
        setattr(row, name, getattr(read, name))
    row.save(update_fields=_READ_AGAIN)
    return row.text_state != State.UNREADABLE


def _to_reopen(corp: Corp) -> QuerySet[ArchivedMessage]:
    rows = ArchivedMessage.objects.for_corp(corp).filter(text_state=State.UNREADABLE)
    has_new_key = Q()
    for key in ArchiveKey.objects.for_corp(corp).defer("private_key"):
        has_new_key |= Q(key_version=key.version, pulled_at__lt=key.created_at)
    return rows.filter(has_new_key) if has_new_key else rows.none()


def _first_to_reopen(corp: Corp, *, after: int) -> int | None:
    rows = _to_reopen(corp).filter(seq__gt=after)
    first: int | None = rows.aggregate(first=Min("seq"))["first"]
    return first


def _release(cursor: ArchiveCursor, **changes: object) -> None:
    # By the lease: a worker that was overtaken must not write over what the other one did.
    mine = ArchiveCursor.objects.filter(pk=cursor.pk, lease_until=cursor.lease_until)
    mine.update(lease_until=None, **changes)
