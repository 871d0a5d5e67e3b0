"""The ticks of risk: what was said is taken in and screened."""

from collections import Counter
from datetime import datetime, timedelta

from risk.actions.archiving import pull_due_archives
from risk.actions.screening_messages import screen_due_messages
from scrm.jobs.ticks import tick


@tick("archive-pull", every=timedelta(seconds=2), queue="sync")
def pull_archives(*, now: datetime) -> Counter[str]:
    return pull_due_archives(now=now)


@tick("risk-screen", every=timedelta(seconds=2), queue="sync")
def screen_messages(*, now: datetime) -> Counter[str]:
    return screen_due_messages(now=now)
