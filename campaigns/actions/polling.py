"""Looking on the platform what became of a campaign: who confirmed, and what reached whom.

The platform tells nothing by itself. Each task is looked at with growing pauses until it is
settled: everybody has an outcome, or the time in which staff may confirm is over.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from campaigns.actions.progress import update_progress
from campaigns.models import Campaign, Recipient, Task
from customers.actions.follows import end_follows
from customers.models import Follow
from groups.models import GroupChat
from scrm.channels.base import Channel, Delivery, SenderState
from scrm.channels.errors import ChannelError, RetryLater, Stale
from scrm.channels.opening import open_channel
from scrm.channels.pace import BUDGET, Clock, clock_from

logger = logging.getLogger(__name__)

_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)
_LEASE = timedelta(minutes=2)
_AT_A_TIME = 10
_MOST_POLLS = 32_767  # what the column holds; by then the pauses are long

# get_groupmsg_send_result [doc 93338]: 0 not sent, 1 sent, 2 no friend, 3 got others already.
_OUTCOMES = {
    1: Recipient.Status.DELIVERED,
    2: Recipient.Status.NOT_FRIEND,
    3: Recipient.Status.QUOTA,
}


def poll_due_tasks(*, now: datetime, limit: int = 200) -> int:
    """Look at the tasks whose next look is due; return how many were looked at."""
    clock = clock_from(now)
    looked = 0
    while looked < limit and clock() < now + BUDGET:
        task_ids = _claim(now=clock(), limit=_AT_A_TIME)
        if not task_ids:
            break
        tasks = Task.objects.filter(pk__in=task_ids)
        for task in tasks.select_related("corp", "staff", "campaign"):
            _poll_safely(task, clock=clock)
        looked += len(task_ids)
    return looked


def _poll_safely(task: Task, *, clock: Clock) -> None:
    try:
        poll_task(task, now=clock())
    except Exception:
        # One task that cannot be read must not stop the others; its lease puts off the next look.
        logger.exception("Looking at a task failed", extra={"task": task.pk})


@transaction.atomic
def _claim(*, now: datetime, limit: int) -> list[int]:
    # Pushed ahead before it is tried: a task that kills its worker cannot stop the others.
    due = Task.objects.to_poll(now).select_for_update(of=["self"], skip_locked=True)[:limit]
    task_ids = [task.pk for task in due]
    Task.objects.filter(pk__in=task_ids).update(next_poll_at=now + _LEASE)
    return task_ids


def poll_task(task: Task, *, now: datetime) -> None:
    """Read one task's state and results and keep them; what the platform refuses is noted."""
    channel = open_channel(task.corp)
    try:
        state = _sender_state(channel, task)
        deliveries = list(_deliveries(channel, task)) if state and state.is_confirmed else []
    except ChannelError as error:
        _put_off(task, error, now=now)
    else:
        apply_results(task, state, deliveries, now=now)


def _sender_state(channel: Channel, task: Task) -> SenderState | None:
    cursor = ""
    while True:
        page = channel.messages.sender_states(task.msgid, cursor)
        for state in page.rows:
            # Userids are case-insensitive and answers may be lower-cased [api.md, section 0].
            if state.userid.lower() == task.staff.userid.lower():
                return state
        cursor = page.next_cursor
        if not cursor:
            return None


def _deliveries(channel: Channel, task: Task) -> Iterator[Delivery]:
    cursor = ""
    while True:
        page = channel.messages.deliveries(task.msgid, task.staff.userid, cursor)
        yield from page.rows
        cursor = page.next_cursor
        if not cursor:
            return


@transaction.atomic
def apply_results(
    task: Task, state: SenderState | None, deliveries: list[Delivery], *, now: datetime
) -> None:
    """Write what the platform said; reading the same again changes nothing."""
    campaign = _lock(task)
    if state and state.is_confirmed:
        task.status = Task.Status.CONFIRMED
        task.confirmed_at = state.confirmed_at or task.confirmed_at or now
        asked = Recipient.objects.filter(task=task, status=Recipient.Status.ASKED)
        asked.filter(settled_at__isnull=True).update(status=Recipient.Status.CONFIRMED)
        write_deliveries(task, deliveries, now=now)
        _end_lost_follows(task, now=now)
    if campaign.is_to_chats:
        _settle_chats(task, now=now)
    _note_look(task, campaign, now=now)
    update_progress(campaign, now=now)


def write_deliveries(task: Task, deliveries: list[Delivery], *, now: datetime) -> int:
    """One UPDATE for all rows of a task; returns how many recipients it told something new."""
    column, joined = _CHATS if task.campaign.is_to_chats else _CUSTOMERS
    known = [each for each in deliveries if each.status in _OUTCOMES]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_recipient r"  # noqa: S608 — made of our own constants
            " SET status = d.status, reason = '', settled_at = coalesce(d.at, %s)"
            " FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS d (id, status, at)"
            f" JOIN {joined} = d.id AND c.corp_id = %s"
            f" WHERE r.task_id = %s AND r.{column} = c.id AND r.status <> d.status",
            [
                now,
                [each.recipient_id for each in known],
                [_OUTCOMES[each.status] for each in known],
                [each.sent_at for each in known],
                task.corp_id,
                task.pk,
            ],
        )
        written: int = cursor.rowcount
    return written


# The column that names the recipient, and the platform's id of it.
_CUSTOMERS = ("customer_id", "customers_customer c ON c.external_userid")
_CHATS = ("chat_id", "groups_groupchat c ON c.chat_id")


def _settle_chats(task: Task, *, now: datetime) -> None:
    """Say of chats why nothing arrives: the platform lists only those it was sent to [93338].

    One that was dismissed can be sent to no more. One whose owner has confirmed may still be
    listed late; when the time is over it was not sent.
    """
    waiting = Recipient.objects.filter(task=task).waiting()
    unsent = {"status": Recipient.Status.ASKED, "settled_at": now}
    gone = waiting.filter(chat__status=GroupChat.Status.DISMISSED)
    gone.update(reason=Recipient.Reason.CHAT_DISMISSED, **unsent)
    if _is_window_over(task, now=now):
        unlisted = waiting.filter(status=Recipient.Status.CONFIRMED)
        unlisted.update(reason=Recipient.Reason.NOT_LISTED, **unsent)


def _end_lost_follows(task: Task, *, now: datetime) -> None:
    # «Not a friend» is how the platform tells that a customer left without a callback.
    lost = Recipient.objects.filter(task=task, status=Recipient.Status.NOT_FRIEND)
    follows = Follow.objects.live().filter(
        corp=task.corp_id,
        staff=task.staff_id,
        customer__in=lost.values("customer"),
        # Added again after the message went out: that is a new friendship.
        added_at__lt=task.confirmed_at,
    )
    follow_ids = list(follows.values_list("pk", flat=True))
    # They had left when the message went out, at the latest: who was added since is a friend.
    end_follows(
        follow_ids, status=Follow.Status.DELETED_BY_CUSTOMER, now=now, ended_at=task.confirmed_at
    )


def _note_look(task: Task, campaign: Campaign, *, now: datetime) -> None:
    task.polls = min(task.polls + 1, _MOST_POLLS)
    task.problem = ""
    waiting = Recipient.objects.filter(task=task).waiting()
    is_over = _is_window_over(task, now=now) or _was_cancelled(task, campaign)
    task.is_settled = is_over or not waiting.exists()
    task.next_poll_at = None if task.is_settled else now + _pause_after(task.polls)
    task.save(
        update_fields=[
            "status",
            "confirmed_at",
            "polls",
            "problem",
            "is_settled",
            "next_poll_at",
        ]
    )


def _was_cancelled(task: Task, campaign: Campaign) -> bool:
    # One more look after the platform took the cancellation: nobody can confirm any more.
    return task.cancelled_at is not None and campaign.status == Campaign.Status.CANCELLED


def _pause_after(polls: int) -> timedelta:
    doublings = 1 << min(polls, 12)
    return min(_FIRST_PAUSE * doublings, _LONGEST_PAUSE)


def _is_window_over(task: Task, *, now: datetime) -> bool:
    return now >= (task.asked_at or now) + settings.CAMPAIGN_OPEN_FOR


@transaction.atomic
def _put_off(task: Task, error: ChannelError, *, now: datetime) -> None:
    """Note why the look failed; the window closes all the same, also on what is never readable."""
    campaign = _lock(task)
    is_gone = isinstance(error, Stale) and _was_cancelled(task, campaign)
    task.problem = error.detail
    task.polls = min(task.polls + 1, _MOST_POLLS)
    task.is_settled = task.is_settled or is_gone or _is_window_over(task, now=now)
    pause = _pause_after(task.polls) if isinstance(error, RetryLater) else _LONGEST_PAUSE
    task.next_poll_at = None if task.is_settled else now + pause
    task.save(update_fields=["problem", "polls", "is_settled", "next_poll_at"])
    update_progress(campaign, now=now)


def _lock(task: Task) -> Campaign:
    """Lock the campaign and read the task again: another look may have been quicker."""
    campaign = Campaign.objects.select_for_update(of=["self"]).get(pk=task.campaign_id)
    task.refresh_from_db(
        fields=["status", "confirmed_at", "cancelled_at", "asked_at", "polls", "is_settled"]
    )
    return campaign
