"""Messages of SOPs go out as campaigns: asking, polling, results and reminders are theirs.

A run of the tick opens one campaign for each step that speaks, adds the customers of its batches,
and lets it go at its end, so that a member of staff confirms one message. A campaign whose worker
died in between has its runs taken already: a later run of the tick lets it go.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.actions.asking import enqueue_tasks
from campaigns.actions.attaching import resolve_attachments
from campaigns.actions.progress import update_progress
from campaigns.actions.sops.ending import finish_enrolments
from campaigns.actions.sops.guards import Runs
from campaigns.actions.sops.settling import settle_runs
from campaigns.models import Campaign, Recipient, Step, StepRun

logger = logging.getLogger(__name__)

# A run of the tick lasts seconds: what is open for this long has lost its worker.
ABANDONED = timedelta(minutes=1)
GIVEN_UP = timedelta(hours=1)
_NAME_LENGTH = 128


def open_campaign(step: Step, *, now: datetime) -> Campaign:
    """A campaign for the step as it stands; without a lease, so that planning leaves it alone."""
    attachments = resolve_attachments(step.action.get("attachments") or [], corp=step.sop.corp)
    name = _("%(sop)s, step %(number)d") % {"sop": step.sop.name, "number": step.position + 1}
    return Campaign.objects.create(
        corp=step.sop.corp,
        sop_step=step,
        name=name[-_NAME_LENGTH:],
        content=step.action.get("content", ""),
        attachments=attachments,
        status=Campaign.Status.PLANNING,
        created_by="system:sop",
        submitted_by="system:sop",
        created_at=now,
        submitted_at=now,
        send_at=now,
    )


def add_recipients(campaign: Campaign, runs: Runs, *, now: datetime) -> None:
    """Add the customers, each through her member of staff, and mark the runs as taken."""
    given: dict[str, Any] = {
        "runs": runs.ids,
        "customers": runs.customer_ids,
        "staff": runs.staff_ids,
        "corp": campaign.corp_id,
        "campaign": campaign.pk,
        "most": settings.CUSTOMERS_PER_TASK,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADD, given)


_ADD = """
    WITH numbered AS MATERIALIZED (
        SELECT g.*, row_number() OVER (PARTITION BY g.staff_id ORDER BY g.customer_id) AS n
        FROM unnest(%(runs)s::bigint[], %(customers)s::bigint[], %(staff)s::bigint[])
            AS g (run_id, customer_id, staff_id)
    ), loads AS (
        SELECT staff_id, sum(size) AS size FROM campaigns_task
        WHERE campaign_id = %(campaign)s GROUP BY staff_id
    ), placed AS MATERIALIZED (
        SELECT p.*, (coalesce(l.size, 0) + p.n - 1) / %(most)s AS part
        FROM numbered p LEFT JOIN loads l USING (staff_id)
    ), tasks AS (
        INSERT INTO campaigns_task
            (corp_id, campaign_id, staff_id, part, size, msgid, status, polls, is_settled, problem)
        SELECT %(corp)s, %(campaign)s, staff_id, part, count(*), '', 'planned', 0, false, ''
        FROM placed GROUP BY staff_id, part
        ON CONFLICT (campaign_id, staff_id, part)
            DO UPDATE SET size = campaigns_task.size + excluded.size
        RETURNING id, staff_id, part
    ), added AS (
        INSERT INTO campaigns_recipient
            (corp_id, campaign_id, customer_id, staff_id, task_id, status, reason)
        SELECT %(corp)s, %(campaign)s, p.customer_id, p.staff_id, t.id, 'planned', ''
        FROM placed p JOIN tasks t ON t.staff_id = p.staff_id AND t.part = p.part
    )
    UPDATE campaigns_steprun r
    SET taken_at = %(now)s, campaign_id = %(campaign)s, staff_id = p.staff_id
    FROM placed p WHERE r.id = p.run_id"""


@transaction.atomic
def let_go(campaign: Campaign, *, now: datetime) -> None:
    """Have the staff asked, once."""
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.PLANNING or locked.planned_at is not None:
        return
    locked.planned_at = now
    locked.save(update_fields=["planned_at"])
    enqueue_tasks(locked, now=now)
    update_progress(locked, now=now)


def let_go_safely(campaign: Campaign, *, now: datetime) -> bool:
    """Have the staff asked; one campaign that cannot be let go must not stop the others.

    What fails for an hour is given up, with its reason on every run.
    """
    try:
        let_go(campaign, now=now)
    except Exception as error:
        logger.exception("A SOP's campaign was not let go", extra={"campaign": campaign.pk})
        if campaign.created_at < now - GIVEN_UP:
            _give_up(campaign, f"{type(error).__name__}: {error}", now=now)
        return False
    return True


def is_open(campaign: Campaign) -> bool:
    """Whether customers may still be added; the answer holds until the transaction ends."""
    unplanned = Campaign.objects.select_for_update(of=["self"], no_key=True).filter(
        pk=campaign.pk, status=Campaign.Status.PLANNING, planned_at=None
    )
    return bool(list(unplanned.values_list("pk", flat=True)))


@transaction.atomic
def _give_up(campaign: Campaign, problem: str, *, now: datetime) -> None:
    if not is_open(campaign):
        return
    Campaign.objects.filter(pk=campaign.pk).update(
        status=Campaign.Status.FAILED, problem=problem, finished_at=now
    )
    campaign.recipients.filter(status=Recipient.Status.PLANNED).update(
        status=Recipient.Status.FAILED, settled_at=now
    )
    taken = StepRun.objects.filter(campaign=campaign, status=StepRun.Status.PENDING)
    runs = list(taken.select_for_update(no_key=True).values_list("pk", "enrolment_id"))
    failed = Runs([pk for pk, _enrolment in runs])
    settle_runs(failed, StepRun.Status.FAILED, StepRun.Reason.INVALID, now=now, detail=problem)
    finish_enrolments([enrolment for _pk, enrolment in runs], now=now)


def let_go_abandoned(*, now: datetime) -> int:
    """Have staff asked for what a worker left open when it died; return how many campaigns."""
    left_open = Campaign.objects.filter(
        sop_step__isnull=False,
        status=Campaign.Status.PLANNING,
        planned_at=None,
        send_at__lt=now - ABANDONED,
    )
    return sum(let_go_safely(campaign, now=now) for campaign in left_open.order_by("pk"))
