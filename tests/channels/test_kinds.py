"""What every operation has to say about itself."""

from collections.abc import Iterator

import pytest

from scrm.channels.admin import OPERATIONS
from scrm.channels.checks import kinds_are_complete
from scrm.channels.errors import (
    AlreadyDone,
    AnswerLost,
    BackOff,
    ChannelError,
    Misconfigured,
    QuotaExhausted,
    RetryLater,
    Unreachable,
)
from scrm.channels.kinds import (
    OperationKind,
    Reaction,
    WhenLost,
    kind_names,
    registered_kinds,
    unsaid_of,
)
from scrm.channels.limits import BudgetUsed, ReceiverBusy, RecordBusy
from scrm.channels.wecom.errcodes import MEANINGS
from scrm.sandbox.endpoints import ENDPOINTS

KINDS = registered_kinds()


def all_errors(error: type[ChannelError] = ChannelError) -> Iterator[type[ChannelError]]:
    yield error
    for each in error.__subclasses__():
        yield from all_errors(each)


def raised(error: type[ChannelError]) -> ChannelError:
    """One of the class; how it is made does not matter to what is done about it."""
    return error.__new__(error)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_says_all_it_has_to(kind: OperationKind) -> None:
    assert list(unsaid_of(kind)) == []
    assert set(kind.endpoints) <= set(ENDPOINTS)
    assert kind.when_lost in WhenLost
    assert kind.name in OPERATIONS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_knows_what_to_do_about_every_error(kind: OperationKind) -> None:
    reactions = {error: kind.reaction_to(raised(error)) for error in all_errors()}

    assert {meaning.error for meaning in MEANINGS.values()} <= set(reactions)
    assert reactions[AnswerLost] is Reaction.FIND_OUT
    assert reactions[AlreadyDone] is Reaction.SUCCEED
    assert reactions[Misconfigured] is Reaction.PARK
    assert {reactions[BackOff], reactions[Unreachable]} == {Reaction.PAUSE}
    held_back = {reactions[each] for each in (BudgetUsed, RecordBusy, ReceiverBusy)}
    assert held_back == {Reaction.WAIT}
    assert reactions[RetryLater] is Reaction.RETRY


def test_a_kind_may_do_otherwise() -> None:
    kind = OperationKind("x", lambda _c, _p: {}, reactions={QuotaExhausted: Reaction.PARK})

    assert kind.reaction_to(raised(QuotaExhausted)) is Reaction.PARK
    assert kind.reaction_to(raised(ChannelError)) is Reaction.FAIL


def test_an_incomplete_kind_is_named_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = OperationKind("bad", lambda _c, _p: {}, in_batches=True, is_harmless_twice=False)
    monkeypatch.setattr("scrm.channels.checks.registered_kinds", lambda: [kind])

    assert [error.id for error in kinds_are_complete()] == ["channels.E002"] * 2
    assert len(kind_names()) == len(KINDS)
