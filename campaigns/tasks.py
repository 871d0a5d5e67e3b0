"""Ticks of campaigns: start what is due, look for results."""

from datetime import datetime, timedelta

from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.polling import poll_due_tasks
from scrm.jobs.ticks import tick


@tick("campaigns-plan", every=timedelta(seconds=3), queue="delivery")
def plan_campaigns(*, now: datetime) -> int:
    return plan_due_campaigns(now=now)


@tick("campaigns-poll", every=timedelta(seconds=3), queue="sync")
def poll_campaigns(*, now: datetime) -> int:
    return poll_due_tasks(now=now)
