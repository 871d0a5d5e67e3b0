"""Time that can be pushed forward, with jobs that fall due on the way."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

Job = Callable[[], None]


class VirtualClock:
    """Real time plus an offset; never holds its lock while a job runs."""

    def __init__(self, start: float | None = None) -> None:
        self._lock = threading.Lock()
        self._running_jobs = threading.RLock()
        self._numbers = itertools.count()
        self._jobs: list[tuple[float, int, Job]] = []
        self._offset = (time.time() if start is None else start) - time.monotonic()

    def now(self) -> float:
        """Return virtual unix seconds."""
        with self._lock:
            return time.monotonic() + self._offset

    def schedule(self, at: float, job: Job) -> None:
        """Run `job` once the clock passes `at`."""
        with self._lock:
            heapq.heappush(self._jobs, (at, next(self._numbers), job))

    def advance(self, seconds: float) -> float:
        """Push the clock forward, running what falls due in order of its time; return the new now."""
        return self.set(self.now() + seconds)

    def set(self, at: float) -> float:
        """Move the clock to `at` (backwards too), running what falls due on the way."""
        with self._running_jobs:
            backwards = at < self.now()
            while (due := self._take_due(at)) is not None:
                self._move_to(max(due[0], self.now()))
                due[1]()
            # Jobs take real time, so the clock may have passed `at` already.
            self._move_to(at if backwards else max(at, self.now()))
        return self.now()

    def run_due(self) -> None:
        """Run the jobs that real time has made due."""
        with self._running_jobs:
            while (due := self._take_due(self.now())) is not None:
                due[1]()

    def _take_due(self, at: float) -> tuple[float, Job] | None:
        with self._lock:
            if not self._jobs or self._jobs[0][0] > at:
                return None
            due_at, _, job = heapq.heappop(self._jobs)
            return due_at, job

    def _move_to(self, at: float) -> None:
        with self._lock:
            self._offset = at - time.monotonic()
