"""Stopping a campaign: what has been delivered stays delivered, the rest is called back."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.approval import WrongStatus
from campaigns.actions.asking import enqueue_cancellation
from campaigns.models import Campaign, Recipient, Task
from scrm.audit.actions.recording import SYSTEM, Actor, record
from scrm.channels.actions.outbox import cancel_operation
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
    for task in locked.tasks.unconfirmed().filter(is_settled=False):
        enqueue_cancellation(task, now=now)
    record("campaigns.cancelled", actor=actor, corp=locked.corp, subject=locked, now=now)
    return start_job(CANCEL, corp=locked.corp, subject_id=str(locked.pk), now=now)


def _withdraw_requests(campaign: Campaign, *, actor: Actor, now: datetime) -> None:
    """Withdraw what is not on its way; the outbox reports each back to `record_asked`.

    The outbox locks an operation and then its campaign; here it is the other way round, so this
    never waits for an operation. What is skipped is withdrawn by `run_cancel` if it comes back,
    and called back by `record_asked` if it has arrived.
    """
    planned = campaign.tasks.filter(status=Task.Status.PLANNED)
    waiting = Operation.objects.filter(
        pk__in=planned.values("operation"),
        status__in=[Operation.Status.PENDING, Operation.Status.PARKED],
    )
    for operation in waiting.order_by("pk").select_for_update(of=["self"], skip_locked=True):
        cancel_operation(operation, actor=actor, now=now)


def _drop_unqueued(campaign: Campaign, *, now: datetime) -> None:
    # Planned in part, nothing queued yet.
    unqueued = campaign.tasks.filter(status=Task.Status.PLANNED, operation=None)
    Recipient.objects.filter(task__in=unqueued).update(
        status=Recipient.Status.CANCELLED, settled_at=now
    )
    unqueued.update(status=Task.Status.CANCELLED)


def run_cancel(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Wait until every request of the campaign has its outcome; report what could not be stopped."""
    with transaction.atomic():
        # What was on its way when it was cancelled may have come back, or been parked, since.
        campaigns = Campaign.objects.for_corp(job.corp).select_for_update(of=["self"])
        campaign = campaigns.get(pk=int(job.subject_id))
        _withdraw_requests(campaign, actor=SYSTEM, now=clock())
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
