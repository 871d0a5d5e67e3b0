"""Ticks that take up long work, and that clear away what is kept for a while only."""

from datetime import datetime, timedelta

from django.utils import timezone

from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.ticks import tick
from scrm.tenancy.actions.idempotent_calls import purge_idempotent_calls


@tick("jobs", every=timedelta(seconds=2), queue="sync")
def take_up_jobs(*, now: datetime) -> int:
    return run_due_jobs(clock=timezone.now)


@tick("housekeeping", every=timedelta(hours=1))
def clear_away(*, now: datetime) -> int:
    return purge_idempotent_calls(now=now)
