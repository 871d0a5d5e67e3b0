"""The outbox: every change asked of the platform is a row first, and asked exactly once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.asking import ask
from scrm.channels.actions.claiming import Lane, claim_due
from scrm.channels.actions.lost_answers import reclaim_expired, resolve_lost_answers
from scrm.channels.kinds import listeners_of
from scrm.channels.models import Operation
from scrm.channels.pace import BUDGET, clock_from
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp

Status = Operation.Status

# A batch should take about half a second: what is urgent must not wait behind one that another
# worker has claimed, and calls counted together are good for a second only.
_BATCH, _LARGEST_BATCH = 10, 320
_BATCH_TIME = timedelta(seconds=0.5)
_ROWS_A_STATEMENT = 500
# More than can be asked before a run's time is over.
_ALL = 100_000


class OperationNotWaiting(DomainError):
    code = "operation_not_waiting"


class OperationOvertaken(DomainError):
    code = "operation_overtaken"


@dataclass(frozen=True)
class Wish:
    """One change to be asked; `key` names it once and for all within the corp."""

    key: str
    payload: dict[str, Any]
    serial_key: str = ""


def enqueue_operation(  # noqa: PLR0913 (one wish, spelled out)
    kind: str,
    *,
    corp: Corp,
    key: str,
    payload: dict[str, Any],
    now: datetime,
    serial_key: str = "",
    priority: Operation.Priority = Operation.Priority.BULK,
) -> Operation:
    """Wish for one change; a second wish with the same key returns the first one's row."""
    wish = Wish(key, payload, serial_key)
    return enqueue_operations(kind, corp=corp, wishes=[wish], now=now, priority=priority)[key]


@transaction.atomic
def enqueue_operations(
    kind: str,
    *,
    corp: Corp,
    wishes: Iterable[Wish],
    now: datetime,
    priority: Operation.Priority = Operation.Priority.BULK,
) -> dict[str, Operation]:
    """Wish for many changes of a kind; the rows by key, new and old, without their payloads."""
    rows = [
        Operation(
            corp=corp,
            kind=kind,
            idempotency_key=wish.key,
            serial_key=wish.serial_key,
            priority=priority,
            payload=wish.payload,
            next_attempt_at=now,
            created_at=now,
        )
        for wish in wishes
    ]
    Operation.objects.bulk_create(rows, batch_size=_ROWS_A_STATEMENT, ignore_conflicts=True)
    keys = [row.idempotency_key for row in rows]
    kept = Operation.objects.for_corp(corp).filter(idempotency_key__in=keys).defer("payload")
    by_key = {row.idempotency_key: row for row in kept}
    return {key: by_key[key] for key in keys}


def run_due_operations(*, now: datetime, limit: int = _ALL) -> Counter[str]:
    """Ask the platform for what is due, after finding out about what was lost.

    Any number of workers may run it at a time. An operation is called at most once unless the
    platform itself says that the call did not happen, or a repetition does no harm.
    """
    clock = clock_from(now)
    counts = reclaim_expired(now=now)
    counts += resolve_lost_answers(clock=clock, at_most=_BATCH)
    held_back: dict[Lane, datetime] = {}
    asked, size = 0, _BATCH
    while asked < limit and (begun := clock()) < now + BUDGET:
        batch = claim_due(now=begun, at_most=min(size, limit - asked), held_back=held_back)
        if not batch:
            break
        asked += len(batch)
        counts += ask(batch, clock=clock, held_back=held_back)
        is_quick = clock() - begun < _BATCH_TIME
        size = min(2 * size, _LARGEST_BATCH) if is_quick else max(size // 2, 1)
    return counts


@transaction.atomic
def retry_operation(operation: Operation, *, actor: Actor, now: datetime) -> Operation:
    """Ask a parked operation again, with as many attempts as a new one."""
    row = _locked(operation)
    if row.status != Status.PARKED:
        raise OperationNotWaiting(_("Only a parked operation can be retried."))
    if _is_overtaken(row):
        raise OperationOvertaken(
            _("A later change of the same was made since: make the change again instead.")
        )
    _record("channels.operation_retried", row, actor=actor, now=now)
    row.status, row.attempts, row.next_attempt_at = Status.PENDING, 0, now
    row.called_at, row.errcode, row.error = None, None, ""
    row.save(
        update_fields=["status", "attempts", "next_attempt_at", "called_at", "errcode", "error"]
    )
    return row


@transaction.atomic
def cancel_operation(operation: Operation, *, actor: Actor, now: datetime) -> Operation:
    """Give up an operation that is not being asked."""
    row = _locked(operation)
    if row.status not in {Status.PENDING, Status.PARKED}:
        raise OperationNotWaiting(_("Only a waiting or parked operation can be cancelled."))
    _record("channels.operation_cancelled", row, actor=actor, now=now)
    row.status, row.finished_at = Status.CANCELLED, now
    row.save(update_fields=["status", "finished_at"])
    for listener in listeners_of(row.kind):
        listener(row, now)
    return row


def _locked(operation: Operation) -> Operation:
    locked = Operation.objects.select_for_update(of=["self"]).select_related("corp")
    return locked.get(pk=operation.pk)


def _is_overtaken(row: Operation) -> bool:
    """Whether a later operation of the same serial queue has been carried out."""
    later = Operation.objects.filter(
        corp_id=row.corp_id, serial_key=row.serial_key, pk__gt=row.pk, status=Status.SUCCEEDED
    )
    return bool(row.serial_key) and later.exists()


def _record(action: str, row: Operation, *, actor: Actor, now: datetime) -> None:
    data = {"kind": row.kind, "status": row.status, "error": row.error}
    record(action, actor=actor, corp=row.corp, subject=row, now=now, data=data)
