"""Leaving, and who waits: what the platform lists compared with what we know."""

from datetime import datetime, timedelta

import pytest

from customers.actions.directory import Directory, apply_directory, mark_left
from customers.actions.handover.unassigned import start_everywhere, start_reading_unassigned
from customers.actions.handover.waiting import obstacle_of, waiting_follows
from customers.actions.leaving import (
    READ_UNASSIGNED,
    AlreadyLeft,
    mark_leaving,
    subscribe_leaving,
    unmark_leaving,
)
from customers.models import Customer, Follow, HandoverItem
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.base import UnassignedPage
from scrm.channels.models import Refresh
from scrm.channels.wecom.handover import WeComHandover
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.customers.handovers import busiest, run_rounds
from tests.factories import make_customer, make_handover_plan, make_staff


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The userids of those of whom the listeners were told."""
    heard: list[str] = []
    monkeypatch.setattr("customers.actions.leaving._listeners", [])
    subscribe_leaving(lambda staff, now: heard.append(staff.userid))
    return heard


def test_who_leaves_gets_nothing_new(alice: Staff, now: datetime, told: list[str]) -> None:
    mark_leaving(alice, actor=SYSTEM, now=now)
    mark_leaving(alice, actor=SYSTEM, now=now + timedelta(days=1))

    alice.refresh_from_db()
    assert alice.leaving_since == now
    assert not Staff.objects.available().filter(pk=alice.pk).exists()
    assert told == ["alice"]
    assert AuditEntry.objects.filter(action="staff.marked_leaving").count() == 1


def test_she_stays_after_all(alice: Staff, now: datetime, told: list[str]) -> None:
    mark_leaving(alice, actor=SYSTEM, now=now)

    unmark_leaving(alice, actor=SYSTEM, now=now)

    assert Staff.objects.available().filter(pk=alice.pk).exists()


def test_who_has_left_can_neither_leave_nor_stay(alice: Staff, now: datetime) -> None:
    mark_left("alice", corp=alice.corp, left_at=now, now=now)

    for act in (mark_leaving, unmark_leaving):
        with pytest.raises(AlreadyLeft):
            act(alice, actor=SYSTEM, now=now)


def test_found_gone_by_an_event(alice: Staff, now: datetime, told: list[str]) -> None:
    mark_left("ALICE", corp=alice.corp, left_at=now, now=now)
    mark_left("alice", corp=alice.corp, left_at=now, now=now)

    assert told == ["alice"]
    assert Job.objects.filter(kind=READ_UNASSIGNED, corp=alice.corp).count() == 1


def test_found_gone_by_the_directory(
    alice: Staff, bob: Staff, now: datetime, told: list[str]
) -> None:
    mark_leaving(bob, actor=SYSTEM, now=now)
    told.clear()
    directory = Directory(departments=[], staff=[], with_contact=["alice"])

    apply_directory(directory, corp=alice.corp, now=now)
    apply_directory(directory, corp=alice.corp, now=now + timedelta(hours=1))

    assert told == ["bob"]
    bob.refresh_from_db()
    assert (bob.status, bob.left_at) == (Staff.Status.LEFT, now)


def test_who_comes_back_is_not_leaving(alice: Staff, now: datetime) -> None:
    mark_leaving(alice, actor=SYSTEM, now=now)
    mark_left("alice", corp=alice.corp, left_at=now, now=now)

    apply_directory(
        Directory(departments=[], staff=[], with_contact=["alice"]), corp=alice.corp, now=now
    )

    assert Staff.objects.available().filter(pk=alice.pk).exists()


def test_waiting_are_those_of_who_left_or_leaves(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    gone, leaving, staying = (make_customer(corp, staff=staff) for staff in (alice, bob, bob))
    Follow.objects.filter(customer=staying).update(status="gone", ended_at=now)
    mark_left("alice", corp=corp, left_at=now - timedelta(hours=30), now=now)
    mark_leaving(bob, actor=SYSTEM, now=now)

    waiting = waiting_follows(Follow.objects.for_corp(corp), now=now).order_by("pk")

    assert [follow.customer for follow in waiting] == [gone, leaving]
    assert [follow.waits_since for follow in waiting] == [now - timedelta(hours=30), now]  # type: ignore[attr-defined]


def test_what_keeps_them_waiting(corp: Corp, now: datetime) -> None:
    plan = make_handover_plan(corp, customers=2, status="executing")
    moving, still = plan.items.order_by("pk")
    HandoverItem.objects.filter(pk=moving.pk).update(status="waiting", asked_at=now)

    def obstacles() -> list[str]:
        waiting = waiting_follows(Follow.objects.select_related("staff"), now=now).order_by("pk")
        return [obstacle_of(follow, now=now) for follow in waiting]

    assert obstacles() == ["in_transfer", ""]
    Staff.objects.filter(pk=plan.from_staff_id).update(left_at=now - timedelta(days=400))
    assert obstacles() == ["in_transfer", "left_too_long_ago"]
    assert still.status == HandoverItem.Status.PLANNED


# --- what the platform lists ---


def test_every_page_of_the_list_is_read(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    leaver = busiest(synced_brand)[0]
    sandbox.people.member_leaves(leaver.userid)
    sandbox.options.result_page = 3
    followed = Follow.objects.live().filter(staff=leaver)
    known = list(followed.select_related("customer").order_by("pk"))
    unknown, ended = known[0].customer, known[1]
    name = unknown.external_userid
    Customer.objects.filter(pk=unknown.pk).delete()
    Follow.objects.filter(pk=ended.pk).update(status="gone", ended_at=now)

    start_reading_unassigned(synced_brand, now=now)
    run_due_jobs(clock=lambda: now)

    leaver.refresh_from_db()
    assert leaver.status == Staff.Status.LEFT
    job = Job.objects.get(kind=READ_UNASSIGNED, status=Job.Status.SUCCEEDED)
    assert job.report == {"waiting": {"platform": len(known), "created": 2, "ended": 0}}
    assert sandbox.calls()["externalcontact/get_unassigned_list"] == -(-len(known) // 3)
    assert followed.count() == len(known)
    run_rounds(now, rounds=3)
    assert Customer.objects.get(corp=synced_brand, external_userid=name).live_follows >= 1


def test_who_is_listed_no_more_has_been_given_away(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    leaver, taker = busiest(synced_brand)[:2]
    sandbox.people.member_leaves(leaver.userid)
    start_reading_unassigned(synced_brand, now=now)
    run_due_jobs(clock=lambda: now)
    # Made up here; the platform has no such relation.
    stray = make_customer(synced_brand, staff=leaver)
    mine = make_handover_plan(synced_brand, from_staff=leaver)
    mine.items.update(status="waiting", asked_at=now)

    later = now + timedelta(days=2)
    start_everywhere(now=later)
    run_due_jobs(clock=lambda: later)

    assert Follow.objects.get(customer=stray, staff=leaver).status == Follow.Status.GONE
    # On its way: not listed either, and not ended for that.
    going = Follow.objects.get(customer=mine.items.get().customer, staff=leaver)
    assert going.status == Follow.Status.LIVE
    assert Follow.objects.live().filter(staff=leaver).count() > 10
    assert taker.status == Staff.Status.ACTIVE


@pytest.mark.parametrize(
    ("days_gone", "status"), [(2, "gone"), (0.5, "live"), (364, "gone"), (400, "live")]
)
def test_who_left_and_is_listed_nowhere_has_nobody_waiting(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime, days_gone: float, status: str
) -> None:
    left_at = now - timedelta(days=days_gone)
    forgotten = make_staff(synced_brand, status="left", left_at=left_at)
    stray = make_customer(synced_brand, staff=forgotten)
    mine = make_handover_plan(synced_brand, from_staff=forgotten)
    mine.items.update(status="waiting", asked_at=now)

    start_reading_unassigned(synced_brand, now=now)
    run_due_jobs(clock=lambda: now)

    assert Follow.objects.get(customer=stray).status == status
    assert Follow.objects.get(customer=mine.items.get().customer).status == Follow.Status.LIVE
    staying = Follow.objects.for_corp(synced_brand).exclude(staff=forgotten)
    assert not staying.exclude(status=Follow.Status.LIVE).exists()


def test_a_list_that_could_not_be_read_to_its_end_ends_nothing(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = make_staff(synced_brand, status="left", left_at=now - timedelta(days=2))
    stray = make_customer(synced_brand, staff=forgotten)

    def read(at: datetime) -> None:
        start_reading_unassigned(synced_brand, now=at)
        run_due_jobs(clock=lambda: at)
        assert Follow.objects.get(customer=stray).status == Follow.Status.LIVE

    sandbox.faults.fail("externalcontact/get_unassigned_list", 48002, times=100)
    read(now)
    assert not Job.objects.filter(status=Job.Status.SUCCEEDED, kind=READ_UNASSIGNED).exists()
    sandbox.faults.clear()
    Job.objects.filter(kind=READ_UNASSIGNED).delete()

    # The cursor comes back: whoever follows it reads for ever.
    circle = UnassignedPage((), "again")
    monkeypatch.setattr(WeComHandover, "unassigned_page", lambda channel, cursor: circle)
    read(now + timedelta(hours=1))
    assert Job.objects.filter(status=Job.Status.SUCCEEDED, kind=READ_UNASSIGNED).exists()


def test_old_news_of_somebody_with_customers_is_checked_first(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    leaver = busiest(synced_brand)[0]
    sandbox.people.member_leaves(leaver.userid)

    later = now + timedelta(days=60)
    start_reading_unassigned(synced_brand, now=later)
    run_due_jobs(clock=lambda: later)

    leaver.refresh_from_db()
    assert leaver.status == Staff.Status.ACTIVE
    assert Refresh.objects.filter(kind=Refresh.Kind.STAFF).exists()
    run_rounds(later, rounds=3)
    leaver.refresh_from_db()
    assert leaver.status == Staff.Status.LEFT


def test_a_list_that_cannot_be_read_at_the_moment_is_read_soon(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    path = "externalcontact/get_unassigned_list"
    sandbox.faults.http_error(path, 502)
    job = start_reading_unassigned(synced_brand, now=now)

    run_due_jobs(clock=lambda: now)
    run_due_jobs(clock=lambda: now + timedelta(minutes=1))

    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED

    # But not for ever.
    sandbox.faults.lose_answer(path, times=2)
    job = start_reading_unassigned(synced_brand, now=now)
    for minutes in (0, 61):
        run_due_jobs(clock=lambda minutes=minutes: now + timedelta(minutes=minutes))  # type: ignore[misc]
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
