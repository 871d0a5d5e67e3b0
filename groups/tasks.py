"""The tick that compares every corp with the platform at night."""

from datetime import datetime, timedelta

from groups.actions.sync import start_nightly_syncs
from scrm.jobs.ticks import tick


@tick("sync-nightly", every=timedelta(minutes=10), queue="sync")
def start_syncs_at_night(*, now: datetime) -> int:
    return start_nightly_syncs(now=now)
