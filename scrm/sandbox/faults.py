"""Trouble on demand, per endpoint."""

import threading
from collections import defaultdict, deque

from scrm.sandbox.ledger import Ledger
from scrm.sandbox.tokens import TokenDesk

ANY = "*"


class ConnectionCut(Exception):
    """The connection ends here without an answer."""


class ServerBroken(Exception):
    """The platform answers HTTP 500."""


class Faults:
    """Each order strikes the next `times` requests of a path ("*" = any) and is then spent."""

    def __init__(self, ledger: Ledger, tokens: TokenDesk) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._lock = threading.Lock()
        self._orders: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def lose_answer(self, path: str, times: int = 1) -> None:
        """Let the act happen, then close the connection without an answer."""
        self._order("lose_answer", path, 0, times)

    def drop_request(self, path: str, times: int = 1) -> None:
        """Close the connection before anything happens."""
        self._order("drop_request", path, 0, times)

    def fail(self, path: str, errcode: int, times: int = 1) -> None:
        """Answer an errcode instead of acting."""
        self._order("fail", path, errcode, times)

    def http_500(self, path: str, times: int = 1) -> None:
        """Answer HTTP 500 with a page that is no JSON, without acting."""
        self._order("http_500", path, 0, times)

    def delay(self, path: str, seconds: float, times: int = 1) -> None:
        """Wait (in real time) before acting."""
        self._order("delay", path, seconds, times)

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

    def take(self, kind: str, path: str) -> float | None:
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

    def _order(self, kind: str, path: str, value: float, times: int) -> None:
        with self._lock:
            self._orders[kind, path].extend([value] * times)
