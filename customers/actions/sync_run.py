"""What every part of a sync shares: its job, its platform, its bookmark, and patience."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection

from customers.actions.counts import Report
from customers.models import Customer, CustomerTagSet, Follow, TagAssignment
from scrm.channels.base import Channel
from scrm.channels.errors import RetryLater
from scrm.channels.opening import open_channel
from scrm.jobs.actions.running import Outcome, note_progress
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

T = TypeVar("T")

# A busy platform is waited for this often per question; half of a job's lease at most each time.
_WAITS = 5
_LONGEST_WAIT = timedelta(seconds=60)

_MANY_ROWS = 1000

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("sync_listener", default=None)


@contextmanager
def told(listener: Callable[[str], None]) -> Iterator[None]:
    """Tell `listener` how far the syncs run in this context have come."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@dataclass
class SyncRun:
    """One sync of one corp; `bookmark` survives the worker and is written with each step."""

    job: Job
    corp: Corp
    channel: Channel
    clock: Callable[[], datetime]
    wait: Callable[[float], None]
    bookmark: dict[str, Any]

    def ask(self, question: Callable[[], T]) -> T:
        """Ask the platform; while it is busy, wait as long as it wishes and ask again."""
        for _ in range(_WAITS):
            try:
                return question()
            except RetryLater as busy:
                self.note()
                self.wait(min(busy.delay, _LONGEST_WAIT).total_seconds())
        return question()

    def ask_in_a_row(self, question: Callable[[], T], /) -> T:
        """Ask one of many questions that belong to one step: the lease has to outlast them."""
        self.note()
        return self.ask(question)

    def expect(self, rows: int) -> None:
        """Say how many more rows there will be to read, as far as we know."""
        self.bookmark["expected"] = self.job.done + rows

    def note(self, *, read: int = 0, part: str = "") -> None:
        """Write the bookmark and renew the lease; inside the transaction of the step, if any."""
        done = self.job.done + read
        total = max(done, self.bookmark.get("expected", 0)) or None
        note_progress(self.job, now=self.clock(), done=done, total=total, state=self.bookmark)
        if read and (listener := _listener.get()):
            listener(f"{part}: {done}/{total}")

    def finish(self, part: str, report: Report) -> None:
        """Note that a part is done, with what it found."""
        self.bookmark.setdefault("reports", {})[part] = report
        self.bookmark.pop(part, None)
        self.note()


Part = Callable[[SyncRun], None]


def run_parts(
    parts: Mapping[str, Part],
    job: Job,
    clock: Callable[[], datetime],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Do the parts that are not done yet, one after the other, and report on all."""
    channel = open_channel(job.corp)
    # Wrong settings or no network are told at once, without patience.
    channel.check_credentials()
    run = SyncRun(job, job.corp, channel, clock, wait, bookmark=dict(job.state))
    for name, part in parts.items():
        if name not in run.bookmark.get("reports", {}):
            part(run)
    reports: dict[str, Report] = run.bookmark["reports"]
    report = {kind: counts for name in parts for kind, counts in reports[name].items()}
    _refresh_statistics(report)
    return Outcome(report, tuple(run.bookmark.get("errors", ())))


def _refresh_statistics(report: Report) -> None:
    """Tell PostgreSQL's planner of tables that a first sync has filled.

    Autovacuum comes a minute later or more. Until then the planner takes them for empty, and the
    first segment that is counted after a first sync takes seconds instead of milliseconds.
    """
    if sum(counts["created"] for counts in report.values()) < _MANY_ROWS:
        return
    tables = [model._meta.db_table for model in (Customer, Follow, TagAssignment, CustomerTagSet)]
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(tables)}")
