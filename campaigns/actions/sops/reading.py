"""What became of SOPs, in rows that others can show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from campaigns.actions.sops.dates import anchor_of
from campaigns.models import Enrolment, Recipient, Sop, Step, StepRun
from customers.models import Customer
from scrm.tenancy.models import Scope

EVERYTHING = Scope(everything=True)


@dataclass(frozen=True)
class StepFigures:
    """How far a step has come with everybody; `asked` waits for the platform."""

    step: Step
    pending: int
    asked: int
    done: int
    skipped: int
    missed: int
    failed: int
    delivered: int | None
    reasons: dict[str, int]


def step_runs_of(customer: Customer) -> QuerySet[StepRun]:
    """All runs of one customer, over all SOPs."""
    runs = StepRun.objects.filter(enrolment__customer=customer)
    return runs.select_related("step__sop", "enrolment", "campaign", "staff")


def figures_of(sop: Sop, *, scope: Scope = EVERYTHING) -> list[StepFigures]:
    """One entry for each step that is still there: three statements for any number of runs."""
    steps = list(sop.steps.current())
    counts: dict[int, dict[str, int]] = {step.pk: {} for step in steps}
    reasons: dict[int, dict[str, int]] = {step.pk: {} for step in steps}
    rows = StepRun.objects.filter(step__in=steps).order_by()
    if not scope.everything:
        visible = Enrolment.objects.filter(sop=sop).in_scope(scope)
        rows = rows.filter(enrolment__in=visible.values("pk"))
    grouped = rows.values_list("step_id", "status", "reason").annotate(
        count=Count("pk"), taken=Count("pk", filter=Q(taken_at__isnull=False))
    )
    for step_id, status, reason, count, taken in grouped:
        here = counts[step_id]
        if status == StepRun.Status.PENDING:
            here["asked"] = here.get("asked", 0) + taken
            count -= taken  # noqa: PLW2901 — what is asked is not counted twice
        here[status] = here.get(status, 0) + count
        if reason:
            reasons[step_id][reason] = reasons[step_id].get(reason, 0) + count
    delivered = _delivered(steps, scope)
    return [
        StepFigures(
            step,
            **{word: counts[step.pk].get(word, 0) for word in _WORDS},
            delivered=delivered.get(step.pk, 0)
            if step.action["kind"] == Step.Action.MESSAGE
            else None,
            reasons=reasons[step.pk],
        )
        for step in steps
    ]


_WORDS = ("pending", "asked", "done", "skipped", "missed", "failed")


def _delivered(steps: list[Step], scope: Scope) -> dict[int, int]:
    reached = Recipient.objects.filter(
        campaign__sop_step__in=steps, status=Recipient.Status.DELIVERED
    )
    if not scope.everything:
        visible = Customer.objects.in_scope(scope).filter(pk=OuterRef("customer"))
        reached = reached.filter(Exists(visible))
    rows = reached.order_by().values_list("campaign__sop_step").annotate(Count("pk"))
    return dict(rows)


def enrolment_counts(enrolments: QuerySet[Enrolment]) -> dict[str, int]:
    counts = dict(enrolments.order_by().values_list("status").annotate(Count("pk")))
    return {status: counts.get(status, 0) for status in Enrolment.Status.values}


def explain_sop(customer: Customer, sop_id: int, now: datetime) -> dict[str, Any] | None:
    """Where the customer stands in a SOP and why; None when there is no such SOP."""
    sop = Sop.objects.for_corp(customer.corp).select_related("corp").filter(pk=sop_id).first()
    if sop is None:
        return None
    enrolment = Enrolment.objects.filter(sop=sop, customer=customer).order_by("-pk").first()
    is_enrolled = enrolment is not None and enrolment.status == Enrolment.Status.ACTIVE
    return {
        "sop": sop.pk,
        "status": sop.status,
        "matched": is_enrolled,
        "enrolled": is_enrolled,
        "enrolment": _told(enrolment) if enrolment else None,
        "reasons": [] if enrolment else list(_reasons(sop, customer, now=now)),
        "runs": [
            {
                "step": run.step_id,
                "due_at": run.due_at,
                "status": run.status,
                "reason": run.reason,
            }
            for run in enrolment.runs.order_by("due_at", "pk")
        ]
        if enrolment
        else [],
    }


def _told(enrolment: Enrolment) -> dict[str, Any]:
    names = ("status", "reason", "anchor", "trigger", "created_at", "ended_at")
    return {"id": enrolment.pk} | {name: getattr(enrolment, name) for name in names}


def _reasons(sop: Sop, customer: Customer, *, now: datetime) -> list[str]:
    """Why somebody is not in: words that a program can compare."""
    reasons = []
    if sop.status != Sop.Status.ACTIVE:
        reasons.append("sop_not_active")
    if not customer.live_follows:
        reasons.append("no_live_follow")
    is_dated = sop.trigger["type"] == Sop.Trigger.ATTRIBUTE_DATE
    if is_dated and anchor_of(sop, customer, now=now) is None:
        has_value = bool(customer.attributes.get(sop.trigger["attribute"]))
        reasons.append("not_a_date" if has_value else "no_date")
    return reasons or ["not_triggered"]
