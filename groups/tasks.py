"""The ticks that compare corps with the platform: at night, and when callbacks have stopped."""

from datetime import datetime, timedelta

from groups.actions.reconciling import reconcile_silent_corps
from groups.actions.sync import start_nightly_syncs
from scrm.jobs.ticks import tick


@tick("sync-nightly", every=timedelta(minutes=10), queue="sync")
def start_syncs_at_night(*, now: datetime) -> int:
    return start_nightly_syncs(now=now)


@tick("inbox-silence", every=timedelta(minutes=10), queue="sync")
def sync_silent_corps(*, now: datetime) -> int:
    return reconcile_silent_corps(now=now)
