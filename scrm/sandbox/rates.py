"""How often an endpoint may be called, by the corp and from one address, and who waits how long."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.quota import start_of_day

if TYPE_CHECKING:
    from scrm.sandbox.world import World

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONTH = 30 * DAY
# What stands for the native library of the archive counts its own calls only.
LIBRARY_PREFIX = "archive/"


@dataclass(slots=True)
class Window:
    since: float
    calls: int = 0
    blocked_until: float = 0


class Meter:
    """Counts in windows of virtual time; whoever exceeds one waits as long as such a window lasts.

    Windows begin with the first call, those of a day at midnight in China. Guarded by the world's
    lock.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._windows: dict[tuple[Hashable, float], Window] = {}

    def admits(self, key: Hashable, times: int, seconds: float) -> bool:
        """Count one call; False when it is one too many, or the caller still waits for an earlier."""
        now = self._clock.now()
        window = self._windows.get((key, seconds))
        if window is not None and 0 < window.blocked_until - now <= seconds:
            return False
        if window is None or not 0 <= now - window.since < seconds:
            window = Window(start_of_day(now) if seconds == DAY else now)
            self._windows[key, seconds] = window
        window.calls += 1
        if window.calls <= times:
            return True
        window.blocked_until = (window.since if seconds == DAY else now) + seconds
        return False


class RateMeter:
    """Knows the limits of every endpoint."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._meter = Meter(world.clock)

    def admits(self, path: str, ip: str) -> bool:
        return all(self._meter.admits(*limit) for limit in self._limits(path, ip))

    def _limits(self, path: str, ip: str) -> Iterator[tuple[Hashable, int, float]]:
        options = self._world.options
        yield path, options.calls_per_minute_by_path.get(path, options.calls_per_minute), MINUTE
        if path.startswith(LIBRARY_PREFIX):
            return
        yield path, options.calls_per_hour_by_path.get(path, options.calls_per_hour), HOUR
        for by_path, seconds in (
            (options.calls_per_day_by_path, DAY),
            (options.calls_per_month_by_path, MONTH),
        ):
            if path in by_path:
                yield path, by_path[path], seconds
        yield (path, ip), options.ip_calls_per_minute, MINUTE
        yield (path, ip), options.ip_calls_per_hour, HOUR
