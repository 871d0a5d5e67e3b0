"""The tick that takes up long work."""

from datetime import datetime, timedelta

from django.utils import timezone

from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.ticks import tick


@tick("jobs", every=timedelta(seconds=2), queue="sync")
def take_up_jobs(*, now: datetime) -> int:
    return run_due_jobs(clock=timezone.now)
