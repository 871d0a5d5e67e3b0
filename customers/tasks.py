"""Ticks of customers: handovers go on, and what the platform says of them is read."""

from datetime import datetime, timedelta

from customers.actions.handover.polling import poll_due_legs
from customers.actions.handover.sending import send_due_items
from customers.actions.handover.unassigned import start_everywhere
from customers.actions.stage_rules import start_nightly_runs
from scrm.jobs.ticks import tick


@tick("handover-ask", every=timedelta(seconds=2), queue="delivery")
def ask_for_handovers(*, now: datetime) -> int:
    return send_due_items(now=now)


@tick("handover-poll", every=timedelta(seconds=3), queue="sync")
def poll_handovers(*, now: datetime) -> int:
    return poll_due_legs(now=now)


@tick("handover-unassigned", every=timedelta(hours=6), queue="sync")
def read_unassigned(*, now: datetime) -> int:
    return start_everywhere(now=now)


@tick("stages-nightly", every=timedelta(minutes=10), queue="sync")
def judge_stages_at_night(*, now: datetime) -> int:
    return start_nightly_runs(now=now)
