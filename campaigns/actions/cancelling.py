"""Stopping a campaign: what has been delivered stays delivered, the rest is called back."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.approval import WrongStatus
from campaigns.actions.asking import enqueue_cancellation
from campaigns.models import Campaign, Recipient, Task
from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.outbox import (
    OperationNotWaiting,
    OperationOvertaken,
    cancel_operation,
)
from scrm.channels.models import Operation
from scrm.jobs.actions.running import NotYet, Outcome, start_job
from scrm.jobs.models import Job

CANCEL = "campaigns.cancel"
_LOOK_AGAIN = timedelta(seconds=2)


@transaction.atomic
def cancel_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> Job:
    """Stop everything that has not been sent; the job says when the platform has agreed.

    Requests that have not left are withdrawn; members who were asked and have not confirmed are
    called back. The platform cannot recall what was delivered [doc 97611]. Raises WrongStatus
    when the campaign is over.
    """
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status in {
        Campaign.Status.DONE,
        Campaign.Status.CANCELLED,
        Campaign.Status.FAILED,
    }:
        raise WrongStatus(_("This campaign is over: there is nothing left to cancel."))
    locked.status, locked.cancelled_at, locked.finished_at = Campaign.Status.CANCELLED, now, now
    locked.save(update_fields=["status", "cancelled_at", "finished_at"])
    _withdraw_requests(locked, actor=actor, now=now)
    _drop_unqueued(locked, now=now)
    for task in locked.tasks.unconfirmed():
        enqueue_cancellation(task, now=now)
    record("campaigns.cancelled", actor=actor, corp=locked.corp, subject=locked, now=now)
    return start_job(CANCEL, corp=locked.corp, subject_id=str(locked.pk), now=now)


def _withdraw_requests(campaign: Campaign, *, actor: Actor, now: datetime) -> None:
    # The outbox reports each back to `record_asked`, which settles the recipients. One that is
    # on its way cannot be withdrawn: `record_asked` calls it back when it has arrived.
    for task in campaign.tasks.filter(status=Task.Status.PLANNED).select_related("operation"):
        if task.operation is not None:
            with suppress(OperationNotWaiting, OperationOvertaken):
                cancel_operation(task.operation, actor=actor, now=now)


def _drop_unqueued(campaign: Campaign, *, now: datetime) -> None:
    # Planned in part, nothing queued yet.
    unqueued = campaign.tasks.filter(status=Task.Status.PLANNED, operation=None)
    Recipient.objects.filter(task__in=unqueued).update(
        status=Recipient.Status.CANCELLED, settled_at=now
    )
    unqueued.update(status=Task.Status.CANCELLED)


def run_cancel(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Wait until every request of the campaign has its outcome; report what could not be stopped."""
    tasks = Task.objects.for_corp(job.corp).filter(campaign=int(job.subject_id))
    asked = Operation.objects.filter(pk__in=tasks.values("operation"))
    keys = [f"cancel:{pk}" for pk in tasks.values_list("pk", flat=True)]
    cancellations = Operation.objects.for_corp(job.corp).filter(idempotency_key__in=keys)
    unfinished = (asked | cancellations).filter(status__in=Operation.UNFINISHED).count()
    if unfinished:
        raise NotYet(clock() + _LOOK_AGAIN)
    failed = cancellations.exclude(status=Operation.Status.SUCCEEDED)
    errors = tuple(
        {"message": error} for error in failed.values_list("error", flat=True).order_by("pk")
    )
    return Outcome({"called_back": cancellations.count() - len(errors)}, errors)


def record_cancelled(operation: Operation, now: datetime) -> None:
    """The platform has called a task back: one more look, then it is settled."""
    if operation.status == Operation.Status.SUCCEEDED:
        task_id = int(operation.idempotency_key.removeprefix("cancel:"))
        Task.objects.filter(pk=task_id, corp=operation.corp_id).update(
            cancelled_at=now, next_poll_at=now, is_settled=False
        )
