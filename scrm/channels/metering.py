"""Every call to the platform passes here: within its endpoint's limits, alone on its record."""

import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from scrm.channels.counters import free, occupy, take
from scrm.channels.limits import (
    CREDIT_IS_GOOD_FOR,
    RECEIVERS,
    BudgetUsed,
    EndpointLimits,
    ReceiverBusy,
    RecordBusy,
    Window,
    limits_of,
)
from scrm.channels.models import Operation

# A corp's endpoint.
Lane = tuple[int, str]

# Shorter would put operations back again and again for a few calls each.
_SHORTEST_WAIT = timedelta(seconds=1)
# A place is held from call to call of a batch for this long; then it is taken anew, as it is lost
# when its holder is silent for longer than a lease.
_PLACE_IS_FRESH_FOR = 5.0
# path → the fields of the request that name the record it changes (45035) [doc 90313]
RECORDS: dict[str, tuple[str, ...]] = {
    "externalcontact/mark_tag": ("userid", "external_userid"),
    "externalcontact/remark": ("userid", "external_userid"),
    "externalcontact/transfer_customer": ("handover_userid",),
    "externalcontact/resigned/transfer_customer": ("handover_userid",),
    # Of up to a hundred chats: one such call of a corp at a time.
    "externalcontact/groupchat/transfer": (),
    "externalcontact/groupchat/onjob_transfer": (),
}


@dataclass
class Credit:
    """Calls that were counted together and not made yet; what is not made in time is lost."""

    calls: int
    until: float


@dataclass
class Errand:
    """Some calls that belong together: what was taken of the limits for them."""

    priority: int
    # How many are still expected; so many are counted at once.
    calls: int
    credits: dict[Lane, Credit] = field(default_factory=dict)
    places: dict[Lane, tuple[str, float]] = field(default_factory=dict)
    made: Counter[Lane] = field(default_factory=Counter)
    # Records that are this errand's alone, and since when.
    records: set[str] = field(default_factory=set)
    since: float = field(default_factory=time.monotonic)

    @property
    def is_bulk(self) -> bool:
        return self.priority >= Operation.Priority.BULK


_current: ContextVar[Errand | None] = ContextVar("errand", default=None)


@contextmanager
def errand(
    *,
    priority: int = Operation.Priority.BULK,
    calls: int = 1,
    records: Collection[str] = (),
) -> Iterator[Errand]:
    """Make the calls within for one purpose; without it each is one of no urgency.

    Of the `records` (`record_of`) those that nobody is at are taken together beforehand.
    """
    mine = Errand(priority, calls)
    mine.records |= _occupy(set(records))
    token = _current.set(mine)
    try:
        yield mine
    finally:
        _current.reset(token)
        free([*mine.records, *(key for key, _since in mine.places.values())])
        _note_usage(mine.made)


def record_of(corp_pk: int, path: str, body: Mapping[str, Any]) -> str:
    """The name of the record that a request changes; "" when it changes none of its own."""
    if path not in RECORDS:
        return ""
    names = ":".join(str(body.get(name, "")) for name in RECORDS[path])
    # Ids of staff come in any case.
    return f"record:{corp_pk}:{names}".lower()


@contextmanager
def admitted(corp_pk: int, path: str, body: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Count one call and keep its place until it is answered; raises HeldBack."""
    mine = _current.get()
    if mine is None:
        with errand(), admitted(corp_pk, path, body):
            yield
        return
    lane, limits, given = (corp_pk, path), limits_of(path), body or {}
    _keep_place(mine, lane, limits)
    with _alone(mine, record_of(corp_pk, path, given)):
        credit = _credit_of(mine, lane, limits)
        _spare_receivers(lane, given)
        credit.calls -= 1
        mine.calls -= 1
        mine.made[lane] += 1
        yield


def _credit_of(mine: Errand, lane: Lane, limits: EndpointLimits) -> Credit:
    credit, now = mine.credits.get(lane), time.monotonic()
    if credit is None or not credit.calls or now > credit.until:
        wanted = max(1, min(mine.calls, limits.credit))
        for window in limits.windows:
            wanted = _take(lane, window.of_bulk if mine.is_bulk else window, wanted)
        credit = mine.credits[lane] = Credit(wanted, until=now + CREDIT_IS_GOOD_FOR)
    return credit


def _take(lane: Lane, window: Window, wanted: int) -> int:
    corp_pk, path = lane
    whose = "all" if window.is_shared else corp_pk
    taken, wait = take(f"calls:{whose}:{path}:{window.seconds}", window, wanted)
    if not taken:
        sentence = _(
            "The %(calls)s calls for %(seconds)s seconds are used up; it goes on by itself."
        )
        figures = {"calls": f"{window.calls:,}", "seconds": window.seconds}
        raise BudgetUsed(sentence % figures, delay=_delay(wait))
    return taken


def _spare_receivers(lane: Lane, body: Mapping[str, Any]) -> None:
    """Count what each receiver of a message gets, or hold the message back for her."""
    corp_pk, path = lane
    name, windows = RECEIVERS.get(path, ("", ()))
    for receiver in filter(None, str(body.get(name, "")).lower().split("|")):
        for window in windows:
            taken, wait = take(f"told:{corp_pk}:{receiver}:{window.seconds}", window, 1)
            if not taken:
                sentence = _("%(member)s has got %(count)s messages within %(seconds)s seconds.")
                figures = {"count": f"{window.calls:,}", "seconds": window.seconds}
                raise ReceiverBusy(sentence % {"member": receiver, **figures}, delay=_delay(wait))


def _delay(wait: float) -> timedelta:
    return max(timedelta(seconds=wait), _SHORTEST_WAIT)


def _keep_place(mine: Errand, lane: Lane, limits: EndpointLimits) -> None:
    key, since = mine.places.get(lane, ("", 0.0))
    if key and time.monotonic() - since < _PLACE_IS_FRESH_FOR:
        return
    if key:
        del mine.places[lane]
        free([key])
    places = limits.places_of_bulk if mine.is_bulk else limits.places
    corp_pk, path = lane
    # From anywhere on: whoever begins at the same end meets those who are there already.
    first = random.randrange(places)  # noqa: S311
    for number in range(places):
        key = f"place:{corp_pk}:{path}:{(first + number) % places}"
        if _occupy({key}):
            mine.places[lane] = key, time.monotonic()
            return
    sentence = _("%(count)s calls of this kind are under way already.")
    raise BudgetUsed(sentence % {"count": places}, delay=_SHORTEST_WAIT)


@contextmanager
def _alone(mine: Errand, record: str) -> Iterator[None]:
    """Be the only one who changes the record of this request."""
    if record in mine.records and time.monotonic() - mine.since > _PLACE_IS_FRESH_FOR:
        mine.records.remove(record)
        free([record])
    if not record or record in mine.records:
        yield
        return
    if not _occupy({record}):
        sentence = _("Somebody else is changing the same record on the platform.")
        raise RecordBusy(sentence, delay=_SHORTEST_WAIT)
    try:
        yield
    finally:
        free([record])


def _occupy(keys: set[str]) -> set[str]:
    # Given up by itself when its holder died: no call takes longer than a lease.
    return occupy(keys, seconds=int(settings.OUTBOX_LEASE.total_seconds()))


def _note_usage(made: Counter[Lane]) -> None:
    """Add to the figures of the day; they are shown, and nothing is decided by them."""
    if not made:
        return
    # As tokens do, limits live by the platform's clock, not by the time an action was started at.
    now = datetime.now(tz=UTC)
    fixed = [timezone.localdate(now), now.replace(second=0, microsecond=0)]
    rows: list[list[Any]] = [
        [corp_pk, path, *fixed, calls, calls] for (corp_pk, path), calls in sorted(made.items())
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_ADD_USAGE, rows)


_ADD_USAGE = """
    INSERT INTO channels_apiusage AS u (corp_id, endpoint, day, minute, calls, minute_calls)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (corp_id, endpoint, day) DO UPDATE SET
        calls = u.calls + excluded.calls,
        minute = greatest(u.minute, excluded.minute),
        minute_calls = CASE
            WHEN u.minute = excluded.minute THEN u.minute_calls + excluded.minute_calls
            WHEN u.minute < excluded.minute THEN excluded.minute_calls
            ELSE u.minute_calls END"""
