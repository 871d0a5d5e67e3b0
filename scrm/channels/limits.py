"""What the platform takes of one endpoint, and what is refused here before it is refused there."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from scrm.channels.errors import BackOff

# Where the platform names another number of calls a minute than its usual one.
CALLS_PER_MINUTE = {
    "externalcontact/add_moment_task": 10,  # [doc 95094]
    "archive/getchatdata": 4000,  # [doc 91774]
}
# Of every limit this much is for what somebody waits for; reads and bulk have the rest.
_SHARE_OF_BULK = 0.8
_PLACES_OF_URGENT = 2
# So many calls are counted at once; more would widen the margin that is left unused.
_LONGEST_CREDIT = 20
_MINUTE, _HOUR = 60, 3600


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


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`, whatever moment they are counted from."""

    calls: int
    seconds: int

    @property
    def of_bulk(self) -> "Window":
        return Window(max(1, int(self.calls * _SHARE_OF_BULK)), self.seconds)


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
    """A margin is left: what is counted before the platform's window begins may arrive within it.

    That is at most the credit of everybody who holds a place.
    """
    calls = published_limit(path)
    is_scarce = calls < 500
    places = 1 if is_scarce else max(1, settings.CHANNEL_CONCURRENCY)
    credit = 1 if is_scarce else min(_LONGEST_CREDIT, max(1, calls // (50 * places)))
    margin = places * credit
    published = ((calls, _MINUTE), (settings.CHANNEL_CALLS_PER_HOUR, _HOUR))
    windows = tuple(Window(max(1, count - margin), seconds) for count, seconds in published)
    return EndpointLimits(windows, places, credit)
