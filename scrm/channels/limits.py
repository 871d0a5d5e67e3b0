"""What the platform takes of one endpoint, and what is refused here before it is refused there.

Counted before the call are limits that cost more than the call when they are met: those of an
endpoint (45009 blocks it for a minute or an hour), calls at a time (45033), writers of a record
(45035), and what one receiver is sent, where the rest is dropped without a word. Of the others
the platform's answer is enough: how many reminders a task may have (41094), moments a month
(41210), handovers of a customer (40128), messages an app may send in a day (45009).
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.conf import settings

from scrm.channels.errors import BackOff

_MINUTE, _HOUR = 60, 3600
# Calls that are counted together are made within so many seconds, or are counted again.
CREDIT_IS_GOOD_FOR = 1
_LARGEST_CREDIT = 200
# Bulk and reads leave this much of every limit to what somebody waits for, and two places.
_RESERVE = 0.05
_PLACES_OF_URGENT = 2
# What an address may call, of all corps together, is so many times a corp's limit [doc 90312].
_CORPS_OF_ADDRESS = {_MINUTE: 2, _HOUR: 4}
# Where the platform names another number of calls a minute than its usual one.
CALLS_PER_MINUTE = {
    "externalcontact/add_moment_task": 10,  # [doc 95094]
    "archive/getchatdata": 4000,  # [doc 91774]
}


class HeldBack(BackOff):
    """Not asked, because it would be refused: the same call may be made after `delay`.

    Nothing has left, so it is no attempt.
    """

    code = "platform_held_back"

    def __init__(self, detail: str, *, delay: timedelta) -> None:
        super().__init__(detail, errcode=None, delay=delay)


class BudgetUsed(HeldBack):
    """The endpoint's calls of the minute or hour are used up, or all its places are taken."""

    code = "platform_budget_used"


class RecordBusy(HeldBack):
    """Somebody else is changing the same record on the platform at this moment (45035)."""

    code = "platform_record_busy"


class ReceiverBusy(HeldBack):
    """One of the receivers has got as much as the platform lets through."""

    code = "platform_receiver_busy"


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`, whatever moment they are counted from."""

    calls: int
    seconds: int
    # Of all corps together.
    is_shared: bool = False

    @property
    def of_bulk(self) -> "Window":
        """All but the reserve: bulk uses what urgent calls do not."""
        calls = max(1, self.calls - ceil(self.calls * _RESERVE))
        return Window(calls, self.seconds, self.is_shared)


# path → the field that names its receivers, and what each of them gets [doc 90236].
RECEIVERS: dict[str, tuple[str, tuple[Window, ...]]] = {
    "message/send": ("touser", (Window(30, _MINUTE), Window(1000, _HOUR))),
}


@dataclass(frozen=True)
class EndpointLimits:
    """How one endpoint of one corp is used: windows, calls under way, calls counted at once."""

    windows: tuple[Window, ...]
    places: int
    credit: int

    @property
    def places_of_bulk(self) -> int:
        return max(1, self.places - _PLACES_OF_URGENT)


def published_limit(path: str) -> int:
    """Calls a minute, as the platform says."""
    return CALLS_PER_MINUTE.get(path, settings.CHANNEL_CALLS_PER_MINUTE)


def limits_of(path: str) -> EndpointLimits:
    """The windows are a little stricter than the platform's.

    What was counted before the platform's window begins may arrive within it: one call of each
    place that is on its way, and credits. So the windows are less by the places and longer by the
    life of a credit.
    """
    calls = published_limit(path)
    places = 1 if calls < 500 else max(1, settings.CHANNEL_CONCURRENCY)
    credit = max(1, min(_LARGEST_CREDIT, calls // 50))

    def window(count: int, seconds: int, corps: int = 1, *, is_shared: bool = False) -> Window:
        stricter = max(1, count - places) * corps
        return Window(stricter, seconds + CREDIT_IS_GOOD_FOR, is_shared)

    minute, hour = settings.CHANNEL_CALLS_PER_MINUTE, settings.CHANNEL_CALLS_PER_HOUR
    windows = (
        window(calls, _MINUTE),
        window(hour, _HOUR),
        window(minute, _MINUTE, _CORPS_OF_ADDRESS[_MINUTE], is_shared=True),
        window(hour, _HOUR, _CORPS_OF_ADDRESS[_HOUR], is_shared=True),
    )
    return EndpointLimits(windows, places, credit)
