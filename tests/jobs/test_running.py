"""Long work: started once, taken up again after a crash, never written by two workers."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from scrm.common.errors import DomainError
from scrm.jobs.actions import running
from scrm.jobs.actions.running import (
    LEASE,
    MAX_ATTEMPTS,
    NotYet,
    Outcome,
    Work,
    claim_job,
    note_progress,
    register_job,
    run_due_jobs,
    run_job,
    start_job,
)
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.factories import make_corp


@pytest.fixture
def work() -> Iterator[Callable[[Work], None]]:
    """Say what the kind «test» does, for this test only."""
    yield lambda function: register_job("test", function)
    running._works.pop("test", None)


def finish(job: Job, clock: Callable[[], datetime]) -> Outcome:
    return Outcome({"rows": 3})


def test_a_second_click_finds_the_first_job(corp: Corp, now: datetime) -> None:
    first = start_job("test", corp=corp, subject_id="7", now=now)

    assert start_job("test", corp=corp, subject_id="7", now=now) == first
    assert start_job("test", corp=corp, subject_id="8", now=now) != first
    assert start_job("test", corp=make_corp(), subject_id="7", now=now) != first


def test_a_finished_job_says_what_it_found(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    work(finish)
    job = start_job("test", corp=corp, now=now)

    assert run_due_jobs(clock=lambda: now) == 1

    job.refresh_from_db()
    assert (job.status, job.report, job.finished_at) == (Job.Status.SUCCEEDED, {"rows": 3}, now)
    assert start_job("test", corp=corp, now=now) != job


def test_a_refusal_is_written_into_the_job(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    def refuse(job: Job, clock: Callable[[], datetime]) -> Outcome:
        raise DomainError("The platform says no.")

    work(refuse)
    job = start_job("test", corp=corp, now=now)

    run_due_jobs(clock=lambda: now)

    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert job.errors == [{"message": "The platform says no."}]


def test_what_fails_unexpectedly_is_tried_again_and_given_up(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    def stumble(job: Job, clock: Callable[[], datetime]) -> Outcome:
        raise RuntimeError("boom")

    work(stumble)
    job = start_job("test", corp=corp, now=now)

    for attempt in range(MAX_ATTEMPTS):
        job.refresh_from_db()
        assert job.status == Job.Status.QUEUED
        later = now + timedelta(hours=attempt)
        run_due_jobs(clock=lambda at=later: at)  # type: ignore[misc]

    job.refresh_from_db()
    assert job.status == Job.Status.FAILED


def test_a_job_that_fails_at_the_same_place_each_time_is_given_up(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    def stumble(job: Job, clock: Callable[[], datetime]) -> Outcome:
        note_progress(job, now=clock(), done=40, state={"after": 40})
        raise RuntimeError("boom")

    work(stumble)
    job = start_job("test", corp=corp, now=now)

    for attempt in range(MAX_ATTEMPTS + 1):
        later = now + timedelta(hours=attempt)
        run_due_jobs(clock=lambda at=later: at)  # type: ignore[misc]

    job.refresh_from_db()
    assert job.status == Job.Status.FAILED


def test_a_job_that_waits_is_taken_up_again_at_its_time(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    def wait(job: Job, clock: Callable[[], datetime]) -> Outcome:
        raise NotYet(now + timedelta(seconds=30))

    work(wait)
    start_job("test", corp=corp, now=now)

    assert run_due_jobs(clock=lambda: now) == 1
    assert claim_job(now=now + timedelta(seconds=29)) is None
    assert claim_job(now=now + timedelta(seconds=30)) is not None


def test_a_dead_workers_job_goes_on_from_its_bookmark(corp: Corp, now: datetime) -> None:
    start_job("test", corp=corp, now=now)
    dead = claim_job(now=now)
    assert dead
    note_progress(dead, now=now, done=40, total=100, state={"after": 40})

    assert claim_job(now=now + LEASE) is None
    heir = claim_job(now=now + LEASE + timedelta(seconds=1))

    assert heir
    assert (heir.done, heir.state, heir.attempts) == (40, {"after": 40}, 2)


def test_a_worker_that_was_too_slow_writes_nothing_any_more(
    corp: Corp, now: datetime, work: Callable[[Work], None]
) -> None:
    work(finish)
    start_job("test", corp=corp, now=now)
    slow = claim_job(now=now)
    later = now + LEASE + timedelta(seconds=1)
    heir = claim_job(now=later)
    assert slow
    assert heir
    note_progress(heir, now=later, done=5, state={"after": 5})

    run_job(slow, clock=lambda: later)

    heir.refresh_from_db()
    assert (heir.status, heir.done, heir.report) == (Job.Status.RUNNING, 5, {})


def test_a_job_that_kills_its_worker_each_time_is_given_up(corp: Corp, now: datetime) -> None:
    job = start_job("test", corp=corp, now=now)
    for attempt in range(MAX_ATTEMPTS):
        assert claim_job(now=now + attempt * 2 * LEASE), "the last worker is dead"

    assert claim_job(now=now + MAX_ATTEMPTS * 2 * LEASE) is None

    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert job.errors
