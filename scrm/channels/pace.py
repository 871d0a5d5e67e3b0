"""How long a run of a tick works, and by which clock."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

Clock = Callable[[], datetime]

# Ticks come every two seconds and any free worker takes one: a run that goes on for long would
# keep the workers from what is more urgent.
BUDGET = timedelta(seconds=5)


def clock_from(now: datetime) -> Clock:
    """A clock that shows `now` and goes on: a run of seconds must not stamp old times."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


def back_off(attempts: int, *, at_most: timedelta = timedelta(minutes=10)) -> timedelta:
    """4, 8, 16 … seconds after the first, second, third failure."""
    return min(timedelta(seconds=2 * 2 ** min(attempts, 20)), at_most)
