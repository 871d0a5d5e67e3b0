"""Turning a scheduled campaign into recipients and tasks, chunk by chunk, without leaving SQL.

Guarantees: a customer or chat is planned at most once per campaign (constraints); a worker that
dies leaves whole chunks behind, and the next one goes on after the last; a campaign that is
cancelled stops at the chunk it is in.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Max, Min
from django.utils.translation import gettext as _

from campaigns.actions.asking import enqueue_tasks
from campaigns.actions.audience import Audience, audience_of, verdicts_sql
from campaigns.actions.progress import update_progress
from campaigns.actions.screening import raise_stopped_send, screen_campaign
from campaigns.models import Campaign
from scrm.channels.pace import Clock, clock_from
from scrm.common.errors import DomainError

logger = logging.getLogger(__name__)

# Rows of one transaction: large enough for the speed of INSERT … SELECT, small enough that a
# crash loses little and a cancellation is heard soon.
CHUNK = 10_000
LEASE = timedelta(minutes=2)


def plan_due_campaigns(*, now: datetime, limit: int = 20) -> int:
    """Plan every campaign whose time has come; return how many were taken up."""
    clock = clock_from(now)
    taken = 0
    while taken < limit and (campaign := _claim(now=clock())):
        try:
            plan_campaign(campaign, clock=clock)
        except Exception:
            # One that cannot be planned must not stop the others; its lease puts off the next try.
            logger.exception("Planning failed", extra={"campaign": campaign.pk})
        taken += 1
    return taken


@transaction.atomic
def _claim(*, now: datetime) -> Campaign | None:
    due = Campaign.objects.to_plan(now).select_for_update(of=["self"], skip_locked=True)
    campaign = due.first()
    if campaign is None:
        return None
    campaign.status = Campaign.Status.PLANNING
    campaign.lease_until = now + LEASE
    campaign.save(update_fields=["status", "lease_until"])
    return campaign


def plan_campaign(campaign: Campaign, *, clock: Clock) -> None:
    """Plan a claimed campaign to its end and queue one request per task.

    A rule that has lost its meaning since it was submitted (a tag was deleted) fails the campaign,
    and so does a text that the rules of risk have come to forbid.
    """
    if _was_stopped(campaign, now=clock()):
        return
    try:
        audience = audience_of(campaign, now=_moment_of(campaign))
    except DomainError as error:
        _fail(campaign, problem=error.detail, now=clock())
        return
    for upper in _chunk_ends(campaign, audience):
        if not _plan_chunk(campaign, audience, upper=upper, now=clock()):
            return
    _finish_planning(campaign, now=clock())


def _moment_of(campaign: Campaign) -> datetime:
    """When the rule is judged: the same however late or often planning is taken up."""
    moments = [moment for moment in (campaign.send_at, campaign.submitted_at) if moment]
    return max(moments, default=campaign.created_at)


@transaction.atomic
def _fail(campaign: Campaign, *, problem: str, now: datetime) -> None:
    unplanned = Campaign.objects.filter(
        pk=campaign.pk, status=Campaign.Status.PLANNING, planned_at=None
    )
    unplanned.update(
        status=Campaign.Status.FAILED, problem=problem, finished_at=now, lease_until=None
    )


@transaction.atomic
def _was_stopped(campaign: Campaign, *, now: datetime) -> bool:
    """Fail the campaign if it must not be said any more; the rules may have changed meanwhile."""
    screened = screen_campaign(campaign)
    if not screened.is_blocked:
        return False
    raise_stopped_send(screened, campaign=campaign, now=now)
    problem = _("It was stopped before it went: %(reasons)s") % {"reasons": screened.words}
    _fail(campaign, problem=problem, now=now)
    return True


def _chunk_ends(campaign: Campaign, audience: Audience) -> list[int]:
    """Ids of customers or chats at which chunks end: ranges, so that the whole is one pass.

    (Chunks by LIMIT would run the rule from the start for each.)
    """
    rest = audience.filter(pk__gt=campaign.planned_up_to)
    span = rest.aggregate(count=Count("pk"), first=Min("pk"), last=Max("pk"))
    if not span["count"]:
        return []
    chunks = -(-span["count"] // CHUNK)
    width = -(-(span["last"] - span["first"] + 1) // chunks)
    return [min(span["first"] + width * n - 1, span["last"]) for n in range(1, chunks + 1)]


@transaction.atomic
def _plan_chunk(campaign: Campaign, audience: Audience, *, upper: int, now: datetime) -> bool:
    """Plan the audience up to `upper`; False when it was cancelled or planned meanwhile."""
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.PLANNING or locked.planned_at is not None:
        return False
    if locked.planned_up_to < upper:
        part = audience.filter(pk__gt=locked.planned_up_to, pk__lte=upper)
        insert_recipients(campaign, part)
        Campaign.objects.filter(pk=campaign.pk).update(planned_up_to=upper, lease_until=now + LEASE)
    return True


def insert_recipients(campaign: Campaign, audience: Audience) -> int:
    """Insert the verdicts on `audience` and the tasks of their senders, in one statement.

    A sender's customers or chats are counted through over all chunks (`size`), so that no task
    holds more than the platform takes in one call.
    """
    verdicts = verdicts_sql(campaign, audience)
    column, once, most = _CHATS if campaign.is_to_chats else _CUSTOMERS
    sql = f"""
        WITH verdicts AS (
            SELECT *, row_number() OVER (PARTITION BY staff_id, status ORDER BY subject_id) AS n
            FROM ({verdicts.sql}) AS v
        ), loads AS (
            SELECT staff_id, sum(size) AS size FROM campaigns_task
            WHERE campaign_id = %s GROUP BY staff_id
        ), placed AS (
            SELECT v.*, CASE WHEN v.status = 'planned'
                THEN (coalesce(l.size, 0) + v.n - 1) / %s END AS part
            FROM verdicts v LEFT JOIN loads l USING (staff_id)
        ), tasks AS (
            INSERT INTO campaigns_task
                (corp_id, campaign_id, staff_id, part, size, msgid, status, polls, is_settled,
                 problem)
            SELECT %s, %s, staff_id, part, count(*), '', 'planned', 0, false, ''
            FROM placed WHERE status = 'planned' GROUP BY staff_id, part
            ON CONFLICT (campaign_id, staff_id, part)
                DO UPDATE SET size = campaigns_task.size + excluded.size
            RETURNING id, staff_id, part
        )
        INSERT INTO campaigns_recipient
            (corp_id, campaign_id, {column}, staff_id, task_id, status, reason)
        SELECT %s, %s, p.subject_id, p.staff_id, t.id, p.status, p.reason
        FROM placed p LEFT JOIN tasks t ON t.staff_id = p.staff_id AND t.part = p.part
        ON CONFLICT {once} DO NOTHING"""  # noqa: S608
    ids = (campaign.corp_id, campaign.pk)
    params = (*verdicts.params, campaign.pk, getattr(settings, most), *ids, *ids)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        inserted: int = cursor.rowcount
    return inserted


# The column that names the recipient, what makes it unique, and how many one request takes.
_CUSTOMERS = ("customer_id", "(campaign_id, customer_id)", "CUSTOMERS_PER_TASK")
_CHATS = ("chat_id", "(campaign_id, chat_id) WHERE chat_id IS NOT NULL", "CHATS_PER_TASK")


@transaction.atomic
def _finish_planning(campaign: Campaign, *, now: datetime) -> None:
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.PLANNING or locked.planned_at is not None:
        return
    locked.planned_at, locked.lease_until = now, None
    if not locked.tasks.exists():
        locked.status, locked.finished_at = Campaign.Status.FAILED, now
        locked.problem = _("By the time it was due, nobody was left to send it to.")
    locked.save(update_fields=["planned_at", "lease_until", "status", "finished_at", "problem"])
    enqueue_tasks(locked, now=now)
    update_progress(locked, now=now)
