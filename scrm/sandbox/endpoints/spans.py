"""The days that statistics are asked for."""

from scrm.sandbox.call import Call
from scrm.sandbox.days import DAY, day_of, days_between
from scrm.sandbox.errors import Refused


def read_days(
    call: Call, start: str, end: str, *, with_today: bool, end_is_optional: bool = False
) -> list[int]:
    """Return the beginnings of the days asked for, both ends included; 60267 out of bounds."""
    options = call.world.options
    first = day_of(call.integer(start))
    last = day_of(call.integer(end, first if end_is_optional else None))
    today = day_of(call.now)
    newest = today if with_today else today - DAY
    oldest = today - options.statistics_days_back * DAY
    days = days_between(first, last)
    if not (oldest <= first <= last <= newest) or len(days) > options.statistics_days:
        raise Refused(60267, f"{start} or {end}")
    return days
