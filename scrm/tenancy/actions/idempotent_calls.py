"""Answering a repeated API call with its first answer, and doing its work once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scrm.common.errors import DomainError
from scrm.tenancy.models import ApiKey, IdempotentCall

KEPT_FOR = timedelta(hours=72)
# No call takes that long: one that began earlier and has no answer died with its process.
ABANDONED_AFTER = timedelta(seconds=60)


class KeyReused(DomainError):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reuse"


class CallInProgress(DomainError):
    """The first call with this Idempotency-Key has not ended yet."""

    code = "in_progress"
    retry_after = 1


class CallOvertaken(CallInProgress):
    """Another call took this one for dead and does its work; ours must not be kept."""


@dataclass(frozen=True)
class CallIdentity:
    """What makes two calls the same one, and `fingerprint`, what they ask for."""

    key: str
    method: str
    path: str
    fingerprint: str


def begin_call(identity: CallIdentity, *, api_key: ApiKey, now: datetime) -> IdempotentCall:
    """Note that the call runs, or return the earlier one with its answer (`status` is set).

    Call it outside a transaction, so that others see at once that the call runs. Raises
    KeyReused or CallInProgress.
    """
    call, is_new = IdempotentCall.objects.get_or_create(
        api_key=api_key,
        key=identity.key,
        method=identity.method,
        path=identity.path,
        defaults={
            "corp_id": api_key.corp_id,
            "fingerprint": identity.fingerprint,
            "started_at": now,
        },
    )
    if is_new:
        return call
    if now - call.started_at > KEPT_FOR:
        return _take_over(call, fingerprint=identity.fingerprint, now=now)
    if call.fingerprint != identity.fingerprint:
        raise KeyReused(_("This Idempotency-Key belongs to another request: use a new one."))
    if call.status is None and now - call.started_at > ABANDONED_AFTER:
        return _take_over(call, fingerprint=identity.fingerprint, now=now)
    if call.status is None:
        raise _in_progress()
    return call


def keep_answer(call: IdempotentCall, *, status: int, body: bytes, content_type: str) -> None:
    """Keep the answer; in one transaction with the work, so that neither exists without the other.

    Raises CallOvertaken when another call has taken the work over meanwhile.
    """
    kept = _running(call).update(status=status, body=body, content_type=content_type)
    if not kept:
        raise CallOvertaken(_in_progress().detail)


def forget_call(call: IdempotentCall) -> None:
    """Let the next call with this key do the work; for answers that are not kept."""
    _running(call).delete()


def purge_idempotent_calls(*, now: datetime) -> int:
    deleted, _by_model = IdempotentCall.objects.filter(started_at__lt=now - KEPT_FOR).delete()
    return deleted


def _take_over(call: IdempotentCall, *, fingerprint: str, now: datetime) -> IdempotentCall:
    # Conditional on what was read: of two callers one goes on, the other is told to wait.
    unchanged = IdempotentCall.objects.filter(
        pk=call.pk, started_at=call.started_at, status=call.status
    )
    taken = unchanged.update(
        started_at=now, fingerprint=fingerprint, status=None, body=b"", content_type=""
    )
    if not taken:
        raise _in_progress()
    call.refresh_from_db()
    return call


def _running(call: IdempotentCall) -> QuerySet[IdempotentCall]:
    return IdempotentCall.objects.filter(
        pk=call.pk, started_at=call.started_at, status__isnull=True
    )


def _in_progress() -> CallInProgress:
    return CallInProgress(_("The first call with this Idempotency-Key still runs: ask again."))
