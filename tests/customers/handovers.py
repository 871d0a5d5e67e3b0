"""What tests of handovers share: a leaver of the sandbox, and one round of the ticks."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from customers.actions.handover.plans import PlanWish, create_plan
from customers.actions.handover.polling import poll_due_legs
from customers.actions.handover.sending import send_due_items
from customers.models import Follow, HandoverItem, HandoverPlan
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.actions.refreshes import run_due_refreshes
from scrm.jobs.actions.running import run_due_jobs
from scrm.tenancy.models import Corp, Staff


def run_round(now: datetime) -> None:
    """Everything that is due, once."""
    run_due_jobs(clock=lambda: now)
    send_due_items(now=now)
    run_due_operations(now=now)
    poll_due_legs(now=now)
    run_due_refreshes(now=now)


def run_rounds(now: datetime, rounds: int = 4) -> datetime:
    """Several rounds, ten seconds apart; return the time after them."""
    for _ in range(rounds):
        run_round(now)
        now += timedelta(seconds=10)
    return now


def plan_of(corp: Corp, giver: Staff, *takers: Staff, now: datetime, **fields: Any) -> HandoverPlan:
    wish = PlanWish(
        **{
            "kind": "resigned",
            "from_userid": giver.userid,
            "to_userids": [taker.userid for taker in takers],
            **fields,
        }
    )
    return create_plan(wish, corp=corp, actor=SYSTEM, now=now)


def statuses(plan: HandoverPlan) -> Counter[str]:
    return Counter(plan.items.values_list("status", flat=True))


def reasons(plan: HandoverPlan) -> Counter[str]:
    return Counter(plan.items.values_list("reason", flat=True))


def items(plan: HandoverPlan) -> list[HandoverItem]:
    return list(plan.items.select_related("customer", "to_staff").order_by("pk"))


def reread(plan: HandoverPlan) -> HandoverPlan:
    return HandoverPlan.objects.get(pk=plan.pk)


def busiest(corp: Corp) -> list[Staff]:
    """Staff with customers, who has most first."""
    counts = Counter(Follow.objects.for_corp(corp).live().values_list("staff", flat=True))
    staff = Staff.objects.in_bulk([pk for pk, _ in counts.most_common()])
    return [staff[pk] for pk, _ in counts.most_common()]
