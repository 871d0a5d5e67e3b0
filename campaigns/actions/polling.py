"""Looking on the platform what became of a campaign: who confirmed, and what reached whom.

The platform tells nothing by itself. Each task is looked at with growing pauses until it is
settled: everybody has an outcome, or the time in which staff may confirm is over.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from campaigns.actions.progress import update_progress
from campaigns.models import Campaign, Recipient, Task
from customers.actions.follows import end_follows
from customers.models import Follow
from scrm.channels.base import Channel, Delivery, SenderState
from scrm.channels.errors import ChannelError, RetryLater
from scrm.channels.opening import open_channel

_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)
_LEASE = timedelta(minutes=2)

# get_groupmsg_send_result [doc 93338]: 0 not sent, 1 sent, 2 no friend, 3 got others already.
_OUTCOMES = {
    1: Recipient.Status.DELIVERED,
    2: Recipient.Status.NOT_FRIEND,
    3: Recipient.Status.QUOTA,
}


def poll_due_tasks(*, now: datetime, limit: int = 200) -> int:
    """Look at the tasks whose next look is due; return how many were looked at."""
    task_ids = _claim(now=now, limit=limit)
    for task in Task.objects.filter(pk__in=task_ids).select_related("corp", "staff"):
        poll_task(task, now=now)
    return len(task_ids)


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
    except RetryLater as error:
        _put_off(task, now=now, problem=error.detail)
    except ChannelError as error:
        _put_off(task, now=now, problem=error.detail, pause=_LONGEST_PAUSE)
    else:
        apply_results(task, state, deliveries, now=now)


def _sender_state(channel: Channel, task: Task) -> SenderState | None:
    cursor = ""
    while True:
        page = channel.sender_states(task.msgid, cursor)
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
        page = channel.deliveries(task.msgid, task.staff.userid, cursor)
        yield from page.rows
        cursor = page.next_cursor
        if not cursor:
            return


@transaction.atomic
def apply_results(
    task: Task, state: SenderState | None, deliveries: list[Delivery], *, now: datetime
) -> None:
    """Write what the platform said; reading the same again changes nothing."""
    campaign = Campaign.objects.select_for_update(of=["self"]).get(pk=task.campaign_id)
    if state and state.is_confirmed:
        task.status = Task.Status.CONFIRMED
        task.confirmed_at = state.confirmed_at or task.confirmed_at or now
        Recipient.objects.filter(task=task, status=Recipient.Status.ASKED).update(
            status=Recipient.Status.CONFIRMED
        )
        write_deliveries(task, deliveries, now=now)
        _end_lost_follows(task, now=now)
    _note_look(task, campaign, now=now)
    update_progress(campaign, now=now)


def write_deliveries(task: Task, deliveries: list[Delivery], *, now: datetime) -> int:
    """One UPDATE for all rows of a task; returns how many customers it told something new."""
    known = [each for each in deliveries if each.status in _OUTCOMES]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_recipient r SET status = d.status, settled_at = coalesce(d.at, %s)"
            " FROM unnest(%s::text[], %s::text[], %s::timestamptz[])"
            "      AS d (external_userid, status, at)"
            " JOIN customers_customer c"
            "   ON c.corp_id = %s AND c.external_userid = d.external_userid"
            " WHERE r.task_id = %s AND r.customer_id = c.id AND r.status <> d.status",
            [
                now,
                [each.external_userid for each in known],
                [_OUTCOMES[each.status] for each in known],
                [each.sent_at for each in known],
                task.corp_id,
                task.pk,
            ],
        )
        written: int = cursor.rowcount
    return written


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
    end_follows(follow_ids, status=Follow.Status.DELETED_BY_CUSTOMER, now=now)


def _note_look(task: Task, campaign: Campaign, *, now: datetime) -> None:
    task.polls += 1
    task.problem = ""
    waiting = Recipient.objects.filter(
        task=task, status__in=[Recipient.Status.ASKED, Recipient.Status.CONFIRMED]
    )
    asked_at = task.asked_at or now
    is_over = now >= asked_at + settings.CAMPAIGN_OPEN_FOR or _was_cancelled(task, campaign)
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


def _put_off(task: Task, *, now: datetime, problem: str, pause: timedelta | None = None) -> None:
    Task.objects.filter(pk=task.pk).update(
        problem=problem,
        polls=task.polls + 1,
        next_poll_at=now + (pause or _pause_after(task.polls)),
    )
