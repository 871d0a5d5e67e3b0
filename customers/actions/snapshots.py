"""Snapshots of segments: whom a rule meant at a moment, what changed between two, who moves."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from customers.actions.segments import customers_as_of, customers_of, validate_rule
from customers.models import (
    Customer,
    CustomerQuerySet,
    Segment,
    SegmentSnapshot,
    SnapshotMember,
)
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

TAKING, NIGHTLY = "segments.snapshot", "segments.nightly"
# A snapshot of more customers than this is taken by a job: nobody waits for it.
MOST_AT_ONCE = 50_000
_NIGHTLY_HOURS = range(4, 8)
_NIGHTLY_EVERY = timedelta(hours=20)


class Side(StrEnum):
    """What became of a customer between two snapshots."""

    GAINED = "gained"
    LOST = "lost"
    STAYED = "stayed"


@dataclass(frozen=True)
class Difference:
    gained: int
    lost: int
    stayed: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@transaction.atomic
def take_snapshot(
    segment: Segment,
    *,
    actor: Actor,
    now: datetime,
    as_of: datetime | None = None,
) -> SegmentSnapshot:
    """Keep whom the segment means now, or meant at a past moment; one statement for any number.

    Raises InvalidInput when the rule cannot be read any more, or not be asked about the past.
    """
    snapshot = _freeze(segment, as_of=as_of, now=now)
    data = {"snapshot": snapshot.pk, "as_of": snapshot.as_of.isoformat(), "count": snapshot.count}
    record(
        "segments.snapshot_taken",
        actor=actor,
        corp=segment.corp,
        subject=segment,
        now=now,
        data=data,
    )
    return snapshot


def start_or_take_snapshot(
    segment: Segment, *, actor: Actor, now: datetime, as_of: datetime | None = None
) -> SegmentSnapshot | Job:
    """Take a snapshot at once, or start the job that takes a large one."""
    meant = meant_by(segment, as_of=as_of, now=now)
    if meant.values("pk")[: MOST_AT_ONCE + 1].count() <= MOST_AT_ONCE:
        return take_snapshot(segment, actor=actor, now=now, as_of=as_of)
    params = {"as_of": as_of.isoformat() if as_of else None, "actor": asdict(actor)}
    return start_job(TAKING, corp=segment.corp, now=now, subject_id=str(segment.pk), params=params)


def meant_by(segment: Segment, *, as_of: datetime | None, now: datetime) -> CustomerQuerySet:
    """Whom a saved segment means now, or meant at a moment."""
    rule = validate_rule(segment.rule, corp=segment.corp, inside=segment)
    if as_of is None:
        return customers_of(rule, corp=segment.corp, now=now)
    return customers_as_of(rule, corp=segment.corp, as_of=as_of, now=now)


def members_of(snapshot: SegmentSnapshot) -> CustomerQuerySet:
    """The customers of a snapshot, as rows of today."""
    members = SnapshotMember.objects.filter(snapshot=snapshot, customer=OuterRef("pk"))
    return Customer.objects.for_corp(snapshot.corp).filter(Exists(members))


def compare_snapshots(before: SegmentSnapshot, after: SegmentSnapshot) -> Difference:
    """How many came, went and stayed; of one segment, or of two."""
    stayed = changed_between(before, after, side=Side.STAYED).count()
    # What a snapshot counted; customers who were erased since are in none of the two.
    kept = SnapshotMember.objects.filter(snapshot=before).count()
    come = SnapshotMember.objects.filter(snapshot=after).count()
    return Difference(gained=come - stayed, lost=kept - stayed, stayed=stayed)


def changed_between(
    before: SegmentSnapshot, after: SegmentSnapshot, *, side: Side
) -> CustomerQuerySet:
    """The customers on one side of the comparison."""
    was = Exists(SnapshotMember.objects.filter(snapshot=before, customer=OuterRef("pk")))
    is_now = Exists(SnapshotMember.objects.filter(snapshot=after, customer=OuterRef("pk")))
    tests = {Side.GAINED: (~was, is_now), Side.LOST: (was, ~is_now), Side.STAYED: (was, is_now)}
    return Customer.objects.for_corp(after.corp).filter(*tests[side])


def get_snapshot(corp: Corp, pk: int, *, path: str, segment: Segment) -> SegmentSnapshot:
    """A snapshot of the segment; raises InvalidInput at `path`."""
    found = SegmentSnapshot.objects.for_corp(corp).filter(pk=pk, segment=segment)
    if (snapshot := found.select_related("corp", "segment").first()) is None:
        message = _("There is no such snapshot of this segment.")
        raise InvalidInput(message, errors=(FieldProblem(path, "unknown", message),))
    return snapshot


# --- every night ---------------------------------------------------------------------------------
def start_nightly_snapshots(*, now: datetime) -> int:
    """Start a run for every corp with watched segments whose night it is."""
    started = 0
    watched = Segment.objects.filter(is_watched=True).values("corp")
    for corp in Corp.objects.filter(pk__in=watched).order_by("pk"):
        runs = Job.objects.for_corp(corp).filter(kind=NIGHTLY, created_at__gt=now - _NIGHTLY_EVERY)
        if now.astimezone(corp.zone).hour in _NIGHTLY_HOURS and not runs.exists():
            start_job(NIGHTLY, corp=corp, now=now)
            started += 1
    return started


@transaction.atomic
def note_moves(segment: Segment, *, now: datetime) -> Difference:
    """Keep tonight's members of a watched segment, and who entered and left since last night.

    The first night only keeps: everybody would seem to have entered. The night before is needed
    no longer; the moves tell what it was.
    """
    # Two workers at once: the second compares with what the first has kept.
    Segment.objects.select_for_update(of=["self"]).get(pk=segment.pk)
    nights = SegmentSnapshot.objects.filter(segment=segment, is_nightly=True)
    before = nights.order_by("-taken_at", "-pk").first()
    after = _freeze(segment, as_of=None, now=now, is_nightly=True)
    if before is None:
        return Difference(0, 0, after.count)
    gained = _note(segment, before, after, has_entered=True, at=now)
    lost = _note(segment, after, before, has_entered=False, at=now)
    nights.exclude(pk=after.pk).delete()
    return Difference(gained, lost, after.count - gained)


def _note(
    segment: Segment,
    without: SegmentSnapshot,
    within: SegmentSnapshot,
    *,
    has_entered: bool,
    at: datetime,
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_segmentmove (corp_id, segment_id, customer_id, has_entered, at)
            SELECT %s, %s, customer_id, %s, %s FROM customers_snapshotmember m
            WHERE m.snapshot_id = %s AND NOT EXISTS (
                SELECT FROM customers_snapshotmember o
                WHERE o.snapshot_id = %s AND o.customer_id = m.customer_id
            )
            ORDER BY customer_id
            """,
            [segment.corp_id, segment.pk, has_entered, at, within.pk, without.pk],
        )
        return int(cursor.rowcount)


# --- jobs ----------------------------------------------------------------------------------------
def register_jobs() -> None:
    register_job(TAKING, _take)
    register_job(NIGHTLY, _watch)


def _take(job: Job, clock: Callable[[], datetime]) -> Outcome:
    segment = Segment.objects.for_corp(job.corp).filter(pk=job.subject_id).first()
    if segment is None:
        return Outcome({}, ({"message": _("The segment was deleted in the meantime.")},))
    as_of = datetime.fromisoformat(job.params["as_of"]) if job.params["as_of"] else None
    actor = Actor(**job.params["actor"])
    with transaction.atomic():
        snapshot = take_snapshot(segment, actor=actor, now=clock(), as_of=as_of)
        state = {"snapshot": snapshot.pk}
        note_progress(job, now=clock(), done=snapshot.count, total=snapshot.count, state=state)
    return Outcome({"snapshot": snapshot.pk, "customers": snapshot.count})


def _watch(job: Job, clock: Callable[[], datetime]) -> Outcome:
    watched = Segment.objects.for_corp(job.corp).filter(is_watched=True).order_by("pk")
    entered = left = 0
    errors: list[dict[str, str]] = []
    total = watched.count()
    for segment in watched.filter(pk__gt=job.state.get("after", 0)):
        try:
            with transaction.atomic():
                found = note_moves(segment, now=clock())
                state = {"after": segment.pk}
                note_progress(job, now=clock(), done=job.done + 1, total=total, state=state)
        except DomainError as error:
            # A rule that has lost its meaning; its moves go on when it has been mended.
            errors.append({"message": f"{segment.name}: {error.detail}"})
            continue
        entered, left = entered + found.gained, left + found.lost
    return Outcome({"segments": total, "entered": entered, "left": left}, tuple(errors))


def _freeze(
    segment: Segment, *, as_of: datetime | None, now: datetime, is_nightly: bool = False
) -> SegmentSnapshot:
    customers = meant_by(segment, as_of=as_of, now=now)
    snapshot = SegmentSnapshot.objects.create(
        corp=segment.corp,
        segment=segment,
        rule=segment.rule,
        version=segment.version,
        as_of=as_of or now,
        taken_at=now,
        count=0,
        is_nightly=is_nightly,
    )
    snapshot.count = freeze(snapshot, customers)
    snapshot.save(update_fields=["count"])
    return snapshot


def freeze(snapshot: SegmentSnapshot, customers: CustomerQuerySet) -> int:
    """Write the members of a snapshot; return how many. The ids never leave the database."""
    try:
        sql, params = customers.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    statement = f"INSERT INTO customers_snapshotmember (snapshot_id, customer_id) SELECT %s, found.id FROM ({sql}) found (id)"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [snapshot.pk, *params])
        return int(cursor.rowcount)
