"""Handovers against the sandbox: everybody asked once, and each in one final state."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.handover.executing import (
    NothingToHandOver,
    PlanNotExecutable,
    cancel_plan,
    execute_plan,
)
from customers.actions.handover.plans import PlanWish, create_plan
from customers.actions.handover.polling import poll_due_legs, refresh_plan
from customers.actions.handover.preflight import preflight_plan, verdicts_on
from customers.actions.handover.results import apply_states, results_of
from customers.actions.handover.sending import send_due_items
from customers.actions.handover.taken_over import subscribe_taken_over
from customers.actions.leaving import mark_leaving
from customers.handlers import (
    note_added_contact,
    note_deletion_by_staff,
    note_hint_of_handover,
)
from customers.models import (
    Customer,
    Follow,
    HandoverItem,
    HandoverLeg,
    HandoverPlan,
    TagAssignment,
)
from groups.actions.sync import start_sync
from groups.models import GroupChat
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.channels.actions.outbox import retry_operation, run_due_operations
from scrm.channels.actions.outcomes import record_success
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import TransferState
from scrm.channels.events import ContactAdded, ContactDeletedByStaff, TransferFailed
from scrm.channels.models import Operation, Refresh
from scrm.channels.opening import open_channel
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.customers.handovers import (
    busiest,
    items,
    plan_of,
    reasons,
    reread,
    run_rounds,
    statuses,
)
from tests.factories import NOW, connect_to, make_customer, make_handover_plan, make_staff

DAY = timedelta(hours=25)
ASKING = "externalcontact/resigned/transfer_customer"
S = HandoverItem.Status


def leaves(sandbox: SandboxServer, staff: Staff, now: datetime) -> None:
    """She leaves on the platform, and the directory is read again."""
    sandbox.people.member_leaves(staff.userid)
    request_refresh(Refresh.Kind.STAFF, corp=staff.corp, now=now)
    run_rounds(now, rounds=2)
    staff.refresh_from_db()
    assert staff.status == Staff.Status.LEFT


def a_day_passes(sandbox: SandboxServer, now: datetime) -> datetime:
    sandbox.clock.advance(DAY.total_seconds())
    return now + DAY


def asked_pairs(sandbox: SandboxServer) -> Counter[tuple[str, str]]:
    """How often the platform took up each (customer, taker)."""
    return Counter(
        (entry.data["external_userid"], entry.data["takeover_userid"])
        for entry in sandbox.ledger.entries("handover.asked")
    )


@pytest.fixture
def leaver(synced_brand: Corp, sandbox: SandboxServer, now: datetime) -> Staff:
    # Somebody with customers and with a group.
    owners = set(GroupChat.objects.existing().values_list("owner", flat=True))
    staff = next(each for each in busiest(synced_brand) if each.pk in owners)
    leaves(sandbox, staff, now)
    return staff


@pytest.fixture
def takers(leaver: Staff) -> list[Staff]:
    return [staff for staff in busiest(leaver.corp) if staff.pk != leaver.pk][:3]


def test_customers_and_chats_find_new_owners_after_a_day(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    job = execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    assert statuses(plan)[S.WAITING] == plan.items.of_customers().count() > 10
    assert Job.objects.get(pk=job.pk).status == Job.Status.SUCCEEDED

    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    assert reread(plan).status == HandoverPlan.Status.DONE
    truth = sandbox.handover(leaver.userid)
    assert results_of(plan)["succeeded"] == truth["succeeded"]
    assert results_of(plan)["groups"] == truth["groups"]
    assert truth["asked_more_than_once"] == 0


def test_everything_that_hangs_on_the_follow_moves(
    leaver: Staff,
    takers: list[Staff],
    sandbox: SandboxServer,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now)
    old = Follow.objects.live().filter(staff=leaver)
    remarked = old.exclude(remark="").exclude(customer__follows__staff=takers[0])[0]
    tagged = set(
        TagAssignment.objects.filter(
            follow__in=old.exclude(customer__follows__staff=takers[0])
        ).values_list("customer", "tag")
    )
    told: list[int] = []
    monkeypatch.setattr("customers.actions.handover.taken_over._listeners", [])
    subscribe_taken_over(lambda ids, giver, taker, at: told.extend(ids))

    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    run_rounds(a_day_passes(sandbox, now), rounds=20)

    new = Follow.objects.live().filter(staff=takers[0])
    customers = {item.customer_id for item in items(plan) if item.customer_id}
    assert customers <= set(new.values_list("customer", flat=True))
    assert not old.exists()
    assert set(told) == customers
    follow = new.get(customer=remarked.customer_id)
    assert (follow.remark, follow.description) == (remarked.remark, remarked.description)
    assert tagged <= set(
        TagAssignment.objects.filter(follow__in=new).values_list("customer", "tag")
    )
    written = {
        entry.data["external_userid"]: entry.data["remark"]
        for entry in sandbox.ledger.entries("api.remarked")
    }
    assert written[follow.customer.external_userid] == remarked.remark


def test_a_second_click_changes_nothing(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    execute_plan(plan, actor=SYSTEM, now=now)

    with pytest.raises(PlanNotExecutable):
        execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    with pytest.raises(PlanNotExecutable):
        execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)

    assert set(asked_pairs(sandbox).values()) == {1}


@pytest.mark.parametrize(
    ("actor", "priority"),
    [
        (Actor(AuditEntry.ActorKind.USER, "1", "olga"), Operation.Priority.CLICK),
        (SYSTEM, Operation.Priority.BULK),
    ],
)
def test_a_few_calls_of_a_person_go_before_bulk(
    leaver: Staff, takers: list[Staff], now: datetime, actor: Actor, priority: int
) -> None:
    execute_plan(plan_of(leaver.corp, leaver, *takers, now=now), actor=actor, now=now)
    send_due_items(now=now)

    asked = Operation.objects.filter(kind__startswith="transfer_")
    assert 0 < asked.count() <= 20
    assert set(asked.values_list("priority", flat=True)) == {priority}


def test_a_second_plan_waits_for_the_first(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    first, second = (plan_of(leaver.corp, leaver, *takers, now=now) for _ in range(2))
    for plan in (first, second):
        execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    assert S.WAITING in statuses(first)
    # A group moves at once, so that it is not hers any more.
    assert set(reasons(second)) <= {"in_transfer", "not_owner"}
    assert set(statuses(second)) == {S.BLOCKED}
    assert reread(second).status == HandoverPlan.Status.DONE
    third = plan_of(leaver.corp, leaver, *takers, now=now)
    with pytest.raises(NothingToHandOver):
        execute_plan(third, actor=SYSTEM, now=now)


def test_a_refusal_ends_the_relation_of_who_has_left(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    refusing = next(item for item in items(plan) if item.customer)
    assert refusing.customer
    sandbox.people.customer_refuses_transfer(refusing.customer.external_userid)

    run_rounds(a_day_passes(sandbox, now))

    refusing.refresh_from_db()
    assert (refusing.status, refusing.reason) == (S.REJECTED, "customer_refused")
    follow = Follow.objects.get(customer=refusing.customer, staff=leaver)
    assert follow.status == Follow.Status.GONE
    assert results_of(plan)["rejected"] == sandbox.handover(leaver.userid)["rejected"] == 1


def test_a_full_taker_passes_on_to_the_next(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    full, *others = takers
    sandbox.people.set_capacity(full.userid, 0)
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    hers = plan.items.of_customers().filter(to_staff=full)
    assert (count := hers.count()) > 0
    chosen = list(hers.values_list("pk", flat=True))
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)
    run_rounds(a_day_passes(sandbox, now))

    moved = HandoverItem.objects.filter(pk__in=chosen)
    assert {item.status for item in moved} == {S.SUCCEEDED}
    assert {item.to_staff_id for item in moved} <= {other.pk for other in others}
    assert [item.tried for item in moved] == [[full.pk]] * count


def test_who_finds_no_room_anywhere_stays_with_that_word(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    for taker in takers:
        sandbox.people.set_capacity(taker.userid, 0)
    plan = plan_of(leaver.corp, leaver, *takers, now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now, rounds=8)

    assert set(statuses(plan)) == {S.OVER_CAPACITY}
    assert set(reasons(plan)) == {"taker_full"}
    assert reread(plan).status == HandoverPlan.Status.DONE
    assert Follow.objects.live().filter(staff=leaver).exists()


def test_a_taker_who_fills_up_meanwhile_passes_on_to_the_next(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers, now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    chosen = list(plan.items.filter(to_staff=takers[0]).values_list("pk", flat=True))
    assert chosen
    sandbox.people.set_capacity(takers[0].userid, 0)

    later = a_day_passes(sandbox, now)
    run_rounds(later)
    assert {item.status for item in items(plan) if item.pk in chosen} == {S.WAITING}
    run_rounds(a_day_passes(sandbox, later))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    assert {item.attempts for item in items(plan) if item.pk in chosen} == {2}


def test_a_taker_who_cannot_is_passed_over(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.people.set_verified(takers[0].userid, verified=False)
    plan = plan_of(leaver.corp, leaver, *takers[:2], now=now)
    assert plan.items.filter(to_staff=takers[0]).exists()
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)
    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    assert set(plan.items.values_list("to_staff", flat=True)) == {takers[1].pk}


def test_the_only_taker_cannot(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.people.set_verified(takers[0].userid, verified=False)
    plan = plan_of(leaver.corp, leaver, takers[0], now=now)
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    assert set(statuses(plan)) == {S.FAILED}
    assert all("40098" in reason for reason in reasons(plan))


def test_a_lost_answer_is_found_and_nobody_is_asked_twice(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.lose_answer(ASKING, times=2)
    sandbox.faults.drop_request(ASKING, times=1)
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    execute_plan(plan, actor=SYSTEM, now=now)

    # A request that may still land is not believed absent before its lease is over.
    run_rounds(now, rounds=30)
    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    assert set(asked_pairs(sandbox).values()) == {1}
    assert sandbox.handover(leaver.userid)["asked_more_than_once"] == 0


def test_what_was_never_taken_up_is_asked_again(
    leaver: Staff, takers: list[Staff], now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    send_due_items(now=now)
    asked = items(plan)
    unlucky = asked[0]
    assert unlucky.customer
    assert unlucky.operation
    answer = {"item_id": unlucky.customer.external_userid, "errcode": -1, "error": ""}
    record_success(unlucky.operation, {"answers": [answer]}, now=now)

    unlucky.refresh_from_db()
    assert (unlucky.status, unlucky.attempts) == (S.PLANNED, 1)
    assert unlucky.next_attempt_at
    assert statuses(plan)[S.WAITING] == len(asked) - 1
    send_due_items(now=unlucky.next_attempt_at)
    unlucky.refresh_from_db()
    assert (unlucky.status, unlucky.attempts) == (S.ASKED, 2)
    assert Operation.objects.filter(kind="transfer_customers").count() == 2


def test_who_is_in_transfer_already_waits_for_its_result(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    wanted = [item.customer.external_userid for item in items(plan) if item.customer]
    # Begun by somebody in the console: one with the same taker, one with another.
    for taker, external_userid in zip(takers, wanted, strict=False):
        open_channel(leaver.corp).handover.transfer_customers(
            leaver.userid, taker.userid, [external_userid], is_resigned=True
        )
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    assert {item.errcode for item in items(plan)[:3]} == {40100}

    run_rounds(a_day_passes(sandbox, now))

    assert [item.status for item in items(plan)[:3]] == [S.SUCCEEDED, S.FAILED, S.FAILED]
    assert {item.reason for item in items(plan)[1:3]} == {"in_transfer"}
    assert reread(plan).status == HandoverPlan.Status.DONE


def test_a_taker_who_leaves_too_keeps_what_is_on_the_way_and_gets_no_more(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers[:2], now=now)
    held = plan.items.of_customers().filter(to_staff=takers[0])[0]
    held.next_attempt_at = now + timedelta(minutes=5)
    held.save(update_fields=["next_attempt_at"])
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    waiting = plan.items.filter(to_staff=takers[0], status=S.WAITING).count()
    assert waiting

    mark_leaving(takers[0], actor=SYSTEM, now=now)
    run_rounds(now + timedelta(minutes=6))
    held.refresh_from_db()
    assert (held.status, held.to_staff_id) == (S.WAITING, takers[1].pk)
    run_rounds(a_day_passes(sandbox, now + timedelta(minutes=6)))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    assert plan.items.of_customers().filter(to_staff=takers[0]).count() == waiting


def test_the_settings_are_wrong_and_nothing_is_lost(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.fail(ASKING, 48002, times=1)
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    assert set(statuses(plan)) == {S.ASKED}
    operation = Operation.objects.get(kind="transfer_customers")
    assert operation.status == Operation.Status.PARKED
    retry_operation(operation, actor=SYSTEM, now=now)
    run_rounds(now)
    assert set(statuses(plan)) == {S.WAITING}


def test_a_refused_call_is_told_of_everybody_in_it(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.fail(ASKING, 40058, times=1)
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    assert set(statuses(plan)) == {S.FAILED}
    assert all("40058" in reason for reason in reasons(plan))
    assert set(plan.items.values_list("errcode", flat=True)) == {40058}


def test_cancelling_stops_what_was_not_asked_and_reads_the_rest(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, *takers, now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    send_due_items(now=now)
    run_due_operations(now=now, limit=1)
    assert set(statuses(plan)) == {S.ASKED, S.WAITING}
    waiting = statuses(plan)[S.WAITING]

    cancel_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    assert statuses(plan) == {S.WAITING: waiting, S.CANCELLED: len(items(plan)) - waiting}
    run_rounds(a_day_passes(sandbox, now))

    assert statuses(plan)[S.SUCCEEDED] == waiting
    assert reread(plan).status == HandoverPlan.Status.CANCELLED
    assert reread(plan).finished_at


def test_the_day_of_300_groups(
    leaver: Staff, takers: list[Staff], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    GroupChat.objects.filter(pk__in=GroupChat.objects.values("pk")[:3]).update(owner=leaver)
    monkeypatch.setattr("customers.actions.handover.sending.CHATS_A_DAY", 2)
    plan = plan_of(leaver.corp, leaver, *takers, now=now)
    chats = plan.items.of_chats()
    assert chats.count() == 3
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    later = chats.get(status=S.PLANNED)
    # Midnight in China.
    assert later.next_attempt_at == datetime.fromisoformat("2026-11-19T00:00:00+08:00")
    assert later.reason == "daily_limit"
    assert reread(plan).status == HandoverPlan.Status.EXECUTING
    send_due_items(now=later.next_attempt_at)
    later.refresh_from_db()
    assert later.status == S.ASKED


def test_a_group_that_cannot_move_says_why(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now)
    chat = plan.items.of_chats().first()
    assert chat
    sandbox.people.chat_dismiss(chat.chat_id)
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)

    chat.refresh_from_db()
    assert (chat.status, chat.errcode) == (S.FAILED, 49008)
    assert chat.reason


def test_results_come_in_pages(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.options.result_page = 2
    plan = plan_of(leaver.corp, leaver, takers[0], now=now)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)

    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.SUCCEEDED}
    # Read twice, in pages of two.
    pages = -(-plan.items.of_customers().count() // 2)
    assert pages > 2
    assert sandbox.calls()["externalcontact/resigned/transfer_result"] >= pages + 1


def test_refreshing_reads_the_platform_now(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    sandbox.clock.advance(DAY.total_seconds())

    refresh_plan(plan, now=now)
    run_due_jobs(clock=lambda: now)

    assert set(statuses(plan)) == {S.SUCCEEDED}


@pytest.mark.parametrize("first", ["callbacks", "result"])
def test_callbacks_before_and_after_the_result(
    first: str, leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    later = a_day_passes(sandbox, now)

    def callbacks() -> None:
        for item in items(plan):
            assert item.customer
            added = ContactAdded(
                now + timedelta(hours=24), takers[0].userid, item.customer.external_userid
            )
            for handle in (note_added_contact, note_hint_of_handover):
                handle(added, leaver.corp, later)

    if first == "callbacks":
        callbacks()
        assert set(statuses(plan)) == {S.WAITING}
        run_rounds(later)
    else:
        run_rounds(later)
        callbacks()

    assert set(statuses(plan)) == {S.SUCCEEDED}
    for item in items(plan):
        follows = Follow.objects.live().filter(customer=item.customer)
        assert takers[0].pk in follows.values_list("staff", flat=True)
        assert leaver.pk not in follows.values_list("staff", flat=True)
        assert item.customer
        item.customer.refresh_from_db()
        assert item.customer.live_follows == follows.count()


def test_a_callback_of_failure_pulls_the_look_near(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    poll_due_legs(now=now + timedelta(hours=1))
    item = items(plan)[0]
    assert item.customer
    later = now + timedelta(hours=1, minutes=1)

    event = TransferFailed(
        later, takers[0].userid, item.customer.external_userid, "customer_refused"
    )
    note_hint_of_handover(event, leaver.corp, later)

    item.refresh_from_db()
    assert item.status == S.WAITING
    assert HandoverLeg.objects.get(plan=plan).next_poll_at == later + timedelta(seconds=5)


def test_a_second_or_older_result_changes_nothing(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    leg = HandoverLeg.objects.select_related("plan__from_staff", "to_staff").get(plan=plan)
    item, other = items(plan)[:2]
    assert item.customer
    assert other.customer

    def said(status: int, *, of: HandoverItem = item, at: datetime | None = None) -> None:
        assert of.customer
        state = TransferState(of.customer.external_userid, status, at)
        apply_states(leg, [state], now=now)
        of.refresh_from_db()

    # A handover between the same two that ended long ago, and is still listed.
    long_ago = now - timedelta(days=100)
    old = {"from_staff": leaver, "to_staff": takers[0], "asked_at": long_ago}
    done = HandoverPlan.objects.create(
        corp=leaver.corp, kind="resigned", from_staff=leaver, status="done", created_at=long_ago
    )
    for customer, status, at in (
        (item.customer, "succeeded", long_ago),
        (other.customer, "rejected", None),
    ):
        HandoverItem.objects.create(
            corp=leaver.corp,
            plan=done,
            customer=customer,
            kind="resigned",
            status=status,
            takeover_at=at,
            **old,
        )
    HandoverItem.objects.filter(plan=plan).update(takeover_at=None)
    said(1, at=long_ago)
    assert item.status == S.WAITING
    said(3, of=other)
    assert other.status == S.WAITING
    said(2, of=other, at=now + timedelta(hours=24))
    said(1, at=now + timedelta(hours=24))
    assert item.status == S.SUCCEEDED
    said(3)
    said(4)
    assert item.status == S.SUCCEEDED
    said(3, of=other)
    said(1, of=other, at=now + timedelta(hours=24))
    assert other.status == S.REJECTED


def test_who_left_the_taker_since_stays_lost(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    fresh = plan.items.exclude(customer__follows__staff=takers[0]).select_related("customer")[0]
    assert fresh.customer
    later = a_day_passes(sandbox, now)
    event = ContactDeletedByStaff(later, takers[0].userid, fresh.customer.external_userid)
    note_deletion_by_staff(event, leaver.corp, later)

    poll_due_legs(now=later)

    fresh.refresh_from_db()
    assert fresh.status == S.SUCCEEDED
    follow = Follow.objects.get(customer=fresh.customer, staff=takers[0])
    assert follow.status == Follow.Status.DELETED_BY_STAFF


def test_a_result_that_never_comes_is_given_up(
    leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    plan = plan_of(leaver.corp, leaver, takers[0], now=now, include_groups=False)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    sandbox.faults.fail("externalcontact/resigned/transfer_result", 48002, times=100)

    for days in range(1, 10):
        poll_due_legs(now=now + timedelta(days=days))

    assert set(statuses(plan)) == {S.FAILED}
    assert set(reasons(plan)) == {"no_result"}
    assert reread(plan).status == HandoverPlan.Status.DONE


# --- in service ---


def in_service(corp: Corp, sandbox: SandboxServer, now: datetime, **fields: Any) -> HandoverPlan:
    giver, taker, *_ = busiest(corp)
    follow = (
        Follow.objects.live().filter(staff=giver).exclude(customer__follows__staff=taker)
    ).select_related("customer")[0]
    listed = {"external_userids": [follow.customer.external_userid]}
    return plan_of(corp, giver, taker, now=now, kind="in_service", **(listed | fields))


def test_in_service_the_customer_reads_the_message(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    plan = in_service(synced_brand, sandbox, now, message="我的同事会继续照顾您")
    execute_plan(plan, actor=SYSTEM, now=now)

    run_rounds(now)
    operation = Operation.objects.get(kind="transfer_customers")
    assert operation.payload["message"] == "我的同事会继续照顾您"
    assert operation.payload["is_resigned"] is False
    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.SUCCEEDED}


def test_in_service_who_refuses_keeps_her_colleague(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    plan = in_service(synced_brand, sandbox, now)
    execute_plan(plan, actor=SYSTEM, now=now)
    run_rounds(now)
    item = items(plan)[0]
    assert item.customer
    sandbox.people.customer_refuses_transfer(item.customer.external_userid)

    run_rounds(a_day_passes(sandbox, now))

    assert set(statuses(plan)) == {S.REJECTED}
    follow = Follow.objects.get(staff=plan.from_staff, customer=item.customer)
    assert follow.status == Follow.Status.LIVE


def test_who_refuses_again_before_anybody_looked_is_not_asked_once_more(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    first = in_service(synced_brand, sandbox, now)
    customer, taker = items(first)[0].customer, items(first)[0].to_staff
    assert customer
    assert taker
    execute_plan(first, actor=SYSTEM, now=now)
    run_rounds(now)
    sandbox.people.customer_refuses_transfer(customer.external_userid)
    now = a_day_passes(sandbox, now)
    run_rounds(now)
    assert set(statuses(first)) == {S.REJECTED}
    second = plan_of(
        synced_brand,
        first.from_staff,
        taker,
        now=now,
        kind="in_service",
        external_userids=[customer.external_userid],
    )
    execute_plan(second, actor=SYSTEM, now=now)
    sandbox.faults.lose_answer("externalcontact/transfer_customer")
    send_due_items(now=now)
    run_due_operations(now=now)
    sandbox.people.customer_refuses_transfer(customer.external_userid)

    run_rounds(now, rounds=30)
    run_rounds(a_day_passes(sandbox, now))

    operation = items(second)[0].operation
    assert operation
    assert operation.payload["earlier"] == {customer.external_userid: 1}
    assert set(statuses(second)) == {S.REJECTED}
    assert asked_pairs(sandbox) == {(customer.external_userid, taker.userid): 2}


def test_twice_in_90_days_and_no_more(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    first = in_service(synced_brand, sandbox, now)
    giver, taker, third = busiest(synced_brand)[:3]
    external_userid = items(first)[0].customer.external_userid  # type: ignore[union-attr]
    execute_plan(first, actor=SYSTEM, now=now)
    run_rounds(now)
    later = a_day_passes(sandbox, now)
    run_rounds(later)

    def back(from_staff: Staff, to_staff: Staff, at: datetime) -> HandoverPlan:
        listed = [external_userid]
        return plan_of(
            synced_brand, from_staff, to_staff, now=at, kind="in_service", external_userids=listed
        )

    second = back(taker, giver, later)
    execute_plan(second, actor=SYSTEM, now=later)
    run_rounds(later)
    assert set(statuses(second)) == {S.WAITING}
    later = a_day_passes(sandbox, later)
    run_rounds(later)
    assert set(statuses(second)) == {S.SUCCEEDED}

    blocked = back(giver, third, later)
    checked = preflight_plan(blocked, now=later)
    assert checked.blocked == {"in_service_limit": 1}
    taken_over = items(first)[0].takeover_at
    assert taken_over
    assert checked.verdicts[0].free_at == taken_over + timedelta(days=90)
    execute_plan(blocked, actor=SYSTEM, now=later)
    run_rounds(later)

    assert statuses(blocked) == {S.BLOCKED: 1}
    assert reasons(blocked) == {"in_service_limit": 1}
    assert items(blocked)[0].next_attempt_at == taken_over + timedelta(days=90)
    assert len(sandbox.ledger.entries("handover.asked")) == 2
    free = checked.verdicts[0].free_at
    assert preflight_plan(back(giver, third, free), now=free).ready == 1


def test_what_is_on_its_way_is_told_of_customers_and_chats_alike(corp: Corp, now: datetime) -> None:
    giver = make_staff(corp)
    first = make_handover_plan(corp, from_staff=giver, kind="in_service", customers=2)
    taken, free = first.items.order_by("pk")
    second = HandoverPlan.objects.create(
        corp=corp, from_staff=giver, kind="in_service", created_at=now
    )

    def add(plan: HandoverPlan, **fields: Any) -> HandoverItem:
        fixed = {"kind": "in_service", "from_staff": giver, "to_staff": taken.to_staff}
        return HandoverItem.objects.create(corp=corp, plan=plan, **(fixed | fields))

    HandoverItem.objects.filter(pk=taken.pk).update(status="waiting", asked_at=now)
    add(first, chat_id="wr1", status="asked", asked_at=now)
    for days in (10, 20, 30):
        past = HandoverPlan.objects.create(
            corp=corp, from_staff=giver, kind="in_service", status="done", created_at=now
        )
        asked_at = now - timedelta(days=days)
        add(past, chat_id="wr2", status="succeeded", asked_at=asked_at, takeover_at=asked_at)
    wanted = [
        add(second, customer=taken.customer),
        add(second, customer=free.customer),
        add(second, chat_id="wr1"),
        add(second, chat_id="wr2"),
        add(second, chat_id="wr3"),
    ]

    verdicts = {verdict.item_id: verdict for verdict in preflight_plan(second, now=now).verdicts}

    reasons_told = [verdicts[item.pk].reason for item in wanted]
    # The sandbox is not asked here: nobody owns a chat.
    assert reasons_told == ["in_transfer", "", "in_transfer", "in_service_limit", "not_owner"]
    assert verdicts[wanted[3].pk].free_at == now + timedelta(days=70)


def rows_read(sql: str) -> float:
    """Rows that all nodes of the statement's plan gave or threw away, over all their loops."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
        (((plan,),),) = cursor.fetchall()
    nodes, total = [plan["Plan"]], 0.0
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        removed = sum(node[name] for name in node if name.startswith("Rows Removed"))
        total += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return total


def test_a_plan_of_thousands_is_judged_at_once(corp: Corp, now: datetime) -> None:
    plans = [
        make_handover_plan(corp, customers=0, kind="in_service", from_staff=giver)
        for giver in [make_staff(corp)]
        for _ in range(2)
    ]
    customers = [
        Customer(corp=corp, external_userid=f"wmx{n}", created_at=now, updated_at=now)
        for n in range(4000)
    ]
    with connection.cursor() as cursor:
        # The planner last saw the tables when nothing was in them.
        cursor.execute("ANALYZE customers_handoveritem, customers_customer, customers_handoverplan")
    Customer.objects.bulk_create(customers)
    HandoverItem.objects.bulk_create(
        HandoverItem(
            corp=corp,
            plan=plan,
            customer=customer,
            kind="in_service",
            from_staff=plan.from_staff,
            status=status,
            asked_at=now if status == S.WAITING else None,
        )
        for plan, status in zip(plans, (S.WAITING, S.PLANNED), strict=True)
        for customer in customers
    )

    with CaptureQueriesContext(connection) as asked:
        verdicts = verdicts_on(plans[1], now=now)

    assert {verdict.reason for verdict in verdicts} == {"in_transfer"}
    assert len(verdicts) == 4000
    # Compared with one another, they would be sixteen million.
    assert sum(rows_read(each["sql"]) for each in asked.captured_queries) < 100_000


def test_a_taker_is_known_by_any_spelling_and_is_one_taker(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    make_customer(corp, staff=alice)
    wish = PlanWish("in_service", "ALICE", ["BOB", "Bob"])

    plan = create_plan(wish, corp=corp, actor=SYSTEM, now=now)

    assert list(plan.takers.all()) == [bob]
    assert items(plan)[0].to_staff == bob
    assert AuditEntry.objects.get(action="handover.planned").data["to"] == ["bob"]
    wish = PlanWish("in_service", "alice", ["bob", "BOB", "nobody", "Alice"])
    with pytest.raises(InvalidInput) as refused:
        create_plan(wish, corp=corp, actor=SYSTEM, now=now)
    problems = [(problem.path, problem.code) for problem in refused.value.errors]
    assert problems == [("/to_userids/2", "unknown"), ("/to_userids/3", "same_person")]


def test_the_platform_knows_of_more_handovers_than_we(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    plan = in_service(synced_brand, sandbox, now)
    execute_plan(plan, actor=SYSTEM, now=now)
    send_due_items(now=now)
    item = items(plan)[0]
    assert item.operation
    assert item.customer
    answer = {"item_id": item.customer.external_userid, "errcode": 40128, "error": "twice"}
    record_success(item.operation, {"answers": [answer]}, now=now)

    item.refresh_from_db()
    assert (item.status, item.reason, item.errcode) == (S.BLOCKED, "in_service_limit", 40128)


def test_the_kinds_need_her_there_or_gone(
    synced_brand: Corp, leaver: Staff, takers: list[Staff], sandbox: SandboxServer, now: datetime
) -> None:
    present = plan_of(synced_brand, takers[0], takers[1], now=now)
    gone = plan_of(synced_brand, leaver, takers[1], now=now, kind="in_service")
    long_ago = plan_of(synced_brand, leaver, takers[1], now=now)

    assert set(preflight_plan(present, now=now).blocked) == {"not_resigned"}
    assert set(preflight_plan(gone, now=now).blocked) == {"has_left"}
    assert preflight_plan(long_ago, now=now).ready > 0
    in_a_year = now + timedelta(days=366)
    assert set(preflight_plan(long_ago, now=in_a_year).blocked) == {"left_too_long_ago"}


# --- the story ---


@pytest.fixture
def big_sandbox() -> Iterator[SandboxServer]:
    world = build_world(
        1,
        staff=6,
        customers=1200,
        groups=3,
        clock=VirtualClock(start=NOW.timestamp()),
        options=Options(callback_retry_spacing=0, result_page=70),
    )
    with SandboxServer(world) as server:
        yield server


def test_230_customers_and_three_groups(
    db: None, big_sandbox: SandboxServer, now: datetime
) -> None:
    """Some refuse, one taker is full, answers are lost: asked once, one final state each."""
    people = big_sandbox.people
    corp = connect_to(big_sandbox)
    start_sync(corp, now=now)
    run_due_jobs(clock=lambda: now)
    giver, *takers = busiest(corp)[:5]
    followed = Follow.objects.live().filter(staff=giver).order_by("pk")
    listed = list(followed.values_list("customer__external_userid", flat=True)[:230])
    chats = list(GroupChat.objects.values_list("chat_id", flat=True))
    for chat_id in chats:
        people.chat_change_owner(chat_id, giver.userid)
    GroupChat.objects.update(owner=giver)
    leaves(big_sandbox, giver, now)
    plan = plan_of(corp, giver, *takers, now=now, external_userids=listed, chat_ids=chats)
    planned = Counter(item.to_staff for item in items(plan) if item.to_staff)
    full = planned.most_common()[0][0]
    people.set_capacity(full.userid, Follow.objects.live().filter(staff=full).count() + 10)

    big_sandbox.faults.lose_answer(ASKING, times=2)
    execute_plan(plan, actor=SYSTEM, now=now)
    now = run_rounds(now, rounds=30)
    for external_userid in listed[:7]:
        people.customer_refuses_transfer(external_userid)
    for _ in range(2):
        now = a_day_passes(big_sandbox, now)
        run_rounds(now, rounds=8)

    truth, ours = big_sandbox.handover(giver.userid), results_of(plan)
    assert reread(plan).status == HandoverPlan.Status.DONE
    assert ours["planned"] == len(listed) == 230
    assert statuses(plan) == {S.SUCCEEDED: 230 - 7 + 3, S.REJECTED: 7}
    assert (truth["succeeded"], truth["rejected"], truth["groups"]) == (223, 7, 3)
    assert truth["asked_more_than_once"] == 0
    assert any(item.tried == [full.pk] for item in items(plan))
    assert not followed.filter(customer__external_userid__in=listed).exists()
