"""Writing down what became of an operation.

A call is known by its operation and its `called_at`: whatever another worker concluded in the
meantime, an answer is written only onto the call it belongs to.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.fields.json import KT
from django.utils.translation import gettext as _

from scrm.channels.errors import ChannelError, RetryLater, Unreachable
from scrm.channels.kinds import (
    Reaction,
    WhenLost,
    kind_of,
    kinds_beside,
    listeners_of,
)
from scrm.channels.limits import HeldBack
from scrm.channels.models import EndpointPause, Operation, OperationQuerySet
from scrm.channels.pace import back_off

logger = logging.getLogger(__name__)

Status = Operation.Status

_LONGEST_PAUSE = timedelta(hours=1)
_LONGEST_SILENCE = timedelta(minutes=5)
# A pause that begins this soon after the last one is its continuation.
_PAUSES_IN_A_ROW = timedelta(minutes=1)
# Time for a request that is under way to land before the platform is asked about it.
_FIRST_LOOK_AFTER = timedelta(seconds=2)


def record_success(operation: Operation, result: dict[str, Any], *, now: datetime) -> str:
    """Write a call's result; an answer that comes late still counts.

    If another worker has given the call up meanwhile and has not called again, the operation is
    done after all: what it would repeat has happened.
    """
    not_called_again = Q(called_at=operation.called_at) | Q(called_at=None)
    return _finish(operation, not_called_again, Status.SUCCEEDED, now=now, result=result)


@transaction.atomic
def record_successes(
    answered: Sequence[tuple[Operation, dict[str, Any]]], *, now: datetime
) -> Counter[str]:
    """Write the results of several calls, as `record_success` does for one."""
    params: dict[str, Any] = {
        "now": now,
        "ids": [operation.pk for operation, _result in answered],
        "results": [json.dumps(result) for _operation, result in answered],
        "called": [operation.called_at for operation, _result in answered],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUCCEED, params)
        written = {pk for (pk,) in cursor.fetchall()}
    for operation, result in answered:
        if operation.pk not in written:
            logger.error("An answer came too late", extra={"operation": operation.pk})
            continue
        operation.status, operation.result = Status.SUCCEEDED, result
        operation.errcode, operation.error = None, ""
        operation.finished_at, operation.lease_until = now, None
        for listener in listeners_of(operation.kind):
            listener(operation, now)
    outcomes = {"succeeded": len(written), "overtaken": len(answered) - len(written)}
    return +Counter(outcomes)


_SUCCEED = """
    UPDATE channels_operation o SET
        status = 'succeeded', result = a.result, errcode = NULL, error = '',
        finished_at = %(now)s, lease_until = NULL, called_at = a.called_at
    FROM unnest(%(ids)s::bigint[], %(results)s::jsonb[], %(called)s::timestamptz[])
        AS a (id, result, called_at)
    WHERE o.id = a.id AND o.status IN ('pending', 'in_flight', 'unknown')
        AND (o.called_at = a.called_at OR o.called_at IS NULL)
    RETURNING o.id"""


def record_found(operation: Operation, result: dict[str, Any], *, now: datetime) -> str:
    """Write a result that was found on the platform, unless it is another operation's."""
    identity = kind_of(operation).identity
    with transaction.atomic():
        _lock_answers_of(operation)
        if identity and result[identity] in AnswersOfOthers(operation):
            return "overtaken"
        unresolved = Q(status=Status.UNKNOWN, called_at=operation.called_at)
        return _finish(operation, unresolved, Status.SUCCEEDED, now=now, result=result)


def record_error(operation: Operation, error: ChannelError, *, now: datetime) -> str:
    """Write why a call did not succeed, and decide by the class of the error what comes next."""
    reaction = kind_of(operation).reaction_to(error)
    if reaction is Reaction.PAUSE and isinstance(error, RetryLater):
        # Not the operation's fault: it waits for as long as the pause is renewed.
        pause_endpoint(operation, error, now=now)
    return _ACTS[reaction](operation, error, now)


def record_lost_answer(operation: Operation, error: ChannelError, *, now: datetime) -> str:
    when_lost = kind_of(operation).when_lost
    if when_lost is WhenLost.FIND:
        _calls(operation).update(
            status=Status.UNKNOWN,
            lease_until=None,
            next_attempt_at=now + _FIRST_LOOK_AFTER,
            error=error.detail,
        )
        return "unknown"
    if when_lost is WhenLost.REPEAT:
        # What left may still be on its way, and must not arrive after what follows it in its queue:
        # nothing follows until it has had as long again as it was waited for.
        patience = timedelta(seconds=settings.CHANNEL_TIMEOUTS[1])
        return put_back(operation, error, now=now, at_least=patience)
    return park(operation, f"{error.detail} {may_have_happened()}", now=now)


def put_back(
    operation: Operation,
    error: ChannelError,
    *,
    now: datetime,
    is_counted: bool = True,
    at_least: timedelta = timedelta(),
) -> str:
    """Have it asked again later; park it when it has been tried often enough."""
    if is_counted and operation.attempts >= settings.OUTBOX_MAX_ATTEMPTS:
        return park(operation, error.detail, errcode=error.errcode, now=now)
    delay = max(at_least, error.delay if isinstance(error, RetryLater) else at_least)
    if not isinstance(error, HeldBack):
        delay = max(delay, back_off(operation.attempts))
    _calls(operation).update(
        status=Status.PENDING,
        attempts=operation.attempts if is_counted else operation.attempts - 1,
        next_attempt_at=now + delay,
        lease_until=None,
        called_at=None,
        errcode=error.errcode,
        error=error.detail,
    )
    return "postponed"


def park(operation: Operation, error: str, *, now: datetime, errcode: int | None = None) -> str:
    """Leave it to a person, who corrects something and retries, or cancels."""
    _calls(operation).update(
        status=Status.PARKED,
        lease_until=None,
        next_attempt_at=now,
        errcode=errcode,
        error=error,
    )
    return "parked"


def pause_endpoint(operation: Operation, error: RetryLater, *, now: datetime) -> None:
    """Leave all kinds that call the endpoint alone; pauses in a row double, up to an hour."""
    kinds = kinds_beside(operation.kind)
    fresh = [
        EndpointPause(corp_id=operation.corp_id, kind=kind, until=now, strikes=0) for kind in kinds
    ]
    with transaction.atomic():
        EndpointPause.objects.bulk_create(fresh, ignore_conflicts=True)
        pauses = EndpointPause.objects.filter(corp_id=operation.corp_id, kind__in=kinds)
        # What is in the future was set by a worker that ran into the same limit at the same time.
        for pause in pauses.filter(until__lte=now).order_by("pk").select_for_update():
            _prolong(pause, error, now=now)


def _prolong(pause: EndpointPause, error: RetryLater, *, now: datetime) -> None:
    in_a_row = now - pause.until < max(_length(error, pause.strikes), _PAUSES_IN_A_ROW)
    pause.strikes = pause.strikes + 1 if in_a_row else 1
    pause.until = now + _length(error, pause.strikes)
    pause.errcode, pause.error = error.errcode, error.detail
    pause.save(update_fields=["strikes", "until", "errcode", "error"])


def may_have_happened() -> str:
    return _("It may have happened all the same: retry only if it has not.")


class AnswersOfOthers:
    """Whether a result found on the platform is known as another operation's."""

    def __init__(self, operation: Operation) -> None:
        kind = kind_of(operation)
        alike = Operation.objects.filter(
            corp_id=operation.corp_id, kind=operation.kind, status=Status.SUCCEEDED
        )
        # As text, the form that the index `operation_by_msgid` is made of.
        answers = alike.alias(answer=KT(f"result__{kind.identity}"))
        self._others = answers.exclude(pk=operation.pk)

    def __contains__(self, value: object) -> bool:
        return self._others.filter(answer=str(value)).exists()


def _calls(operation: Operation) -> OperationQuerySet:
    """The operation, if it still is where this worker's call left it."""
    unfinished = Operation.objects.filter(pk=operation.pk, status__in=Operation.UNFINISHED)
    return unfinished.filter(called_at=operation.called_at)


def _finish(
    operation: Operation, expected: Q, status: Operation.Status, *, now: datetime, **outcome: Any
) -> str:
    with transaction.atomic():
        unfinished = Operation.objects.filter(pk=operation.pk, status__in=Operation.UNFINISHED)
        row = unfinished.filter(expected).select_for_update().first()
        if row is None:
            logger.error("An answer came too late", extra={"operation": operation.pk, **outcome})
            return "overtaken"
        fields = {"errcode": None, "error": "", **outcome, "status": status}
        fields |= {"finished_at": now, "lease_until": None, "called_at": operation.called_at}
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields=list(fields))
        for listener in listeners_of(row.kind):
            listener(row, now)
    return status.value


def _lock_answers_of(operation: Operation) -> None:
    """Two workers that found the same answer for two operations give it to one of them."""
    with connection.cursor() as cursor:
        name = f"answers:{operation.corp_id}:{operation.kind}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _length(error: RetryLater, strikes: int) -> timedelta:
    longest = _LONGEST_SILENCE if isinstance(error, Unreachable) else _LONGEST_PAUSE
    doublings = min(max(strikes - 1, 0), 16)
    return min(error.delay * (1 << doublings), longest)


def _give_up(operation: Operation, error: ChannelError, now: datetime) -> str:
    mine = Q(called_at=operation.called_at)
    details = {"errcode": error.errcode, "error": error.detail}
    return _finish(operation, mine, Status.FAILED, now=now, **details)


def _wait(operation: Operation, error: ChannelError, now: datetime) -> str:
    return put_back(operation, error, now=now, is_counted=False)


_ACTS: dict[Reaction, Callable[[Operation, ChannelError, datetime], str]] = {
    Reaction.SUCCEED: lambda operation, _error, now: record_success(operation, {}, now=now),
    Reaction.WAIT: _wait,
    Reaction.PAUSE: _wait,
    Reaction.RETRY: lambda operation, error, now: put_back(operation, error, now=now),
    Reaction.FIND_OUT: lambda operation, error, now: record_lost_answer(operation, error, now=now),
    Reaction.PARK: lambda operation, error, now: park(
        operation, error.detail, errcode=error.errcode, now=now
    ),
    Reaction.FAIL: _give_up,
}
