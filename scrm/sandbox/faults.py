"""Trouble on demand, per endpoint."""

import threading
from collections import defaultdict, deque
from itertools import groupby
from typing import Any

from scrm.sandbox.garbling import FORMS
from scrm.sandbox.ledger import Ledger
from scrm.sandbox.tokens import TokenDesk

ANY = "*"
LONGEST_DELAY = 3600
MOST_TIMES = 1_000_000
Value = float | str


def _is_whole(value: object) -> bool:
    """Whether it is a whole number; orders from outside may hold anything."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_whole(value)


class FaultUnknown(ValueError):
    """There is no such trouble."""


class ConnectionCut(Exception):
    """The connection ends here without an answer; with `reset` as the network resets one."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__("connection cut")
        self.reset = reset


class ServerBroken(Exception):
    """The platform answers an HTTP status of the 500s."""

    def __init__(self, status: int = 500) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Faults:
    """Each order strikes the next `times` requests of a path ("*" = any) and is then spent."""

    def __init__(self, ledger: Ledger, tokens: TokenDesk) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._lock = threading.Lock()
        self._orders: defaultdict[tuple[str, str], deque[Value]] = defaultdict(deque)

    def lose_answer(self, path: str, times: int = 1) -> None:
        """Let the act happen, then close the connection without an answer."""
        self._order("lose_answer", path, 0, times)

    def drop_request(self, path: str, times: int = 1) -> None:
        """Close the connection before anything happens."""
        self._order("drop_request", path, 0, times)

    def reset_connection(self, path: str, times: int = 1) -> None:
        """Reset the connection before anything happens, as a broken network does."""
        self._order("reset_connection", path, 0, times)

    def fail(self, path: str, errcode: int, times: int = 1) -> None:
        """Answer an errcode instead of acting."""
        if not _is_whole(errcode) or not errcode:
            raise FaultUnknown(f"{errcode!r} is no errcode")
        self._order("fail", path, errcode, times)

    def http_500(self, path: str, times: int = 1) -> None:
        """Answer HTTP 500 with a page that is no JSON, without acting."""
        self._order("http_500", path, 500, times)

    def http_error(self, path: str, status: int = 502, times: int = 1) -> None:
        """Answer another HTTP status of the 500s like `http_500`."""
        if not _is_whole(status) or not 500 <= status <= 599:
            raise FaultUnknown(f"{status} is no status of the 500s")
        self._order("http_500", path, status, times)

    def delay(self, path: str, seconds: float, times: int = 1) -> None:
        """Wait (in real time) before acting."""
        if not _is_number(seconds) or not 0 <= seconds <= LONGEST_DELAY:
            raise FaultUnknown(f"{seconds!r} is no number of seconds up to {LONGEST_DELAY}")
        self._order("delay", path, seconds, times)

    def garble(self, path: str, form: str = "html", times: int = 1) -> None:
        """Let the act happen, then answer in a form of `scrm.sandbox.garbling`."""
        if form not in FORMS:
            raise FaultUnknown(f"no form {form!r}; there are {', '.join(sorted(FORMS))}")
        self._order("garble", path, form, times)

    def reject_tokens(self, path: str = ANY, times: int = 1) -> None:
        """Answer 40014 whatever the token, fresh ones included; gettoken itself goes on working."""
        self._order("reject_tokens", path, 40014, times)

    def expire_tokens(self) -> None:
        """End every token given out so far: the platform answers 42001."""
        self._tokens.expire_all()
        self._ledger.append("fault.expire_tokens")

    def void_tokens(self) -> None:
        """Forget every token given out so far: the platform answers 40014."""
        self._tokens.void_all()
        self._ledger.append("fault.void_tokens")

    def clear(self) -> None:
        """Cancel all orders that have not struck yet."""
        with self._lock:
            self._orders.clear()

    def in_force(self) -> list[dict[str, Any]]:
        """Return what has still to strike, in the order in which each path meets it."""
        with self._lock:
            orders = {target: list(values) for target, values in self._orders.items()}
        return [
            {"kind": kind, "path": path, "value": value, "times": len(list(group))}
            for (kind, path), values in orders.items()
            for value, group in groupby(values)
        ]

    def take(self, kind: str, path: str) -> Value | None:
        """Return the value of an order that strikes now, or None."""
        with self._lock:
            for target in (path, ANY):
                if self._orders.get((kind, target)):
                    value = self._orders[kind, target].popleft()
                    break
            else:
                return None
        self._ledger.append(f"fault.{kind}", path=path, value=value)
        return value

    def _order(self, kind: str, path: str, value: Value, times: int) -> None:
        if not _is_whole(times) or not 1 <= times <= MOST_TIMES:
            raise FaultUnknown(f"{times!r} is no number of times up to {MOST_TIMES}")
        with self._lock:
            self._orders[kind, path].extend([value] * times)
