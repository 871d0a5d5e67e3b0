"""The append-only record of what truly happened."""

import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from scrm.sandbox.clock import VirtualClock


@dataclass(frozen=True)
class Entry:
    number: int
    at: float
    kind: str
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Ledger:
    """Facts in the order in which they happened, and how often each endpoint was called."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._calls: Counter[str] = Counter()
        self._answers: Counter[tuple[str, int]] = Counter()

    def append(self, kind: str, **data: Any) -> Entry:
        with self._lock:
            entry = Entry(len(self._entries) + 1, self._clock.now(), kind, data)
            self._entries.append(entry)
        return entry

    def entries(self, kind: str = "", *, after: int = 0) -> list[Entry]:
        """Return entries numbered above `after`; `kind` also selects a family ("chat" → "chat.joined")."""
        with self._lock:
            later = self._entries[after:]
        family = f"{kind}."
        return [e for e in later if not kind or e.kind == kind or e.kind.startswith(family)]

    def count(self, kind: str) -> int:
        return len(self.entries(kind))

    def count_call(self, path: str, errcode: int) -> None:
        with self._lock:
            self._calls[path] += 1
            self._answers[path, errcode] += 1

    def calls(self) -> dict[str, int]:
        """Return the number of requests per endpoint, whatever the answer."""
        with self._lock:
            return dict(self._calls)

    def refusals(self) -> dict[str, dict[str, int]]:
        """Return the number of answers per endpoint and errcode other than 0."""
        with self._lock:
            answers = list(self._answers.items())
        refused: dict[str, dict[str, int]] = {}
        for (path, errcode), times in answers:
            if errcode:
                refused.setdefault(path, {})[str(errcode)] = times
        return refused
