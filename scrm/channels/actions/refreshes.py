"""Refreshes: what changed on the platform is wished for by events and read by a tick."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from scrm.channels.base import Channel
from scrm.channels.errors import BackOff, ChannelError, RetryLater, Stale
from scrm.channels.models import Refresh
from scrm.channels.opening import open_channel
from scrm.channels.pace import BUDGET, back_off, clock_from
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

Refresher = Callable[[Channel, Corp, str, datetime], None]
_refreshers: dict[str, Refresher] = {}

# The platform writes group data asynchronously: read at once, a group shows its state before the
# change that was announced [doc 92130].
_SETTLING = {Refresh.Kind.GROUP_CHAT: timedelta(seconds=2)}
# Longer than the longest reading (a directory of hundreds of departments).
_LEASE = timedelta(minutes=5)
_BATCH = 10
# What only a change in the platform's console can end.
_TO_BE_CHANGED = timedelta(minutes=1)

# A wish always moves `wished_at`, even one of the same microsecond: whoever reads at the moment
# sees by it that he may not delete the row.
_WISH = """
INSERT INTO channels_refresh AS known (corp_id, kind, key, wished_at, due_at, attempts, error)
SELECT %(corp)s, %(kind)s, named.key, %(now)s, %(due)s, 0, ''
  FROM unnest(%(keys)s::text[]) AS named (key)
 ORDER BY named.key
ON CONFLICT (corp_id, kind, key) DO UPDATE
   SET wished_at = GREATEST(excluded.wished_at, known.wished_at + interval '1 microsecond'),
       due_at = LEAST(excluded.due_at, known.due_at)
"""


def register_refresher(kind: Refresh.Kind, refresher: Refresher) -> None:
    """`refresher(channel, corp, key, now)` reads and writes; it runs outside any transaction.

    It raises Stale when the thing is gone and everything about that has been written.
    """
    _refreshers[kind] = refresher


def request_refresh(kind: Refresh.Kind, *, corp: Corp, now: datetime, key: str = "") -> None:
    """Have something read again soon; many wishes for one thing are one reading."""
    request_refreshes(kind, corp=corp, now=now, keys=[key])


def request_refreshes(
    kind: Refresh.Kind, *, corp: Corp, now: datetime, keys: Iterable[str]
) -> None:
    """Have many things of a kind read again soon, by one statement."""
    # One statement cannot touch a row twice.
    wanted = sorted(set(keys))
    if not wanted:
        return
    due_at = now + _SETTLING.get(kind, timedelta())
    with connection.cursor() as cursor:
        cursor.execute(
            _WISH,
            {"corp": corp.pk, "kind": kind.value, "keys": wanted, "now": now, "due": due_at},
        )


def run_due_refreshes(*, now: datetime, limit: int = 100) -> Counter[str]:
    """Read what is due, one thing after the other; return how many ended how."""
    clock = clock_from(now)
    counts: Counter[str] = Counter()
    corps: dict[int, Corp] = {}
    while counts.total() < limit and clock() < now + BUDGET:
        batch = _claim(now=clock())
        if not batch:
            break
        corps |= Corp.objects.in_bulk({wish.corp_id for wish in batch} - corps.keys())
        for wish in batch:
            counts[_read(wish, corp=corps[wish.corp_id], now=clock())] += 1
    return counts


def _claim(*, now: datetime) -> list[Refresh]:
    with transaction.atomic():
        due = Refresh.objects.due(now).filter(kind__in=_refreshers)
        rows = list(due.select_for_update(skip_locked=True)[:_BATCH])
        claimed = Refresh.objects.filter(pk__in=[row.pk for row in rows])
        claimed.update(lease_until=now + _LEASE, attempts=F("attempts") + 1)
    for row in rows:
        row.lease_until, row.attempts = now + _LEASE, row.attempts + 1
    return rows


def _read(wish: Refresh, *, corp: Corp, now: datetime) -> str:
    """Read one thing; what goes wrong is written into the wish."""
    if not _mine(wish).filter(lease_until__gt=now).exists():
        return "postponed"
    try:
        _refreshers[wish.kind](open_channel(corp), corp, wish.key, now)
    except Stale:
        return _fulfil(wish, now=now, outcome="dropped")
    except BackOff as error:
        return _spare_endpoint(wish, error, now=now)
    except ChannelError as error:
        delay = error.delay if isinstance(error, RetryLater) else _TO_BE_CHANGED
        return _postpone(wish, error.detail, delay=delay, now=now)
    except Exception as error:
        # One thing that cannot be read must not keep the others from being read.
        logger.exception("Refresh failed", extra={"corp": corp.corp_id, "refresh": wish.pk})
        return _postpone(wish, f"{type(error).__name__}: {error}", delay=timedelta(), now=now)
    return _fulfil(wish, now=now, outcome="read")


def _mine(wish: Refresh) -> QuerySet[Refresh]:
    return Refresh.objects.filter(pk=wish.pk, lease_until=wish.lease_until)


def _fulfil(wish: Refresh, *, now: datetime, outcome: str) -> str:
    """Forget the wish, unless it was wished again since, or read before it could show."""
    settling = _SETTLING.get(Refresh.Kind(wish.kind), timedelta())
    if wish.wished_at + settling <= now:
        _mine(wish).filter(wished_at=wish.wished_at).delete()
    _mine(wish).update(lease_until=None, due_at=F("wished_at") + settling, attempts=0, error="")
    return outcome


def _postpone(wish: Refresh, error: str, *, delay: timedelta, now: datetime) -> str:
    delay = max(delay, back_off(wish.attempts, at_most=timedelta(hours=1)))
    text = error.replace("\x00", "")[:2000]
    _mine(wish).update(lease_until=None, due_at=now + delay, error=text)
    return "failed"


def _spare_endpoint(wish: Refresh, error: BackOff, *, now: datetime) -> str:
    """Leave everything of the kind alone for a while, what is claimed but unread included."""
    until = now + max(error.delay, back_off(wish.attempts, at_most=timedelta(hours=1)))
    alike = Refresh.objects.filter(corp_id=wish.corp_id, kind=wish.kind)
    alike.filter(lease_until=wish.lease_until).update(lease_until=None, error=error.detail)
    alike.filter(lease_until=None, due_at__lt=until).update(due_at=until)
    return "postponed"
