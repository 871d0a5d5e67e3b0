"""Operations whose worker or answer was lost: the platform is asked before they are repeated."""

import logging
from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from scrm.channels.actions.outcomes import (
    AnswersOfOthers,
    may_have_happened,
    park,
    record_found,
)
from scrm.channels.errors import ChannelError, RetryLater
from scrm.channels.kinds import kind_names, kind_of
from scrm.channels.models import Operation, OperationQuerySet
from scrm.channels.opening import open_channel
from scrm.channels.pace import Clock

logger = logging.getLogger(__name__)

Status = Operation.Status

# A search may walk thousands of pages; whoever does it has this long.
_SEARCH_LEASE = timedelta(minutes=10)
_LOOK_AGAIN_AFTER = timedelta(seconds=10)
# What fails for another reason than the platform's is left to a person.
_LOOKED_LONG_ENOUGH = timedelta(hours=1)


def reclaim_expired(*, now: datetime) -> Counter[str]:
    """Take operations from workers that are gone: their leases have run out."""
    expired = Operation.objects.filter(status=Status.IN_FLIGHT, lease_until__lte=now)
    findable = Q(kind__in=kind_names(findable=True))
    harmless = Q(called_at=None) | Q(kind__in=kind_names(findable=False, harmless=True))
    worn_out = Q(attempts__gte=settings.OUTBOX_MAX_ATTEMPTS)
    counts: Counter[str] = Counter()
    unknown = expired.filter(findable, called_at__isnull=False)
    counts["unknown"] += _end_lease(unknown, Status.UNKNOWN, now)
    died = _("Its worker died each time it was asked.")
    counts["parked"] += _end_lease(expired.filter(harmless, worn_out), Status.PARKED, now, died)
    counts["reclaimed"] += _end_lease(expired.filter(harmless), Status.PENDING, now)
    # What is left was called, cannot be found again and must not be repeated on a guess.
    others = expired.filter(kind__in=kind_names(findable=False, harmless=False))
    lost = f"{_('Its worker died while it was asked.')} {may_have_happened()}"
    counts["parked"] += _end_lease(others, Status.PARKED, now, lost)
    return +counts


def resolve_lost_answers(*, clock: Clock, at_most: int) -> Counter[str]:
    """Look on the platform for operations whose fate nobody knows."""
    counts: Counter[str] = Counter()
    for operation in _claim_unknown(now=clock(), at_most=at_most):
        counts[_look_for(operation, clock=clock)] += 1
    return counts


def _end_lease(
    expired: OperationQuerySet, status: Operation.Status, now: datetime, error: str = ""
) -> int:
    changes: dict[str, object] = {"status": status, "lease_until": None, "next_attempt_at": now}
    if status == Status.PENDING:
        changes["called_at"] = None
    if error:
        changes["error"] = error
    return expired.update(**changes)


def _claim_unknown(*, now: datetime, at_most: int) -> list[Operation]:
    with transaction.atomic():
        unknown = Operation.objects.filter(status=Status.UNKNOWN, next_attempt_at__lte=now)
        due = unknown.filter(kind__in=kind_names(findable=True)).order_by("next_attempt_at", "id")
        rows = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:at_most])
        claimed = Operation.objects.filter(pk__in=rows)
        claimed.update(next_attempt_at=now + _SEARCH_LEASE)
    return list(claimed.select_related("corp").order_by("id"))


def _look_for(operation: Operation, *, clock: Clock) -> str:
    try:
        return _look(operation, clock=clock)
    except ChannelError as error:
        delay = error.delay if isinstance(error, RetryLater) else _LOOK_AGAIN_AFTER
        return _look_again(operation, error.detail, at=clock() + max(delay, _LOOK_AGAIN_AFTER))
    except Exception as error:
        # One that cannot be looked for, or whose listener fails, must not keep the others unknown.
        logger.exception("Looking for an operation failed", extra={"operation": operation.pk})
        text = f"{type(error).__name__}: {error}"
        if operation.called_at and clock() - operation.called_at > _LOOKED_LONG_ENOUGH:
            return park(operation, f"{text} {may_have_happened()}", now=clock())
        return _look_again(operation, text, at=clock() + _LOOK_AGAIN_AFTER)


def _look(operation: Operation, *, clock: Clock) -> str:
    known = AnswersOfOthers(operation)
    found = kind_of(operation).look_for(open_channel(operation.corp), operation, known)
    if found is None:
        return _believe_absent(operation, now=clock())
    if record_found(operation, found, now=clock()) == Status.SUCCEEDED:
        return "found"
    return _look_again(operation, operation.error, at=clock())


def _believe_absent(operation: Operation, *, now: datetime) -> str:
    """Have it asked again, once a request that was slow on its way can no longer land."""
    lands_until = (operation.called_at or operation.created_at) + settings.OUTBOX_LEASE
    if now < lands_until:
        return _look_again(operation, operation.error, at=lands_until)
    is_worn_out = operation.attempts >= settings.OUTBOX_MAX_ATTEMPTS
    status = Status.PARKED if is_worn_out else Status.PENDING
    # Not at once: whoever cancelled it meanwhile has a moment to withdraw it.
    _unresolved(operation).update(
        status=status, called_at=None, next_attempt_at=now + _LOOK_AGAIN_AFTER
    )
    return "parked" if is_worn_out else "absent"


def _look_again(operation: Operation, error: str, *, at: datetime) -> str:
    _unresolved(operation).update(next_attempt_at=at, error=error)
    return "unknown"


def _unresolved(operation: Operation) -> OperationQuerySet:
    return Operation.objects.filter(
        pk=operation.pk, status=Status.UNKNOWN, called_at=operation.called_at
    )
