"""Asking staff, through the outbox, to send a campaign; and taking down what was answered."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg

from campaigns.actions.progress import update_progress
from campaigns.models import Campaign, Recipient, Task
from scrm.channels.actions.outbox import Wish, enqueue_operation, enqueue_operations
from scrm.channels.models import Operation
from scrm.channels.operations import ASK_MASS_MESSAGE, CANCEL_MASS_MESSAGE

# Right after creation the platform is still dispatching (41063): the first look comes later.
FIRST_LOOK = timedelta(seconds=5)
# Requests of 10 000 ids each are built from so many tasks at a time.
_TASKS_AT_A_TIME = 20


def enqueue_tasks(campaign: Campaign, *, now: datetime) -> int:
    """Queue one request per planned task; called once planning is complete, in its transaction."""
    waiting = campaign.tasks.filter(operation=None, status=Task.Status.PLANNED)
    task_ids = list(waiting.order_by("id").values_list("pk", flat=True))
    for start in range(0, len(task_ids), _TASKS_AT_A_TIME):
        _enqueue(campaign, task_ids[start : start + _TASKS_AT_A_TIME], now=now)
    return len(task_ids)


def _enqueue(campaign: Campaign, task_ids: Iterable[int], *, now: datetime) -> None:
    external_userids = ArrayAgg(
        "recipients__customer__external_userid", order_by="recipients__customer_id"
    )
    tasks = campaign.tasks.filter(pk__in=task_ids).select_related("staff")
    asked = list(tasks.annotate(external_userids=external_userids))
    wishes = [Wish(key=_key(task), payload=_request(campaign, task)) for task in asked]
    operations = enqueue_operations(ASK_MASS_MESSAGE, corp=campaign.corp, wishes=wishes, now=now)
    for task in asked:
        task.operation = operations[_key(task)]
    Task.objects.bulk_update(asked, ["operation"])


def _key(task: Task) -> str:
    return f"ask:{task.pk}"


def _request(campaign: Campaign, task: Any) -> dict[str, Any]:
    return {
        "sender": task.staff.userid,
        "external_userids": task.external_userids,
        "content": campaign.content,
        "attachments": campaign.attachments,
    }


def record_asked(operation: Operation, now: datetime) -> None:
    """Take down the answer to a request; the outbox calls it in the transaction of the outcome."""
    task = Task.objects.select_related("campaign").filter(operation=operation).first()
    if task is None:
        return
    campaign = Campaign.objects.select_for_update(of=["self"]).get(pk=task.campaign_id)
    if operation.status == Operation.Status.SUCCEEDED:
        _record_accepted(task, operation, now=now)
        if campaign.status == Campaign.Status.CANCELLED:
            # Cancelled while the request was on its way: take it back at once.
            enqueue_cancellation(task, now=now)
    elif operation.status == Operation.Status.CANCELLED:
        _drop(task, Task.Status.CANCELLED, Recipient.Status.CANCELLED, operation, now=now)
    elif operation.status == Operation.Status.FAILED:
        _drop(task, Task.Status.FAILED, Recipient.Status.FAILED, operation, now=now)
    update_progress(campaign, now=now)


def enqueue_cancellation(task: Task, *, now: datetime) -> Operation:
    return enqueue_operation(
        CANCEL_MASS_MESSAGE,
        corp=task.corp,
        key=f"cancel:{task.pk}",
        payload={"msgid": task.msgid},
        priority=Operation.Priority.CLICK,
        now=now,
    )


def _record_accepted(task: Task, operation: Operation, *, now: datetime) -> None:
    task.status, task.msgid = Task.Status.ASKED, operation.result["msgid"]
    task.asked_at, task.next_poll_at = operation.called_at or now, now + FIRST_LOOK
    refused = operation.result.get("refused", [])
    planned = Recipient.objects.filter(task=task, status=Recipient.Status.PLANNED)
    if refused:
        planned.filter(customer__external_userid__in=refused).update(
            status=Recipient.Status.FAILED, reason=Recipient.Reason.REFUSED, settled_at=now
        )
    if not planned.update(status=Recipient.Status.ASKED):
        # Everybody was refused: nothing is left to look for.
        task.is_settled, task.next_poll_at = True, None
    task.save(update_fields=["status", "msgid", "asked_at", "next_poll_at", "is_settled"])


def _drop(
    task: Task,
    status: Task.Status,
    reached: Recipient.Status,
    operation: Operation,
    *,
    now: datetime,
) -> None:
    task.status, task.problem = status, operation.error
    task.save(update_fields=["status", "problem"])
    planned = Recipient.objects.filter(task=task, status=Recipient.Status.PLANNED)
    reason = Recipient.Reason.REQUEST_REFUSED if reached == Recipient.Status.FAILED else ""
    planned.update(status=reached, reason=reason, settled_at=now)
