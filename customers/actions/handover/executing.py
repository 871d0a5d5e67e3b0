"""Carrying a plan out, and stopping one."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.handover import reasons
from customers.actions.handover.results import results_of
from customers.actions.handover.sending import send_plan, withdraw_requests
from customers.actions.handover.settling import Change, lock_plan, update_progress, write_changes
from customers.models import HandoverItem, HandoverPlan
from scrm.audit.actions.recording import Actor, record
from scrm.channels.models import Operation
from scrm.common.errors import DomainError
from scrm.jobs.actions.running import NotYet, Outcome, start_job
from scrm.jobs.models import Job

EXECUTE = "handover.execute"

_LOOK_AGAIN = timedelta(seconds=2)
_MOST_ERRORS = 100

S = HandoverItem.Status


class PlanNotExecutable(DomainError):
    code = "wrong_status"


class NothingToHandOver(DomainError):
    code = "nothing_to_hand_over"


@transaction.atomic
def execute_plan(plan: HandoverPlan, *, actor: Actor, now: datetime) -> Job:
    """Begin to carry out a draft; the job ends when the platform has answered every request.

    Raises PlanNotExecutable the second time. The takeover itself takes the platform a day.
    """
    locked = lock_plan(plan.pk)
    if locked.status != HandoverPlan.Status.DRAFT:
        raise PlanNotExecutable(
            _("This plan was executed or cancelled already: look at its results instead.")
        )
    if not HandoverItem.objects.open().filter(plan=locked).exists():
        raise NothingToHandOver(_("Nothing is planned here: nobody waits for a new colleague."))
    locked.status, locked.executed_by = HandoverPlan.Status.EXECUTING, actor.key
    locked.executed_at = now
    locked.save(update_fields=["status", "executed_by", "executed_at"])
    record("handover.executed", actor=actor, corp=locked.corp, subject=locked, now=now)
    return start_job(EXECUTE, corp=locked.corp, subject_id=str(locked.pk), now=now)


@transaction.atomic
def cancel_plan(plan: HandoverPlan, *, actor: Actor, now: datetime) -> HandoverPlan:
    """Stop what has not been asked. What the platform has taken up goes on and is still read.

    Raises PlanNotExecutable when the plan is over.
    """
    locked = lock_plan(plan.pk)
    if locked.status not in {HandoverPlan.Status.DRAFT, HandoverPlan.Status.EXECUTING}:
        raise PlanNotExecutable(_("This plan is over: there is nothing left to cancel."))
    locked.status = HandoverPlan.Status.CANCELLED
    locked.save(update_fields=["status"])
    planned = HandoverItem.objects.filter(plan=locked, status=S.PLANNED)
    changes = [
        Change(pk, S.CANCELLED, reasons.REMOVED) for pk in planned.values_list("pk", flat=True)
    ]
    write_changes(changes, now=now, was=[S.PLANNED])
    withdraw_requests(locked, actor=actor, now=now)
    record("handover.cancelled", actor=actor, corp=locked.corp, subject=locked, now=now)
    locked = lock_plan(plan.pk)
    update_progress(locked, now=now)
    return locked


def run_execute(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Ask for everything that is ready, and wait until each request has its answer."""
    plan = HandoverPlan.objects.for_corp(job.corp).get(pk=int(job.subject_id))
    send_plan(plan.pk, now=clock())
    items = HandoverItem.objects.filter(plan=plan)
    on_the_way = items.filter(status=S.ASKED).exclude(operation__status=Operation.Status.PARKED)
    # What has to wait for another day is not waited for here.
    to_ask = items.filter(status=S.PLANNED, next_attempt_at__isnull=True)
    soon = items.filter(status=S.PLANNED, next_attempt_at__lte=clock() + timedelta(minutes=10))
    if any(rows.exists() for rows in (on_the_way, to_ask, soon)):
        raise NotYet(clock() + _LOOK_AGAIN)
    return Outcome(results_of(plan), tuple(_errors(plan)))


def _errors(plan: HandoverPlan) -> list[dict[str, object]]:
    """What did not go, by name; parked requests wait for somebody to correct a setting."""
    ended = HandoverItem.objects.filter(
        plan=plan, status__in=[S.FAILED, S.OVER_CAPACITY, S.BLOCKED]
    )
    errors: list[dict[str, object]] = [
        {"item": item.pk, "message": reasons.sentence_of(item.reason)}
        for item in ended.order_by("pk")[:_MOST_ERRORS]
    ]
    parked = Operation.objects.filter(
        pk__in=plan.items.filter(status=S.ASKED).values("operation"),
        status=Operation.Status.PARKED,
    )
    return errors + [
        {"operation": pk, "message": error} for pk, error in parked.values_list("pk", "error")
    ]
