"""Looking on the platform how handovers ended; callbacks only say that it is worth a look.

A handover takes 24 hours. Each leg, from one member of staff to one taker, is read soon after it
was asked, hourly until 30 hours, then at growing distances until all its customers are settled.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min

from customers.actions.handover.results import apply_states
from customers.models import HandoverItem, HandoverLeg, HandoverLegQuerySet, HandoverPlan
from scrm.channels.base import TransferState
from scrm.channels.errors import ChannelError, RetryLater
from scrm.channels.opening import open_channel
from scrm.channels.pace import BUDGET, Clock, clock_from
from scrm.jobs.actions.running import Outcome, note_progress, start_job
from scrm.jobs.models import Job

logger = logging.getLogger(__name__)

REFRESH = "handover.refresh"

_LEASE = timedelta(minutes=2)
_AT_A_TIME = 10
_MOST_POLLS = 32_767  # what the column holds
_SOON = timedelta(minutes=10)
# (until this long after it was asked, look again after); later once a day.
_PAUSES = (
    (timedelta(hours=30), timedelta(hours=1)),
    (timedelta(hours=48), timedelta(hours=6)),
)
_LAST_PAUSE = timedelta(days=1)
_AFTER_TAKEOVER = timedelta(minutes=1)


def poll_due_legs(*, now: datetime, limit: int = 100) -> int:
    """Look at the legs whose next look is due; return how many were looked at."""
    clock = clock_from(now)
    looked = 0
    while looked < limit and clock() < now + BUDGET:
        leg_ids = _claim(now=clock(), limit=_AT_A_TIME)
        if not leg_ids:
            break
        for leg in _legs().filter(pk__in=leg_ids).order_by("pk"):
            _poll_safely(leg, clock=clock)
        looked += len(leg_ids)
    return looked


def poll_leg(leg: HandoverLeg, *, now: datetime) -> None:
    """Read all results between two members of staff and keep them; a refusal is noted."""
    try:
        states = _read(leg)
    except ChannelError as error:
        _put_off(leg, error, now=now)
    else:
        with transaction.atomic():
            apply_states(leg, states, now=now)
            _note_look(leg, now=now)


def refresh_plan(plan: HandoverPlan, *, now: datetime) -> Job:
    """Read the platform now, in a job; a second click finds the first job."""
    return start_job(REFRESH, corp=plan.corp, subject_id=str(plan.pk), now=now)


def run_refresh(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Look at every leg of the plan that is not settled."""
    plan_legs = _legs().filter(corp=job.corp_id, plan=int(job.subject_id))
    rest = plan_legs.filter(is_settled=False, pk__gt=job.state.get("after", 0))
    total = job.done + rest.count()
    for leg in rest.order_by("pk"):
        poll_leg(leg, now=clock())
        note_progress(job, now=clock(), done=job.done + 1, total=total, state={"after": leg.pk})
    problems = plan_legs.exclude(problem="").values_list("to_staff__userid", "problem")
    errors = tuple({"staff": userid, "message": problem} for userid, problem in problems)
    return Outcome({"legs": total}, errors)


def _legs() -> HandoverLegQuerySet:
    return HandoverLeg.objects.select_related("corp", "plan__from_staff", "to_staff")


def _poll_safely(leg: HandoverLeg, *, clock: Clock) -> None:
    try:
        poll_leg(leg, now=clock())
    except Exception:
        # One leg that cannot be read must not stop the others; its lease puts off the next look.
        logger.exception("Looking at a handover failed", extra={"leg": leg.pk})


@transaction.atomic
def _claim(*, now: datetime, limit: int) -> list[int]:
    # Pushed ahead before it is tried: a leg that kills its worker cannot stop the others.
    due = HandoverLeg.objects.to_poll(now).select_for_update(of=["self"], skip_locked=True)
    leg_ids = [leg.pk for leg in due[:limit]]
    HandoverLeg.objects.filter(pk__in=leg_ids).update(next_poll_at=now + _LEASE)
    return leg_ids


def _read(leg: HandoverLeg) -> list[TransferState]:
    """All pages; an empty cursor is the end, and so is one that comes back."""
    channel = open_channel(leg.corp)
    pair = leg.plan.from_staff.userid, leg.to_staff.userid
    states: list[TransferState] = []
    cursor, seen = "", {""}
    while True:
        page = channel.handover.transfer_states(*pair, cursor, is_resigned=leg.plan.is_resigned)
        states += page.rows
        if page.next_cursor in seen:
            return states
        seen.add(page.next_cursor)
        cursor = page.next_cursor


def _note_look(leg: HandoverLeg, *, now: datetime) -> None:
    leg.polls = min(leg.polls + 1, _MOST_POLLS)
    leg.problem = ""
    _plan_next_look(leg, now=now)


@transaction.atomic
def _put_off(leg: HandoverLeg, error: ChannelError, *, now: datetime) -> None:
    """Note why the look failed; after the last day what never could be read is settled all the
    same."""
    apply_states(leg, None, now=now)
    leg.polls = min(leg.polls + 1, _MOST_POLLS)
    leg.problem = error.detail
    _plan_next_look(leg, now=now, delay=error.delay if isinstance(error, RetryLater) else None)


def _plan_next_look(leg: HandoverLeg, *, now: datetime, delay: timedelta | None = None) -> None:
    waiting = HandoverItem.objects.filter(
        plan=leg.plan_id, to_staff=leg.to_staff_id, status=HandoverItem.Status.WAITING
    )
    times = waiting.aggregate(asked_at=Min("asked_at"))
    takeover = waiting.filter(takeover_at__gt=now).aggregate(first=Min("takeover_at"))["first"]
    asked_at = times["asked_at"]
    if asked_at is None:
        # Nothing waits here; `update_progress` settles the leg when nothing can come any more.
        leg.next_poll_at = None
    else:
        pause = delay or (_SOON if leg.polls < 2 else _pause_after(now - asked_at))
        looks = [now + pause, *([takeover + _AFTER_TAKEOVER] if takeover and not delay else [])]
        # A callback that came while the platform was read has pulled the next look near.
        stored = HandoverLeg.objects.select_for_update().get(pk=leg.pk).next_poll_at
        hints = [stored] if stored and stored != leg.next_poll_at else []
        leg.next_poll_at = min([*looks, *hints])
    leg.save(update_fields=["polls", "problem", "next_poll_at"])


def _pause_after(age: timedelta) -> timedelta:
    return next((pause for until, pause in _PAUSES if age < until), _LAST_PAUSE)
