"""Asking the platform: claimed operations are called one by one, lane by lane."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from scrm.channels.actions.claiming import Lane, lane_of
from scrm.channels.actions.outcomes import put_back, record_error, record_success, record_successes
from scrm.channels.errors import AnswerLost, ChannelError
from scrm.channels.kinds import Reaction, kind_of, listeners_of, preparation_of
from scrm.channels.limits import BudgetUsed
from scrm.channels.metering import errand, record_of
from scrm.channels.models import EndpointPause, Operation
from scrm.channels.opening import open_channel
from scrm.channels.pace import Clock

logger = logging.getLogger(__name__)

Status = Operation.Status

# Answers that may be recorded together wait for at most this long.
_RECORD_EVERY = timedelta(seconds=1)
# What is left of a lease when a call begins, beyond the call's own time limits.
_SPARE = timedelta(seconds=3)

Answer = dict[str, Any]
Answered = list[tuple[Operation, Answer]]


def ask(
    batch: list[Operation], *, clock: Clock, held_back: dict[Lane, datetime] | None = None
) -> Counter[str]:
    """Call the platform for each operation of a claimed batch and record the answers.

    Lanes whose budget is used up are noted in `held_back` with the moment at which they go on.
    """
    counts: Counter[str] = Counter()
    in_turn = {lane_of(operation): number for number, operation in reversed([*enumerate(batch)])}
    # A lane at a time, in the order of their first operations: its calls are counted together.
    by_lane = sorted(batch, key=lambda operation: in_turn[lane_of(operation)])
    for lane, operations in groupby(by_lane, key=lane_of):
        counts += _ask_lane(lane, [*operations], clock, {} if held_back is None else held_back)
    return counts


def _ask_lane(
    lane: Lane, operations: list[Operation], clock: Clock, held_back: dict[Lane, datetime]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    answered: Answered = []
    since = clock()
    with errand(priority=lane.priority, calls=len(operations), records=_records_of(operations)):
        until = _paused_until(lane, now=since)
        for position, operation in enumerate(operations):
            if until:
                counts["postponed"] += _release(operations[position:], until=until)
                break
            if not _begin_safely(operation, now=clock()):
                continue
            answer = _call(operation)
            if isinstance(answer, ChannelError):
                counts[_record_error(operation, answer, clock=clock)] += 1
                until = _held_until(lane, operation, answer, clock, held_back)
            elif kind_of(operation).in_batches:
                answered.append((operation, answer))
            else:
                counts[_record(operation, answer, clock=clock)] += 1
            if answered and clock() - since > _RECORD_EVERY:
                counts += _record_all(answered, clock=clock)
                answered, since = [], clock()
    return counts + _record_all(answered, clock=clock)


def _records_of(operations: list[Operation]) -> set[str]:
    """What the calls of a batch will change; of others each call finds out for itself."""
    kind = kind_of(operations[0])
    if not kind.in_batches:
        return set()
    return {
        record
        for operation in operations
        for path in kind.endpoints
        if (record := record_of(operation.corp_id, path, operation.payload))
    }


def _held_until(
    lane: Lane,
    operation: Operation,
    error: ChannelError,
    clock: Clock,
    held_back: dict[Lane, datetime],
) -> datetime | None:
    """When the lane's others may be asked; None when the error is this operation's alone."""
    if isinstance(error, BudgetUsed):
        held_back[lane] = clock() + error.delay
        return held_back[lane]
    if kind_of(operation).reaction_to(error) is Reaction.PAUSE:
        return _paused_until(lane, now=clock())
    return None


def _paused_until(lane: Lane, *, now: datetime) -> datetime | None:
    pauses = EndpointPause.objects.filter(corp_id=lane.corp_id, kind=lane.kind, until__gt=now)
    return pauses.values_list("until", flat=True).first()


def _begin_safely(operation: Operation, *, now: datetime) -> bool:
    if operation.called_at and _outlasts_a_call(operation, now=now):
        # Noted with the claim, which is committed.
        return True
    try:
        return begin_call(operation, now=now)
    except Exception as error:
        # A preparation that fails must not stop the others. It is tried again some times, then
        # parked with its reason.
        logger.exception("An operation was not prepared", extra={"operation": operation.pk})
        operation.called_at = None
        put_back(operation, ChannelError(f"{type(error).__name__}: {error}"), now=now)
        return False


def _outlasts_a_call(operation: Operation, *, now: datetime) -> bool:
    longest = timedelta(seconds=sum(settings.CHANNEL_TIMEOUTS)) + _SPARE
    return operation.lease_until is not None and operation.lease_until > now + longest


@transaction.atomic
def begin_call(operation: Operation, *, now: datetime) -> bool:
    """Note that the request leaves now; False when the operation is no longer this worker's.

    The note is committed before the request leaves: after a crash, an operation without it was
    certainly never asked. The lease begins anew, so that it outlasts the call. What has lost its
    meaning since it was wished for is withdrawn here (`register_preparation`).
    """
    mine = Operation.objects.filter(
        pk=operation.pk,
        status=Status.IN_FLIGHT,
        called_at=operation.called_at,
        lease_until=operation.lease_until,
        lease_until__gt=now,
    )
    operation.called_at = now
    if mine.update(called_at=now, lease_until=now + settings.OUTBOX_LEASE) != 1:
        return False
    prepare = preparation_of(operation.kind)
    return prepare is None or _is_still_meant(operation, prepare(operation, now), now=now)


def _is_still_meant(operation: Operation, payload: dict[str, Any] | None, *, now: datetime) -> bool:
    if payload is None:
        operation.status, operation.finished_at = Status.CANCELLED, now
        operation.called_at, operation.lease_until = None, None
        operation.save(update_fields=["status", "finished_at", "called_at", "lease_until", "error"])
        for listener in listeners_of(operation.kind):
            listener(operation, now)
        return False
    if payload != operation.payload:
        operation.payload = payload
        operation.save(update_fields=["payload"])
    return True


def _record(operation: Operation, answer: Answer, *, clock: Clock) -> str:
    try:
        return record_success(operation, answer, now=clock())
    except Exception:
        # A listener that fails must not stop the others. Nothing is recorded: the answer is
        # found again on the platform once the lease has run out.
        logger.exception("An answer was not recorded", extra={"operation": operation.pk})
        return "unrecorded"


def _record_error(operation: Operation, error: ChannelError, *, clock: Clock) -> str:
    try:
        return record_error(operation, error, now=clock())
    except Exception:
        logger.exception("An error was not recorded", extra={"operation": operation.pk})
        return "unrecorded"


def _record_all(answered: Answered, *, clock: Clock) -> Counter[str]:
    if not answered:
        return Counter()
    try:
        return record_successes(answered, now=clock())
    except Exception:
        # One that cannot be recorded must not undo the others: each by itself, then.
        logger.exception("Answers were not recorded together")
        return Counter(_record(operation, answer, clock=clock) for operation, answer in answered)


def _call(operation: Operation) -> Answer | ChannelError:
    try:
        return kind_of(operation).ask(open_channel(operation.corp), operation.payload)
    except ChannelError as error:
        return error
    except Exception as error:
        # One operation that cannot be asked must not stop the others. Nobody knows whether the
        # request had left, so it counts as one whose answer was lost.
        logger.exception("Operation failed", extra={"operation": operation.pk})
        return AnswerLost(f"{type(error).__name__}: {error}")


def _release(operations: list[Operation], *, until: datetime) -> int:
    """Give back what was claimed together and not called; the attempts do not count."""
    mine = Operation.objects.filter(
        pk__in=[operation.pk for operation in operations],
        status=Status.IN_FLIGHT,
        called_at=operations[0].called_at,
        lease_until=operations[0].lease_until,
    )
    return mine.update(
        status=Status.PENDING,
        lease_until=None,
        called_at=None,
        next_attempt_at=until,
        attempts=F("attempts") - 1,
    )
