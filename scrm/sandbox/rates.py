"""How often an endpoint may be called."""

from collections import defaultdict

from scrm.sandbox.world import World

WINDOW = 60


class RateMeter:
    """Counts calls per endpoint in windows of a virtual minute; guarded by the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._windows: dict[str, float] = {}
        self._calls: defaultdict[str, int] = defaultdict(int)

    def admits(self, path: str) -> bool:
        now, options = self._world.clock.now(), self._world.options
        if not 0 <= now - self._windows.get(path, float("-inf")) < WINDOW:
            self._windows[path], self._calls[path] = now, 0
        self._calls[path] += 1
        limit = options.calls_per_minute_by_path.get(path, options.calls_per_minute)
        return self._calls[path] <= limit
