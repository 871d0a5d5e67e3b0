"""Carrying out what is due: runs are claimed in batches, judged, and done or settled together.

A batch is one transaction, from the claim to the rows of the outbox: a worker that dies leaves its
runs as they were. Two workers never hold the same run (SKIP LOCKED). What goes out is an operation
of the outbox with a key of its own, so that staff are asked once. After a stand-still `skip` leaves
out what is older than the grace; `catch_up` does everything, the oldest first, and of several late
messages to one customer one each ten minutes.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from campaigns.actions.sops.doing import Desk, do_step
from campaigns.actions.sops.ending import EXIT_RULE, end_enrolments, finish_enrolments
from campaigns.actions.sops.guards import (
    GO,
    IN_HANDOVER,
    LATE_PAUSE,
    LATER,
    QUIET,
    UNREAD,
    Runs,
    StepRules,
    judge_runs,
    read_rules,
)
from campaigns.actions.sops.holding import share_unless_edited
from campaigns.actions.sops.schedule import QuietHours, after_quiet
from campaigns.actions.sops.settling import move_runs, postpone_runs, settle_runs
from campaigns.actions.sops.speaking import let_go_abandoned
from campaigns.models import Enrolment, Sop, Step, StepRun
from scrm.channels.pace import BUDGET, clock_from
from scrm.common.errors import DomainError

logger = logging.getLogger(__name__)

# Runs of one transaction: each message of a batch goes into one campaign per step and run of the
# tick, so that staff confirm one message and not one for each batch.
BATCH = 5_000
_WHILE_EDITED = timedelta(seconds=5)
_AFTER_FAILURE = timedelta(minutes=5)
_WHILE_HANDED_OVER = timedelta(minutes=5)
_UNTIL_READ = timedelta(seconds=3)


@dataclass(frozen=True)
class Claim:
    """The claimed runs of one step."""

    step_id: int
    run_ids: list[int]
    customer_ids: list[int]
    enrolment_ids: list[int]

    @property
    def runs(self) -> Runs:
        return Runs(self.run_ids, self.customer_ids)


def run_due_steps(*, now: datetime) -> Counter[str]:
    """Do what is due; returns how many runs came to what (`go`, `too_late`, `condition` …)."""
    clock = clock_from(now)
    desk = Desk(clock)
    counts: Counter[str] = Counter()
    let_go_abandoned(now=now)
    try:
        while clock() < now + BUDGET:
            batch = _take_batch(desk, now=clock())
            if batch is None:
                break
            counts += batch
    finally:
        desk.close()
    return counts


def _take_batch(desk: Desk, *, now: datetime) -> Counter[str] | None:
    with desk.keeping_step(), transaction.atomic():
        claims = _claim(now=now)
        if not claims:
            return None
        counts: Counter[str] = Counter()
        free = _steps_to_do([claim.step_id for claim in claims])
        for claim in claims:
            counts += _attend(claim, free.get(claim.step_id), desk, now=now)
        # At the end, and for all steps at once: enrolments are locked after everything else.
        _let_go(desk, now=now)
        finish_enrolments(_settled_of(claims), now=now)
    return counts


def _settled_of(claims: Sequence[Claim]) -> list[int]:
    """Enrolments with a run that was settled; those that wait for an answer go on for now."""
    ids = [pk for claim in claims for pk in claim.run_ids]
    settled = StepRun.objects.filter(pk__in=ids).exclude(status=StepRun.Status.PENDING)
    return list(settled.values_list("enrolment_id", flat=True).distinct())


def _let_go(desk: Desk, *, now: datetime) -> None:
    """End the enrolments of whom the exit rule means; what another worker holds it settles."""
    leaving, desk.leaving = desk.leaving, set()
    exited = Enrolment.Status.EXITED
    end_enrolments(leaving, status=exited, reason=EXIT_RULE, now=now, waits=False)


def _claim(*, now: datetime) -> list[Claim]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "most": BATCH})
        return [Claim(*row) for row in cursor.fetchall()]


_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id, step_id, enrolment_id, look_at FROM campaigns_steprun
        WHERE status = 'pending' AND taken_at IS NULL AND look_at <= %(now)s
        ORDER BY look_at, id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT due.step_id, array_agg(due.id), array_agg(e.customer_id), array_agg(e.id)
    FROM due JOIN campaigns_enrolment e ON e.id = due.enrolment_id
    GROUP BY due.step_id ORDER BY min(due.look_at), min(due.id)"""


def _steps_to_do(step_ids: Sequence[int]) -> dict[int, Step]:
    """The steps, as they stand, whose SOPs nobody is editing right now."""
    steps = Step.objects.filter(pk__in=step_ids)
    held = share_unless_edited(steps.values_list("sop_id", flat=True))
    # Read behind the lock: an editor may just have left.
    ready = steps.filter(sop__in=held).select_related("sop__corp")
    return {step.pk: step for step in ready}


def _attend(claim: Claim, step: Step | None, desk: Desk, *, now: datetime) -> Counter[str]:
    if step is None:
        postpone_runs(claim.runs, until=now + _WHILE_EDITED)
        return Counter(edited=len(claim.run_ids))
    if step.sop.status != Sop.Status.ACTIVE:
        postpone_runs(claim.runs, until=None)
        return Counter(paused=len(claim.run_ids))
    try:
        with desk.keeping_step(), transaction.atomic():
            return _carry_out(step, claim, desk, now=now)
    except DomainError as error:
        # A tag or a stage was deleted, a material archived: it will not be better later.
        settle_runs(
            claim.runs,
            StepRun.Status.FAILED,
            StepRun.Reason.INVALID,
            now=now,
            detail=error.detail,
        )
        return Counter(invalid=len(claim.run_ids))
    except Exception:
        # One step that fails must not stop the others; it is tried again later.
        logger.exception("A step could not be carried out", extra={"step": step.pk})
        postpone_runs(claim.runs, until=now + _AFTER_FAILURE)
        return Counter(failed=len(claim.run_ids))


def _carry_out(step: Step, claim: Claim, desk: Desk, *, now: datetime) -> Counter[str]:
    rules = _rules_of(step, desk)
    verdicts = judge_runs(step, claim.run_ids, claim.customer_ids, rules=rules, now=now)
    for word, runs in verdicts.items():
        if word == GO:
            do_step(step, runs, desk, now=now)
        elif word in _PAUSES:
            postpone_runs(runs, until=now + _PAUSES[word])
        elif word == QUIET:
            quiet = QuietHours.read(step.sop.quiet_hours)
            move_runs(runs, due_at=after_quiet(now, zone=step.sop.corp.zone, quiet=quiet))
        else:
            _settle(word, runs, claim, desk, now=now)
    return Counter({word: len(runs.ids) for word, runs in verdicts.items()})


_PAUSES = {LATER: LATE_PAUSE, IN_HANDOVER: _WHILE_HANDED_OVER, UNREAD: _UNTIL_READ}


def _settle(word: str, runs: Runs, claim: Claim, desk: Desk, *, now: datetime) -> None:
    is_missed = word == StepRun.Reason.TOO_LATE
    status = StepRun.Status.MISSED if is_missed else StepRun.Status.SKIPPED
    settle_runs(runs, status, word, now=now)
    if word == StepRun.Reason.EXITED:
        enrolments = dict(zip(claim.run_ids, claim.enrolment_ids, strict=True))
        desk.leaving.update(enrolments[pk] for pk in runs.ids)


def _rules_of(step: Step, desk: Desk) -> StepRules:
    key = (step.pk, step.sop.version)
    if key not in desk.rules:
        desk.rules[key] = read_rules(step)
    return desk.rules[key]
