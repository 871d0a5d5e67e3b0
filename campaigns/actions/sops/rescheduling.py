"""Moving what is still to come, when a step, the quiet hours or the anchor have changed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.actions.sops.enrolling import missed_before
from campaigns.actions.sops.schedule import due_params, due_sql
from campaigns.models import Sop


def reschedule_enrolments(sop: Sop, enrolment_ids: Collection[int], *, now: datetime) -> int:
    """Count the runs of these enrolments from their anchors again; the caller holds the SOP."""
    return _reschedule(sop, "e.id = ANY(%(chosen)s)", list(enrolment_ids), now=now)


def reschedule_steps(sop: Sop, step_ids: Collection[int], *, now: datetime) -> int:
    """Count the runs of these steps again, for everybody under way; the caller holds the SOP."""
    return _reschedule(sop, "s.id = ANY(%(chosen)s)", list(step_ids), now=now)


def _reschedule(sop: Sop, condition: str, chosen: list[int], *, now: datetime) -> int:
    """Move what nobody was asked for yet; what was missed, and lies ahead now, comes back."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RESCHEDULE.format(condition=condition, due=due_sql("e.anchor")),
            {**due_params(sop), "sop": sop.pk, "chosen": chosen, "now": now},
        )
        moved: int = cursor.rowcount
    return moved


def plan_new_steps(sop: Sop, step_ids: Collection[int], *, now: datetime) -> int:
    """Give everybody under way her runs of steps that were added; those in the past are missed."""
    given: dict[str, Any] = {
        **due_params(sop),
        "sop": sop.pk,
        "corp": sop.corp_id,
        "chosen": list(step_ids),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLAN_NEW.format(due=due_sql("e.anchor")), given)
        planned: int = cursor.rowcount
    return planned


def is_too_late(sop: Sop, due: datetime, *, now: datetime) -> bool:
    before = missed_before(sop, now=now)
    return before is not None and due < before


_RESCHEDULE = """
    UPDATE campaigns_steprun r
    SET due_at = m.due_at, look_at = m.due_at, status = 'pending', reason = '', settled_at = NULL
    FROM (
        SELECT e.id AS enrolment_id, s.id AS step_id, due.due_at
        FROM campaigns_enrolment e
        JOIN campaigns_step s ON s.sop_id = e.sop_id AND s.removed_at IS NULL
        {due}
        WHERE e.sop_id = %(sop)s AND e.status = 'active' AND {condition}
    ) AS m
    WHERE r.enrolment_id = m.enrolment_id AND r.step_id = m.step_id
        AND r.taken_at IS NULL AND r.due_at <> m.due_at
        AND (r.status = 'pending'
             OR (r.status = 'missed' AND r.reason = 'too_late' AND m.due_at > %(now)s))"""
_PLAN_NEW = """
    INSERT INTO campaigns_steprun
        (corp_id, enrolment_id, step_id, due_at, look_at, status, reason, detail, settled_at)
    SELECT %(corp)s, e.id, s.id, due.due_at, due.due_at,
        CASE WHEN due.due_at < %(now)s THEN 'missed' ELSE 'pending' END,
        CASE WHEN due.due_at < %(now)s THEN 'too_late' ELSE '' END, '',
        CASE WHEN due.due_at < %(now)s THEN %(now)s END
    FROM campaigns_enrolment e
    JOIN campaigns_step s ON s.sop_id = e.sop_id AND s.id = ANY(%(chosen)s)
    {due}
    WHERE e.sop_id = %(sop)s AND e.status = 'active'
    ON CONFLICT (enrolment_id, step_id) DO NOTHING"""
