"""Asking the platform: due operations are claimed in batches and called one by one."""

import logging
from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from scrm.channels.actions.outcomes import record_error, record_success
from scrm.channels.errors import AnswerLost, ChannelError
from scrm.channels.kinds import kind_names, kind_of, listeners_of, preparation_of
from scrm.channels.models import EndpointPause, Operation
from scrm.channels.opening import open_channel
from scrm.channels.pace import Clock
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

Status = Operation.Status


def claim_due(*, now: datetime, at_most: int) -> list[Operation]:
    """Take the most urgent operations for this worker, of each serial queue the head only."""
    with transaction.atomic():
        due = Operation.objects.due(now).filter(kind__in=kind_names())
        # In the order of their keys, so that two claims never wait for each other in a circle;
        # what another worker is just claiming is passed over.
        claimed = due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:at_most]
        rows = Operation.objects.filter(pk__in=list(claimed))
        rows.update(
            status=Status.IN_FLIGHT,
            lease_until=now + settings.OUTBOX_LEASE,
            called_at=None,
            attempts=F("attempts") + 1,
        )
    batch = list(rows.order_by("priority", "next_attempt_at", "id"))
    corps = Corp.objects.in_bulk({operation.corp_id for operation in batch})
    for operation in batch:
        operation.corp = corps[operation.corp_id]
    return batch


def ask(batch: list[Operation], *, clock: Clock) -> Counter[str]:
    """Call the platform for each operation of a claimed batch and record the answers."""
    counts: Counter[str] = Counter()
    for operation in batch:
        if _is_paused(operation, now=clock()):
            counts[_release(operation)] += 1
        elif _begin_safely(operation, now=clock()):
            counts[_call_and_record(operation, clock=clock)] += 1
    return counts


def _begin_safely(operation: Operation, *, now: datetime) -> bool:
    try:
        return begin_call(operation, now=now)
    except Exception:
        # A preparation that fails must not stop the others; the lease puts off the next try.
        logger.exception("An operation was not prepared", extra={"operation": operation.pk})
        return False


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
        called_at=None,
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


def _call_and_record(operation: Operation, *, clock: Clock) -> str:
    try:
        answer = _call(operation)
        if isinstance(answer, ChannelError):
            return record_error(operation, answer, now=clock())
        return record_success(operation, answer, now=clock())
    except Exception:
        # A listener that fails must not stop the others. Nothing is recorded: the answer is
        # found again on the platform once the lease has run out.
        logger.exception("An answer was not recorded", extra={"operation": operation.pk})
        return "unrecorded"


def _call(operation: Operation) -> dict[str, Any] | ChannelError:
    try:
        return kind_of(operation).ask(open_channel(operation.corp), operation.payload)
    except ChannelError as error:
        return error
    except Exception as error:
        # One operation that cannot be asked must not stop the others. Nobody knows whether the
        # request had left, so it counts as one whose answer was lost.
        logger.exception("Operation failed", extra={"operation": operation.pk})
        return AnswerLost(f"{type(error).__name__}: {error}")


def _is_paused(operation: Operation, *, now: datetime) -> bool:
    pauses = EndpointPause.objects.filter(corp_id=operation.corp_id, kind=operation.kind)
    return pauses.filter(until__gt=now).exists()


def _release(operation: Operation) -> str:
    """Give back what was claimed and not called; the attempt does not count."""
    mine = Operation.objects.filter(
        pk=operation.pk, status=Status.IN_FLIGHT, called_at=None, lease_until=operation.lease_until
    )
    mine.update(status=Status.PENDING, lease_until=None, attempts=F("attempts") - 1)
    return "postponed"
