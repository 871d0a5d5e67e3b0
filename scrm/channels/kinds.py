"""The kinds of operations: how each is asked, found again, and who waits for its outcome."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from scrm.channels.base import Channel
from scrm.channels.errors import (
    AlreadyDone,
    AnswerLost,
    BackOff,
    ChannelError,
    InputRefused,
    Misconfigured,
    NotReady,
    QuotaExhausted,
    RetryLater,
    Stale,
    Unreachable,
)
from scrm.channels.limits import HeldBack
from scrm.channels.models import Operation

Ask = Callable[[Channel, dict[str, Any]], dict[str, Any]]
Find = Callable[[Channel, Operation, Container[str]], dict[str, Any] | None]
Listener = Callable[[Operation, datetime], None]
Preparation = Callable[[Operation, datetime], dict[str, Any] | None]


class Reaction(Enum):
    """What is done about an error."""

    # What was asked for is so: the operation has succeeded.
    SUCCEED = "succeed"
    # Not the operation's fault and no attempt; its moment is known.
    WAIT = "wait"
    # The same, for all operations of the kind: the endpoint is left alone for a while.
    PAUSE = "pause"
    # Asked again with growing pauses, then parked.
    RETRY = "retry"
    # Looked for on the platform, or asked again if that is harmless, or parked.
    FIND_OUT = "find_out"
    # A person has to change something and retries, or cancels.
    PARK = "park"
    # Over: whoever wished for it is told why.
    FAIL = "fail"


REACTIONS: Mapping[type[ChannelError], Reaction] = {
    AlreadyDone: Reaction.SUCCEED,
    HeldBack: Reaction.WAIT,
    BackOff: Reaction.PAUSE,
    Unreachable: Reaction.PAUSE,
    AnswerLost: Reaction.FIND_OUT,
    NotReady: Reaction.RETRY,
    RetryLater: Reaction.RETRY,
    Misconfigured: Reaction.PARK,
    InputRefused: Reaction.FAIL,
    QuotaExhausted: Reaction.FAIL,
    Stale: Reaction.FAIL,
    ChannelError: Reaction.FAIL,
}


class WhenLost(Enum):
    """What is done when the answer to a request was lost."""

    FIND = "find"
    REPEAT = "repeat"
    ASK_A_PERSON = "ask_a_person"


@dataclass(frozen=True)
class OperationKind:
    """One change that can be asked of the platform.

    `ask(channel, payload)` returns the result to keep, and calls one of `endpoints`. When its
    answer is lost: with `find`, the platform is asked first whether it happened (`find(channel,
    operation, known)` returns the result, or None when it certainly did not; `known` holds the
    `identity` values of other operations' results); without, it is asked again if that does no
    harm, and else left to a person. `reactions` names the errors that call for something else
    than usual.
    """

    name: str
    ask: Ask
    endpoints: tuple[str, ...] = ()
    find: Find | None = None
    identity: str = ""
    is_harmless_twice: bool = True
    # Its calls are noted and its answers recorded together: much faster, and when the worker dies
    # all of them are asked again. Only for what leaves no trace when it is asked twice.
    in_batches: bool = False
    reactions: Mapping[type[ChannelError], Reaction] = field(default_factory=dict)

    @property
    def when_lost(self) -> WhenLost:
        if self.find:
            return WhenLost.FIND
        return WhenLost.REPEAT if self.is_harmless_twice else WhenLost.ASK_A_PERSON

    def reaction_to(self, error: ChannelError) -> Reaction:
        """The nearest class decides."""
        table = {**REACTIONS, **self.reactions}
        return next(table[each] for each in type(error).__mro__ if each in table)

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


def registered_kinds() -> list[OperationKind]:
    return list(_kinds.values())


def unsaid_of(kind: OperationKind) -> Iterator[str]:
    """What a kind's declaration lacks, or contradicts."""
    if not kind.endpoints:
        yield "does not name the endpoint it calls"
    if kind.identity and not kind.find:
        yield "names an identity, but not how to find its answer"
    if kind.find and not kind.is_harmless_twice:
        yield "can be found, so whether it is harmless twice is never asked"
    if kind.in_batches and (kind.when_lost is not WhenLost.REPEAT or kind.name in _preparations):
        yield "is noted in batches, but not one to be asked again without a look"


def batched_kind_names() -> list[str]:
    return [kind.name for kind in _kinds.values() if kind.in_batches]


def endpoints_of(kind: str) -> tuple[str, ...]:
    """What the kind calls; nothing for one that an older version registered."""
    return _kinds[kind].endpoints if kind in _kinds else ()


def kinds_beside(kind: str) -> list[str]:
    """This and all that call an endpoint of its: the platform counts their calls together."""
    mine = set(endpoints_of(kind))
    others = (other.name for other in _kinds.values() if mine & set(other.endpoints))
    return list(dict.fromkeys([kind, *others]))


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
