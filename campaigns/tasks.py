"""Ticks of campaigns and SOPs: start what is due, look for results."""

from datetime import datetime, timedelta

from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.polling import poll_due_tasks
from campaigns.actions.sops.dates import enrol_by_dates
from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.ending import exit_enrolments
from campaigns.actions.sops.triggers import enrol_from_facts
from scrm.jobs.ticks import tick


@tick("campaigns-plan", every=timedelta(seconds=3), queue="delivery")
def plan_campaigns(*, now: datetime) -> int:
    return plan_due_campaigns(now=now)


@tick("campaigns-poll", every=timedelta(seconds=3), queue="sync")
def poll_campaigns(*, now: datetime) -> int:
    return poll_due_tasks(now=now)


@tick("sops-enrol", every=timedelta(seconds=2), queue="delivery")
def enrol_in_sops(*, now: datetime) -> int:
    return enrol_from_facts(now=now)


@tick("sops-run", every=timedelta(seconds=2), queue="delivery")
def run_sops(*, now: datetime) -> dict[str, int]:
    return dict(run_due_steps(now=now))


@tick("sops-dates", every=timedelta(seconds=10), queue="delivery")
def enrol_by_changed_dates(*, now: datetime) -> int:
    return enrol_by_dates(now=now)


@tick("sops-dates-all", every=timedelta(hours=1), queue="sync")
def enrol_by_all_dates(*, now: datetime) -> int:
    return enrol_by_dates(now=now, everybody=True)


@tick("sops-exit", every=timedelta(minutes=1), queue="delivery")
def exit_sops(*, now: datetime) -> int:
    return exit_enrolments(now=now)
