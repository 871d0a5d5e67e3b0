"""Comparing everything with the platform, when somebody asks for it and every night."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Q
from django.utils.translation import gettext as _

from customers.actions.sync import PARTS as CUSTOMER_PARTS
from customers.actions.sync_run import Part, run_parts
from groups.actions.chat_walk import walk_groups
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

KIND = "sync"
# In this order: customers name staff and tags, groups name staff and customers.
PARTS: dict[str, Part] = {**CUSTOMER_PARTS, "groups": walk_groups}

# While the corp sleeps; what was down at four catches up before work begins.
_NIGHTLY_HOURS = range(4, 8)
_NIGHTLY_EVERY = timedelta(hours=20)
_AGAIN_AFTER = timedelta(minutes=30)


def register_jobs() -> None:
    register_job("sync.groups", partial(run_parts, {"groups": walk_groups}))
    register_job(KIND, _run_chosen_parts)


def start_sync(corp: Corp, *, now: datetime, only: Sequence[str] = ()) -> Job:
    """Queue a sync of everything, or of some parts; return the one under way, if there is one."""
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        message = _("%(unknown)s cannot be synced; there are: %(known)s.") % {
            "unknown": ", ".join(unknown),
            "known": ", ".join(PARTS),
        }
        raise InvalidInput(message, errors=(FieldProblem("/only", "unknown", message),))
    chosen = [name for name in PARTS if name in only]
    # As the subject, so that a sync of one part does not stand for one of everything.
    subject = ",".join(chosen)
    return start_job(KIND, corp=corp, now=now, subject_id=subject, params={"only": chosen})


def start_nightly_syncs(*, now: datetime) -> int:
    """Start a sync of every corp whose night it is and whose last one is most of a day old."""
    started = 0
    for corp in Corp.objects.order_by("pk"):
        if now.astimezone(corp.zone).hour in _NIGHTLY_HOURS and _is_due(corp, now=now):
            start_sync(corp, now=now)
            started += 1
    return started


def _is_due(corp: Corp, *, now: datetime) -> bool:
    syncs = Job.objects.for_corp(corp).filter(kind=KIND, subject_id="")
    # A platform that was away for a moment must not cost the night.
    given_up = Q(status=Job.Status.FAILED, created_at__lte=now - _AGAIN_AFTER)
    return not syncs.filter(created_at__gt=now - _NIGHTLY_EVERY).exclude(given_up).exists()


def _run_chosen_parts(job: Job, clock: Callable[[], datetime]) -> Outcome:
    only = job.params.get("only") or list(PARTS)
    return run_parts({name: PARTS[name] for name in only}, job, clock)
