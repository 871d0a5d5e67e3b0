"""What would happen to a customer who entered a SOP at some moment; nothing is done."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.actions.sops.dates import anchor_of
from campaigns.actions.sops.rescheduling import is_too_late
from campaigns.actions.sops.schedule import QuietHours, due_at
from campaigns.models import Sop, Step, StepRun
from customers.models import Customer


@dataclass(frozen=True)
class Foreseen:
    """A run as it would be planned."""

    step: Step
    due_at: datetime
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Simulation:
    """`anchor` is None when the customer has no date to count from."""

    anchor: datetime | None
    runs: list[Foreseen]


def simulate_sop(sop: Sop, customer: Customer, *, now: datetime) -> Simulation:
    """The runs in the order they would come; a SOP of a date counts from the customer's date."""
    is_dated = sop.trigger["type"] == Sop.Trigger.ATTRIBUTE_DATE
    anchor = anchor_of(sop, customer, now=now) if is_dated else now
    if anchor is None:
        return Simulation(None, [])
    zone, quiet = sop.corp.zone, QuietHours.read(sop.quiet_hours)
    runs = []
    for step in sop.steps.current():
        due = due_at(anchor, step, zone=zone, quiet=quiet)
        if is_too_late(sop, due, now=now):
            runs.append(Foreseen(step, due, StepRun.Status.MISSED, StepRun.Reason.TOO_LATE))
        else:
            runs.append(Foreseen(step, due, StepRun.Status.PENDING))
    return Simulation(anchor, sorted(runs, key=lambda run: (run.due_at, run.step.position)))
