"""Judging the recipients of a request once more, right before staff are asked.

Between planning and asking lie seconds, or days when the outbox was held up: who was blocked
meanwhile, is being handed over or has lost the sender is left out, with the reason.
"""

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.actions.audience import R, Statement, in_handover
from campaigns.models import Recipient, Task
from scrm.channels.models import Operation


def prepare_request(operation: Operation, now: datetime) -> dict[str, Any] | None:
    """The request as it stands now; None when nobody is left to send it to."""
    task = Task.objects.select_related("campaign", "corp").filter(operation=operation).first()
    payload: dict[str, Any] = operation.payload
    if task is None or not exclude_unreachable(task, now=now):
        return payload
    ids = recipient_ids_of(task)
    if not ids:
        operation.error = _("When it was to be asked, nobody was left to send it to.")
        return None
    return {**payload, ids_name(task): ids}


def ids_name(task: Task) -> str:
    return "chat_ids" if task.campaign.is_to_chats else "external_userids"


def recipient_ids_of(task: Task) -> list[str]:
    """The platform's ids of whom the task is still planned for, in their order."""
    planned = Recipient.objects.filter(task=task, status=Recipient.Status.PLANNED)
    if task.campaign.is_to_chats:
        return list(planned.order_by("chat_id").values_list("chat__chat_id", flat=True))
    ids = planned.order_by("customer_id").values_list("customer__external_userid", flat=True)
    return list(ids)


def exclude_unreachable(task: Task, *, now: datetime) -> int:
    """Exclude planned recipients of a task who must not, or cannot, be asked any more."""
    reasons = _reasons_of_chats(task) if task.campaign.is_to_chats else _reasons_of_customers(task)
    sql = f"""
        UPDATE campaigns_recipient r SET status = %s, reason = v.reason, settled_at = %s
        FROM ({reasons.sql}) AS v WHERE r.id = v.id AND v.reason IS NOT NULL"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [Recipient.Status.EXCLUDED, now, *reasons.params])
        excluded: int = cursor.rowcount
    if excluded:
        task.size -= excluded
        task.save(update_fields=["size"])
    return excluded


def _reasons_of_customers(task: Task) -> Statement:
    moving = in_handover(task.corp, "customer_id")
    sql = f"""
        SELECT r.id, CASE WHEN c.is_blocked THEN %s
                          WHEN c.live_follows = 0 THEN %s
                          WHEN h.customer_id IS NOT NULL THEN %s
                          WHEN f.id IS NULL THEN %s
                          WHEN s.status <> 'active' THEN %s
                          WHEN s.leaving_since IS NOT NULL THEN %s END AS reason
        FROM campaigns_recipient r
        JOIN customers_customer c ON c.id = r.customer_id
        JOIN tenancy_staff s ON s.id = r.staff_id
        LEFT JOIN customers_follow f
            ON f.customer_id = r.customer_id AND f.staff_id = r.staff_id AND f.status = 'live'
        LEFT JOIN ({moving.sql}) AS h ON h.customer_id = r.customer_id
        WHERE r.task_id = %s AND r.status = 'planned'"""  # noqa: S608
    reasons = (
        R.BLOCKED, R.NO_LIVE_FOLLOW, R.IN_HANDOVER, R.NOT_FOLLOWED_BY_SENDER, R.SENDER_INACTIVE,
        R.SENDER_LEAVING,
    )  # fmt: skip
    return Statement(sql, (*reasons, *moving.params, task.pk))


def _reasons_of_chats(task: Task) -> Statement:
    """Whether she still owns it the platform says itself, chat by chat."""
    moving = in_handover(task.corp, "chat_id")
    sql = f"""
        SELECT r.id, CASE WHEN c.status = 'dismissed' THEN %s
                          WHEN c.owner_id IS NULL THEN %s
                          WHEN h.chat_id IS NOT NULL THEN %s
                          WHEN s.status <> 'active' THEN %s
                          WHEN s.leaving_since IS NOT NULL THEN %s END AS reason
        FROM campaigns_recipient r
        JOIN groups_groupchat c ON c.id = r.chat_id
        JOIN tenancy_staff s ON s.id = r.staff_id
        LEFT JOIN ({moving.sql}) AS h ON h.chat_id = c.chat_id
        WHERE r.task_id = %s AND r.status = 'planned'"""  # noqa: S608
    reasons = (R.CHAT_DISMISSED, R.NO_OWNER, R.IN_HANDOVER, R.SENDER_INACTIVE, R.SENDER_LEAVING)
    return Statement(sql, (*reasons, *moving.params, task.pk))
