"""What is judged at the moment a step is due: one verdict for each run, by one statement."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.actions.sops.enrolling import missed_before
from campaigns.actions.sops.schedule import QuietHours
from campaigns.models import Step, StepRun
from customers.actions.segments import CompiledRule, customers_of, validate_rule
from customers.models import HandoverItem

# What was due just before the quiet hours and is taken up seconds later still goes.
QUIET_SLACK = timedelta(minutes=5)
# Staff are told of customers by their names, which come a moment after the customer.
NAME_WITHIN = timedelta(minutes=1)
# Of several late messages one goes at a time, so that nobody is told everything at once.
LATE_PAUSE = timedelta(minutes=10)
CONTACT = (Step.Action.MESSAGE, Step.Action.TASK)

GO = "go"
LATER = "later"
QUIET = "quiet"
IN_HANDOVER = "wait_for_handover"
UNREAD = "wait_for_name"
WAITING = (LATER, QUIET, IN_HANDOVER, UNREAD)
R = StepRun.Reason


@dataclass(frozen=True)
class Runs:
    """Runs with the same verdict: parallel lists."""

    ids: list[int] = field(default_factory=list)
    customer_ids: list[int] = field(default_factory=list)
    staff_ids: list[int] = field(default_factory=list)


Verdicts = dict[str, Runs]


@dataclass(frozen=True)
class StepRules:
    """The rules of a step, read once for many batches."""

    exit: CompiledRule | None
    condition: CompiledRule | None


def read_rules(step: Step) -> StepRules:
    """Raises InvalidInput when a rule has lost its meaning (a tag was deleted)."""
    corp = step.sop.corp
    return StepRules(
        validate_rule(step.sop.exit, corp=corp, prefix="/exit") if step.sop.exit else None,
        validate_rule(step.condition, corp=corp, prefix="/condition") if step.condition else None,
    )


def judge_runs(
    step: Step,
    run_ids: Sequence[int],
    customer_ids: Sequence[int],
    *,
    rules: StepRules,
    now: datetime,
) -> Verdicts:
    """`go`, a word of `WAITING`, or the reason why not, each with its runs.

    The first reason that holds is told, in the order of the statement: who left, what is too late,
    what has to wait for the quiet hours, the condition, the relation, the handover, the staff.
    """
    sop, kind = step.sop, step.action["kind"]
    quiet = QuietHours.read(sop.quiet_hours)
    is_quiet = quiet is not None and quiet.end_after(now.astimezone(sop.corp.zone)) is not None
    given = {
        "runs": list(run_ids),
        "now": now,
        "corp": sop.corp_id,
        "leaving": _meant(rules.exit, step, customer_ids, now=now),
        "fitting": _meant(rules.condition, step, customer_ids, now=now),
        "has_condition": rules.condition is not None,
        "missed_before": missed_before(sop, now=now),
        "late_before": now - timedelta(minutes=sop.grace_minutes),
        "is_quiet": is_quiet,
        "slack": now - QUIET_SLACK,
        "is_contact": kind in CONTACT,
        "is_message": kind == Step.Action.MESSAGE,
        "is_task": kind == Step.Action.TASK,
        "named_after": now - NAME_WITHIN,
        "under_way": list(HandoverItem.UNDER_WAY),
        "pause": now - LATE_PAUSE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_JUDGE, given)
        rows = cursor.fetchall()
    verdicts: Verdicts = defaultdict(Runs)
    for verdict, ids, customers, staff in rows:
        verdicts[verdict] = Runs(ids, customers, staff)
    return verdicts


def _meant(
    rule: CompiledRule | None, step: Step, customer_ids: Collection[int], *, now: datetime
) -> list[int]:
    if rule is None:
        return []
    meant: Any = customers_of(rule, corp=step.sop.corp, now=now).filter(pk__in=customer_ids)
    return list(meant.values_list("pk", flat=True))


# Of the live follows: who can be asked, then who took her in, then who talked with her last.
_JUDGE = """
    SELECT verdict, array_agg(id), array_agg(customer_id), array_agg(staff_id)
    FROM (
        SELECT r.id, e.customer_id, f.staff_id, CASE
            WHEN e.status <> 'active' OR e.customer_id = ANY(%(leaving)s) THEN 'exited'
            WHEN r.due_at < %(missed_before)s THEN
                CASE WHEN %(is_contact)s AND h.customer_id IS NOT NULL THEN 'in_handover'
                     ELSE 'too_late' END
            WHEN %(is_quiet)s AND r.due_at < %(slack)s THEN 'quiet'
            WHEN c.live_follows = 0 OR f.staff_id IS NULL THEN 'no_live_follow'
            WHEN %(has_condition)s AND NOT e.customer_id = ANY(%(fitting)s) THEN 'condition'
            WHEN NOT %(is_contact)s THEN 'go'
            WHEN c.is_blocked THEN 'blocked'
            WHEN h.customer_id IS NOT NULL THEN 'wait_for_handover'
            WHEN NOT f.is_available THEN 'staff_unavailable'
            WHEN EXISTS (
                SELECT FROM campaigns_enrolment x
                JOIN campaigns_steprun o ON o.enrolment_id = x.id AND o.step_id = r.step_id
                WHERE x.sop_id = e.sop_id AND x.customer_id = e.customer_id AND x.id <> e.id
                    AND x.anchor = e.anchor AND (o.status = 'done' OR o.taken_at IS NOT NULL)
            ) THEN 'repeated'
            WHEN %(is_message)s AND r.due_at < %(late_before)s AND EXISTS (
                SELECT FROM campaigns_steprun o
                WHERE o.enrolment_id = e.id AND o.id <> r.id AND o.campaign_id IS NOT NULL
                    AND o.taken_at > %(pause)s
            ) THEN 'later'
            WHEN %(is_task)s AND c.name = '' AND r.due_at > %(named_after)s THEN 'wait_for_name'
            ELSE 'go' END AS verdict
        FROM campaigns_steprun r
        JOIN campaigns_enrolment e ON e.id = r.enrolment_id
        JOIN customers_customer c ON c.id = e.customer_id
        LEFT JOIN (
            SELECT DISTINCT i.customer_id FROM customers_handoveritem i
            WHERE i.corp_id = %(corp)s AND i.status = ANY(%(under_way)s)
                AND i.customer_id IS NOT NULL
        ) AS h ON h.customer_id = c.id
        LEFT JOIN LATERAL (
            SELECT l.staff_id, s.status = 'active' AND s.leaving_since IS NULL AS is_available
            FROM customers_follow l JOIN tenancy_staff s ON s.id = l.staff_id
            WHERE l.corp_id = %(corp)s AND l.customer_id = c.id AND l.status = 'live'
            ORDER BY 2 DESC, (l.staff_id = e.staff_id) DESC NULLS LAST,
                l.last_interaction_at DESC NULLS LAST, l.added_at DESC, l.id DESC
            LIMIT 1
        ) AS f ON true
        WHERE r.id = ANY(%(runs)s)
    ) AS judged
    GROUP BY verdict"""
