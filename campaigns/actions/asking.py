"""Asking staff, through the outbox, to send a campaign; and taking down what was answered."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg

from campaigns.actions.content import bare_attachment
from campaigns.actions.progress import update_progress
from campaigns.actions.rejudging import ids_name
from campaigns.actions.sops.outcomes import note_asked
from campaigns.models import Campaign, Recipient, RecipientQuerySet, Task
from groups.models import GroupChat
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
    ids = _CHAT_IDS if campaign.is_to_chats else _CUSTOMER_IDS
    tasks = campaign.tasks.filter(pk__in=task_ids).select_related("staff", "campaign")
    asked = list(tasks.annotate(recipient_ids=ids))
    wishes = [Wish(key=_key(task), payload=_request(campaign, task)) for task in asked]
    operations = enqueue_operations(ASK_MASS_MESSAGE, corp=campaign.corp, wishes=wishes, now=now)
    for task in asked:
        task.operation = operations[_key(task)]
    Task.objects.bulk_update(asked, ["operation"])


_CUSTOMER_IDS = ArrayAgg(
    "recipients__customer__external_userid", order_by="recipients__customer_id"
)
_CHAT_IDS = ArrayAgg("recipients__chat__chat_id", order_by="recipients__chat_id")


def _key(task: Task) -> str:
    return f"ask:{task.pk}"


def _request(campaign: Campaign, task: Any) -> dict[str, Any]:
    return {
        "sender": task.staff.userid,
        ids_name(task): task.recipient_ids,
        "content": campaign.content,
        "attachments": [bare_attachment(each) for each in campaign.attachments],
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
    note_asked(task, now=now)
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
        id_field = "chat__chat_id" if task.campaign.is_to_chats else "customer__external_userid"
        named = planned.filter(**{f"{id_field}__in": refused})
        _fail(named, Recipient.Reason.REFUSED, now=now)
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
    if reached == Recipient.Status.FAILED:
        _fail(planned, Recipient.Reason.REQUEST_REFUSED, now=now)
    planned.update(status=reached, settled_at=now)


def _fail(recipients: RecipientQuerySet, reason: Recipient.Reason, *, now: datetime) -> None:
    failed = {"status": Recipient.Status.FAILED, "settled_at": now}
    # What the platform does not explain and we know.
    gone = recipients.filter(chat__status=GroupChat.Status.DISMISSED)
    gone.update(reason=Recipient.Reason.CHAT_DISMISSED, **failed)
    recipients.update(reason=reason, **failed)
