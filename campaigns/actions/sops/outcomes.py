"""What the outbox answered, written down at the runs that waited for it."""

from collections import defaultdict
from datetime import datetime

from campaigns.actions.sops.ending import finish_enrolments
from campaigns.actions.sops.guards import Runs
from campaigns.actions.sops.settling import settle_runs
from campaigns.models import Recipient, StepRun, Task
from scrm.channels.models import Operation


def note_asked(task: Task, *, now: datetime) -> int:
    """Settle the runs behind the recipients of a task, once the platform has answered.

    Called by `asking.record_asked` in the transaction of the outcome; returns how many.
    """
    if task.campaign.sop_step_id is None:
        return 0
    reached = Recipient.objects.filter(task=task).exclude(status=Recipient.Status.PLANNED)
    outcomes = {
        customer_id: _OUTCOMES.get(status, _DONE) if status != EXCLUDED else _left_out(reason)
        for customer_id, status, reason in reached.values_list("customer", "status", "reason")
    }
    waiting = StepRun.objects.filter(
        campaign=task.campaign_id, staff=task.staff_id, status=StepRun.Status.PENDING
    )
    by_outcome: dict[Outcome, list[int]] = defaultdict(list)
    enrolments = []
    rows = waiting.values_list("pk", "enrolment_id", "enrolment__customer")
    for pk, enrolment_id, customer_id in rows:
        if customer_id in outcomes:
            by_outcome[outcomes[customer_id]].append(pk)
            enrolments.append(enrolment_id)
    for (status, word), ids in by_outcome.items():
        detail = task.problem if status == StepRun.Status.FAILED else ""
        settle_runs(Runs(ids), status, word, now=now, detail=detail)
    finish_enrolments(enrolments, now=now)
    return len(enrolments)


Outcome = tuple[StepRun.Status, str]
EXCLUDED = Recipient.Status.EXCLUDED
_DONE: Outcome = (StepRun.Status.DONE, "")
_OUTCOMES: dict[str, Outcome] = {
    Recipient.Status.FAILED: (StepRun.Status.FAILED, StepRun.Reason.REFUSED),
    Recipient.Status.CANCELLED: (StepRun.Status.SKIPPED, StepRun.Reason.CANCELLED),
}
_SAME_WORDS = (
    StepRun.Reason.NO_LIVE_FOLLOW,
    StepRun.Reason.BLOCKED,
    StepRun.Reason.IN_HANDOVER,
)


def _left_out(reason: str) -> Outcome:
    """Judged once more right before the call (campaigns/actions/rejudging.py)."""
    word = reason if reason in _SAME_WORDS else StepRun.Reason.STAFF_UNAVAILABLE
    return StepRun.Status.SKIPPED, word


def note_told(operation: Operation, now: datetime) -> None:
    """Settle the runs behind a message to a member of staff; a listener of SEND_APP_MESSAGE."""
    waiting = StepRun.objects.filter(operation=operation, status=StepRun.Status.PENDING)
    rows = list(waiting.order_by("pk").values_list("pk", "enrolment_id"))
    if not rows:
        return
    runs = Runs([pk for pk, _enrolment in rows])
    status, reason, detail = _told(operation)
    settle_runs(runs, status, reason, now=now, detail=detail)
    finish_enrolments({enrolment for _pk, enrolment in rows}, now=now)


def _told(operation: Operation) -> tuple[StepRun.Status, str, str]:
    if operation.status == Operation.Status.CANCELLED:
        return StepRun.Status.SKIPPED, StepRun.Reason.CANCELLED, operation.error
    if operation.status == Operation.Status.FAILED:
        return StepRun.Status.FAILED, StepRun.Reason.REFUSED, operation.error
    unreached = {userid.lower() for userid in operation.result.get("unreached", [])}
    if unreached.issuperset(userid.lower() for userid in operation.payload["userids"]):
        return StepRun.Status.FAILED, StepRun.Reason.STAFF_UNAVAILABLE, ""
    return StepRun.Status.DONE, "", ""
