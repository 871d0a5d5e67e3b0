"""Snapshots, what changed between two, the past, and who enters and leaves at night."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from customers.actions import snapshots
from customers.actions.segments import customers_as_of
from customers.actions.snapshots import (
    Side,
    changed_between,
    compare_snapshots,
    members_of,
    note_moves,
    start_nightly_snapshots,
    start_or_take_snapshot,
    take_snapshot,
)
from customers.actions.stages import set_stage
from customers.models import (
    Customer,
    Follow,
    PastTagAssignment,
    SegmentMove,
    SegmentSnapshot,
    SnapshotMember,
    TagAssignment,
    TimelineEntry,
)
from customers.segments.past import read_as_of
from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.customers.test_segments import leaf
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_segment,
    make_stage,
    make_tag,
)

DAY = timedelta(days=1)


def were(corp: Corp, rule: dict[str, Any], *, as_of: datetime) -> set[str]:
    found = customers_as_of(rule, corp=corp, as_of=as_of, now=NOW)
    return set(found.values_list("external_userid", flat=True))


def test_keeps_whom_a_segment_means(corp: Corp, alice: Staff) -> None:
    woman = make_customer(corp, staff=alice, gender=2)
    make_customer(corp, staff=alice, gender=1)
    make_customer(make_corp(), gender=2)
    segment = make_segment(corp, leaf("gender", "eq", 2))

    snapshot = take_snapshot(segment, actor=SYSTEM, now=NOW)
    Customer.objects.filter(pk=woman.pk).update(gender=0, live_follows=0)

    assert (snapshot.count, snapshot.version, snapshot.as_of) == (1, 1, NOW)
    assert list(members_of(snapshot)) == [woman]


def test_tells_what_changed_between_two(corp: Corp, alice: Staff) -> None:
    stays, goes, comes = (make_customer(corp, staff=alice, gender=g) for g in (2, 2, 1))
    segment = make_segment(corp, leaf("gender", "eq", 2))
    before = take_snapshot(segment, actor=SYSTEM, now=NOW)
    Customer.objects.filter(pk=goes.pk).update(gender=0)
    Customer.objects.filter(pk=comes.pk).update(gender=2)
    after = take_snapshot(segment, actor=SYSTEM, now=NOW + DAY)

    assert compare_snapshots(before, after).as_dict() == {"gained": 1, "lost": 1, "stayed": 1}
    for side, customer in ((Side.GAINED, comes), (Side.LOST, goes), (Side.STAYED, stays)):
        assert list(changed_between(before, after, side=side)) == [customer]


def test_a_large_snapshot_is_taken_by_a_job(
    corp: Corp, alice: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_AT_ONCE", 1)
    for _ in range(2):
        make_customer(corp, staff=alice)
    segment = make_segment(corp)

    job = start_or_take_snapshot(segment, actor=SYSTEM, now=NOW)

    assert isinstance(job, Job)
    assert not SegmentSnapshot.objects.exists()
    run_due_jobs(clock=lambda: NOW)
    job.refresh_from_db()
    snapshot = SegmentSnapshot.objects.get()
    assert (job.status, job.report) == ("succeeded", {"snapshot": snapshot.pk, "customers": 2})
    assert snapshot.members.count() == 2


def test_tags_of_a_past_day(corp: Corp, alice: Staff) -> None:
    gold = make_tag(corp)
    still, before, after, then = (
        make_customer(corp, staff=alice, external_userid=name)
        for name in ("still", "before", "after", "then")
    )
    asked = NOW - 3 * DAY

    def carries(customer: Customer, since: datetime) -> None:
        TagAssignment.objects.create(corp=corp, customer=customer, tag=gold, since=since)

    def carried(customer: Customer, since: datetime, until: datetime) -> None:
        PastTagAssignment.objects.create(
            corp=corp, customer=customer, tag=gold, since=since, ended_at=until
        )

    carries(still, asked - DAY)
    carried(before, asked - 2 * DAY, asked - DAY)
    carries(after, asked + DAY)
    carried(then, asked - DAY, asked + DAY)

    assert were(corp, leaf("tags", "any_of", [gold.pk]), as_of=asked) == {"still", "then"}
    assert were(corp, leaf("tags", "none_of", [gold.pk]), as_of=asked) == {"before", "after"}
    both = {"all": [leaf("tags", "exists"), {"none": [leaf("tags", "eq", gold.pk)]}]}
    assert were(corp, both, as_of=asked) == set()
    assert were(corp, leaf("tags", "is_empty"), as_of=asked - 4 * DAY) == {
        "still", "before", "after", "then",
    }  # fmt: skip


def test_a_platform_tag_counted_for_as_long_as_its_follow_lived(corp: Corp, alice: Staff) -> None:
    gold = make_tag(corp, kind="wecom")
    customer = make_customer(corp, staff=alice, external_userid="a")
    follow = Follow.objects.get()
    TagAssignment.objects.create(
        corp=corp, customer=customer, tag=gold, follow=follow, since=NOW - 9 * DAY
    )
    Follow.objects.update(status="deleted_by_customer", ended_at=NOW - 2 * DAY)
    rule = leaf("tags", "any_of", [gold.pk])

    assert were(corp, rule, as_of=NOW - 3 * DAY) == {"a"}
    assert were(corp, rule, as_of=NOW - DAY) == set()


def test_stages_of_a_past_day(corp: Corp, alice: Staff) -> None:
    stages = {key: make_stage(corp, key) for key in ("aware", "lost")}
    never = make_customer(corp, staff=alice, external_userid="never", stage=stages["aware"])
    moved = make_customer(corp, staff=alice, external_userid="moved", stage=stages["aware"])
    set_stage(moved, key="lost", actor=SYSTEM, now=NOW - 4 * DAY)
    set_stage(moved, key=None, actor=SYSTEM, now=NOW - 2 * DAY)
    aware, lost = leaf("stage", "eq", "aware"), leaf("stage", "in", ["lost"])

    assert never.stage is not None
    assert were(corp, aware, as_of=NOW - 5 * DAY) == {"never", "moved"}
    assert were(corp, lost, as_of=NOW - 3 * DAY) == {"moved"}
    assert were(corp, leaf("stage", "is_empty"), as_of=NOW - DAY) == {"moved"}
    assert were(corp, leaf("stage", "exists"), as_of=NOW - DAY) == {"never"}
    assert were(corp, leaf("stage", "ne", "lost"), as_of=NOW - DAY) == {"never", "moved"}


def test_ownership_of_a_past_day(corp: Corp, alice: Staff, bob: Staff) -> None:
    handed = make_customer(corp, staff=bob, external_userid="handed")
    Follow.objects.update(added_at=NOW - 2 * DAY)
    Follow.objects.create(
        corp=corp,
        customer=handed,
        staff=alice,
        added_at=NOW - 9 * DAY,
        status="transferred",
        ended_at=NOW - 2 * DAY,
    )

    assert were(corp, leaf("staff", "eq", "alice"), as_of=NOW - 3 * DAY) == {"handed"}
    assert were(corp, leaf("staff", "eq", "bob"), as_of=NOW - 3 * DAY) == set()
    assert were(corp, leaf("staff", "eq", "bob"), as_of=NOW - DAY) == {"handed"}
    assert were(corp, {"all": []}, as_of=NOW - 10 * DAY) == set()


def test_who_came_back_was_a_friend_before(corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice, external_userid="back")
    # The row knows of the second friendship only.
    Follow.objects.update(added_at=NOW - DAY)
    times = [("follow.added", 9), ("follow.ended", 5), ("follow.added", 1)]
    for kind, days in times:
        TimelineEntry.objects.create(
            corp=corp,
            customer=customer,
            type=kind,
            at=NOW - days * DAY,
            data={"staff": "alice"},
            source="event",
            recorded_at=NOW,
        )
    everybody: dict[str, Any] = {"all": []}

    assert were(corp, everybody, as_of=NOW - 7 * DAY) == {"back"}
    assert were(corp, everybody, as_of=NOW - 3 * DAY) == set()
    assert were(corp, everybody, as_of=NOW) == {"back"}


def test_what_is_not_kept_is_named(corp: Corp) -> None:
    women = make_segment(corp, leaf("gender", "eq", 2))
    rule = {"all": [leaf("added_at", "exists"), {"none": [leaf("segment", "in", [women.pk])]}]}

    with pytest.raises(InvalidInput) as refusal:
        customers_as_of(rule, corp=corp, as_of=NOW, now=NOW)

    assert [(each.path, each.code) for each in refusal.value.errors] == [
        ("/rule/all/0/field", "not_in_the_past"),
        ("/rule/all/1/none/0/field", "not_in_the_past"),
    ]


def test_a_past_day_means_its_end_in_the_zone_of_the_corp(corp: Corp) -> None:
    day = read_as_of("2026-11-10", corp=corp, now=NOW)

    assert day.isoformat() == "2026-11-10T23:59:59.999999+08:00"
    assert read_as_of("2026-11-18", corp=corp, now=NOW) == NOW
    for wrong in ("2026-11-19", "yesterday", "", 3):
        with pytest.raises(InvalidInput):
            read_as_of(wrong, corp=corp, now=NOW)


def test_notes_who_enters_and_who_leaves(corp: Corp, alice: Staff) -> None:
    stays, goes, comes = (make_customer(corp, staff=alice, gender=g) for g in (2, 2, 1))
    segment = make_segment(corp, leaf("gender", "eq", 2), is_watched=True)

    note_moves(segment, now=NOW)
    Customer.objects.filter(pk=goes.pk).update(gender=0)
    Customer.objects.filter(pk=comes.pk).update(gender=2)
    note_moves(segment, now=NOW + DAY)
    note_moves(segment, now=NOW + 2 * DAY)

    moves = SegmentMove.objects.order_by("pk").values_list("customer", "has_entered", "at")
    assert list(moves) == [(comes.pk, True, NOW + DAY), (goes.pk, False, NOW + DAY)]
    # Only the last night is kept.
    assert SegmentSnapshot.objects.count() == 1
    assert set(SnapshotMember.objects.values_list("customer", flat=True)) == {stays.pk, comes.pk}


def test_watched_segments_are_kept_once_a_night(corp: Corp, alice: Staff) -> None:
    make_segment(corp, is_watched=True)
    broken = make_segment(corp, leaf("colour", "eq", 1), is_watched=True)
    make_segment(corp)
    night = datetime.fromisoformat("2026-11-19T05:00:00+08:00")

    assert start_nightly_snapshots(now=NOW) == 0
    assert start_nightly_snapshots(now=night) == 1
    run_due_jobs(clock=lambda: night)
    assert start_nightly_snapshots(now=night + timedelta(hours=1)) == 0

    job = Job.objects.get()
    assert job.status == "partial"
    assert [broken.name in error["message"] for error in job.errors] == [True]
    assert SegmentSnapshot.objects.filter(is_nightly=True).count() == 1
