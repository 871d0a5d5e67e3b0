"""Long work of our own: started once, run by whoever comes first, taken up again after a crash."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from scrm.common.errors import DomainError
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

# A worker that is alive renews its lease with every step it notes (`note_progress`).
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class Outcome:
    """What a finished job says: a report, and errors of single items (then it is `partial`)."""

    report: dict[str, Any]
    errors: tuple[dict[str, Any], ...] = ()


class NotYet(Exception):
    """Raised by a job that waits for something else: take it up again at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class JobTakenOver(Exception):
    """This worker was so slow that another one has taken the job up: leave it alone."""


Work = Callable[[Job, Callable[[], datetime]], Outcome]
_works: dict[str, Work] = {}


def register_job(kind: str, work: Work) -> None:
    """`work(job, clock)` does the job from its bookmark `job.state` on."""
    _works[kind] = work


def start_job(
    kind: str,
    *,
    corp: Corp,
    now: datetime,
    subject_id: str = "",
    params: dict[str, Any] | None = None,
) -> Job:
    """Queue a job; while one of the same kind and subject is unfinished, return that one."""
    defaults = {"params": params or {}, "created_at": now, "due_at": now}
    unfinished = Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    # get_or_create: a second click that comes at the same moment meets the constraint and
    # finds the job of the first.
    job, _created = unfinished.get_or_create(
        corp=corp, kind=kind, subject_id=subject_id, defaults=defaults
    )
    return job


def run_due_jobs(*, clock: Callable[[], datetime], limit: int = 10) -> int:
    """Claim and run due jobs one after the other; return how many were run."""
    done = 0
    while done < limit and (job := claim_job(now=clock())):
        run_job(job, clock=clock)
        done += 1
    return done


def claim_job(*, now: datetime, pk: int | None = None) -> Job | None:
    """Take the job that waited longest (or the one named) for this worker."""
    with transaction.atomic():
        due = Job.objects.due(now).select_for_update(skip_locked=True).select_related(None)
        job = (due.filter(pk=pk) if pk else due).first()
        if job is None:
            return None
        if job.attempts >= MAX_ATTEMPTS:
            # Its worker died each time, without a word: it is not taken up for ever.
            _give_up(job, now=now)
            return None
        job.status = Job.Status.RUNNING
        job.started_at = job.started_at or now
        job.claimed_at, job.lease_until = now, now + LEASE
        job.attempts += 1
        job.save(update_fields=["status", "started_at", "claimed_at", "lease_until", "attempts"])
    return job


def run_job(job: Job, *, clock: Callable[[], datetime]) -> Job:
    """Do a claimed job to its end; what goes wrong is written into it, not raised."""
    with suppress(JobTakenOver):
        _run(job, clock=clock)
    return job


def _run(job: Job, *, clock: Callable[[], datetime]) -> None:
    try:
        outcome = _works[job.kind](job, clock)
    except NotYet as wait:
        _put_back(job, until=wait.until, attempts=0)
    except JobTakenOver:
        raise
    except DomainError as error:
        _finish(job, Job.Status.FAILED, Outcome({}, ({"message": error.detail},)), now=clock())
    except Exception:
        # A job that fails unexpectedly must not stop the loop; it is tried again from its bookmark.
        logger.exception("Job failed", extra={"job": job.pk, "kind": job.kind})
        _try_again(job, now=clock())
    else:
        status = Job.Status.PARTIAL if outcome.errors else Job.Status.SUCCEEDED
        _finish(job, status, outcome, now=clock())


def note_progress(
    job: Job, *, now: datetime, done: int, total: int | None = None, state: dict[str, Any]
) -> None:
    """Write the bookmark; call it in the transaction of the step, so that neither is lost.

    Raises JobTakenOver, and so undoes the step, when another worker is at the job by now.
    """
    total = total if total is not None else job.total
    # A step forward: whatever stopped the job before did not stop it for good. A bookmark written
    # on the spot is none, or a job that always fails at the same place would be tried for ever.
    attempts = 1 if done > job.done else job.attempts
    _write(job, done=done, total=total, state=state, lease_until=now + LEASE, attempts=attempts)


def _give_up(job: Job, *, now: datetime) -> None:
    job.status, job.finished_at, job.lease_until = Job.Status.FAILED, now, None
    job.errors = [{"message": "Its worker died each time; see the server's log."}]
    job.save(update_fields=["status", "finished_at", "lease_until", "errors"])


def _try_again(job: Job, *, now: datetime) -> None:
    if job.attempts >= MAX_ATTEMPTS:
        message = "Failed again and again; see the server's log."
        _finish(job, Job.Status.FAILED, Outcome({}, ({"message": message},)), now=now)
        return
    _put_back(job, until=now + timedelta(seconds=5 * 2**job.attempts), attempts=job.attempts)


def _put_back(job: Job, *, until: datetime, attempts: int) -> None:
    _write(job, status=Job.Status.QUEUED, due_at=until, lease_until=None, attempts=attempts)


def _finish(job: Job, status: Job.Status, outcome: Outcome, *, now: datetime) -> None:
    _write(
        job,
        status=status,
        report=outcome.report,
        errors=list(outcome.errors),
        finished_at=now,
        lease_until=None,
    )


def _write(job: Job, **fields: Any) -> None:
    """Write onto the job if it still is this worker's: claimed with the same start."""
    mine = Job.objects.filter(
        pk=job.pk, status=Job.Status.RUNNING, attempts=job.attempts, claimed_at=job.claimed_at
    )
    if not mine.update(**fields):
        raise JobTakenOver
    for name, value in fields.items():
        setattr(job, name, value)
