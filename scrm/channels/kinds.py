"""The kinds of operations: how each is asked, found again, and who waits for its outcome."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scrm.channels.base import Channel
from scrm.channels.models import Operation

Ask = Callable[[Channel, dict[str, Any]], dict[str, Any]]
Find = Callable[[Channel, Operation, Container[str]], dict[str, Any] | None]
Listener = Callable[[Operation, datetime], None]
Preparation = Callable[[Operation, datetime], dict[str, Any] | None]


@dataclass(frozen=True)
class OperationKind:
    """One change that can be asked of the platform.

    `ask(channel, payload)` returns the result to keep. When its answer is lost:
    with `find`, the platform is asked first whether it happened (`find(channel, operation,
    known)` returns the result, or None when it certainly did not; `known` holds the `identity`
    values of other operations' results); without, it is asked again if that does no harm, and
    else left to a person.
    """

    name: str
    ask: Ask
    find: Find | None = None
    identity: str = ""
    is_harmless_twice: bool = True

    def look_for(
        self, channel: Channel, operation: Operation, known: Container[str]
    ) -> dict[str, Any] | None:
        if self.find is None:
            raise LookupError(f"Nobody can tell whether {self.name} has happened.")
        return self.find(channel, operation, known)


_kinds: dict[str, OperationKind] = {}
_listeners: dict[str, list[Listener]] = {}
_preparations: dict[str, Preparation] = {}


def register_kind(kind: OperationKind) -> None:
    _kinds[kind.name] = kind


def kind_of(operation: Operation) -> OperationKind:
    return _kinds[operation.kind]


def kind_names(*, findable: bool | None = None, harmless: bool | None = None) -> list[str]:
    """The registered kinds, all or those that can (not) be found, may (not) be asked twice."""
    return [
        kind.name
        for kind in _kinds.values()
        if findable in {None, kind.find is not None} and harmless in {None, kind.is_harmless_twice}
    ]


def subscribe_outcome(kind: str, listener: Listener) -> None:
    """Call `listener(operation, now)` in the transaction that records a final status.

    That is SUCCEEDED, FAILED or CANCELLED; not PARKED, which a person may still retry.
    """
    listeners = _listeners.setdefault(kind, [])
    if listener not in listeners:
        listeners.append(listener)


def register_preparation(kind: str, prepare: Preparation) -> None:
    """Have `prepare(operation, now)` look at an operation right before each call that is made.

    It runs in the transaction that notes the call and returns the payload as it is to be asked
    now, or None: then the operation is cancelled. For kinds with `find` no earlier call can have
    happened by then.
    """
    _preparations[kind] = prepare


def preparation_of(kind: str) -> Preparation | None:
    return _preparations.get(kind)


def listeners_of(kind: str) -> Iterable[Listener]:
    return tuple(_listeners.get(kind, ()))
