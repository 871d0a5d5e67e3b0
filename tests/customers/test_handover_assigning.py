"""Who gets whom: known first, colleagues of the department, then as equal as it can be."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actions.handover.assigning import assign_takers, items_without_taker
from customers.actions.handover.belongings import Belonging
from customers.actions.handover.loads import loads_of
from customers.models import Customer, Follow, HandoverItem, HandoverPlan
from scrm.tenancy.models import Corp, Staff
from tests.customers.handovers import items, plan_of
from tests.factories import (
    make_customer,
    make_department,
    make_follow,
    make_handover_plan,
    make_staff,
)


def leaver_of(corp: Corp, now: datetime, **fields: Any) -> Staff:
    return make_staff(corp, status="left", left_at=now, has_customer_contact=False, **fields)


def shares(plan: HandoverPlan) -> Counter[str]:
    return Counter(item.to_staff.userid for item in items(plan) if item.to_staff)


def test_everybody_gets_somebody_and_the_loads_end_equal(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    leaver = leaver_of(corp, now)
    for _ in range(3):
        make_customer(corp, staff=bob)
    for _ in range(10):
        make_customer(corp, staff=leaver)

    plan = plan_of(corp, leaver, alice, bob, now=now)

    # 13 customers: bob has three of his own.
    assert shares(plan) == {"alice": 7, "bob": 3} or shares(plan) == {"alice": 6, "bob": 4}
    assert {load.after for load in loads_of(plan)} == {6, 7}


def test_whom_they_know_comes_first(corp: Corp, alice: Staff, bob: Staff, now: datetime) -> None:
    leaver = leaver_of(corp, now)
    friend, former, quarrelled, stranger = (make_customer(corp, staff=leaver) for _ in range(4))
    make_follow(friend, bob)
    make_follow(former, bob, status="transferred", ended_at=now)
    make_follow(quarrelled, bob, status="deleted_by_customer", ended_at=now)
    for _ in range(9):
        make_customer(corp, staff=bob)

    plan = plan_of(corp, leaver, alice, bob, now=now)

    taker = {item.customer_id: item.to_staff for item in items(plan)}
    assert (taker[friend.pk], taker[former.pk]) == (bob, bob)
    assert (taker[quarrelled.pk], taker[stranger.pk]) == (alice, alice)


def test_a_friend_comes_before_a_former_one(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    leaver = leaver_of(corp, now)
    customer = make_customer(corp, staff=[leaver, bob])
    make_follow(customer, alice, status="transferred", ended_at=now)
    for _ in range(5):
        make_customer(corp, staff=bob)

    plan = plan_of(corp, leaver, alice, bob, now=now)

    assert items(plan)[0].to_staff == bob


def test_colleagues_of_the_department_come_first(corp: Corp, now: datetime) -> None:
    ours, theirs = make_department(corp), make_department(corp)
    leaver = leaver_of(corp, now, departments=[ours])
    near = make_staff(corp, departments=[ours], userid="near")
    far = make_staff(corp, departments=[theirs], userid="far")
    for _ in range(4):
        make_customer(corp, staff=leaver)
        make_customer(corp, staff=near)

    plan = plan_of(corp, leaver, near, far, now=now)

    assert shares(plan) == {"near": 4}


@pytest.mark.parametrize(
    "fields",
    [{"status": "disabled"}, {"leaving_since": "now"}, {"has_customer_contact": False}],
    ids=str,
)
def test_nobody_who_cannot_is_given_anything(
    fields: dict[str, object], corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    Staff.objects.filter(pk=bob.pk).update(
        **{name: now if value == "now" else value for name, value in fields.items()}
    )
    leaver = leaver_of(corp, now)
    for _ in range(3):
        make_customer(corp, staff=leaver)

    plan = plan_of(corp, leaver, alice, bob, now=now)
    assert shares(plan) == {"alice": 3}

    nobody = plan_of(corp, leaver, bob, now=now)
    assert not shares(nobody)
    assert len(items_without_taker(nobody)) == 3


def test_what_running_plans_bring_counts(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    other = make_handover_plan(corp, customers=4, status="executing")
    HandoverItem.objects.filter(plan=other).update(to_staff=bob)
    leaver = leaver_of(corp, now)
    for _ in range(4):
        make_customer(corp, staff=leaver)

    plan = plan_of(corp, leaver, alice, bob, now=now)

    assert shares(plan) == {"alice": 4}


def test_groups_go_to_who_owns_the_fewest(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaver = leaver_of(corp, now)
    owned = [Belonging(f"wr{n}", "", leaver.pk, 3) for n in range(4)]
    owned += [Belonging(f"wrb{n}", "", bob.pk, 3) for n in range(2)]

    class Chats:
        def owned_by(self, staff_ids: object, *, corp: Corp) -> list[Belonging]:
            return [chat for chat in owned if chat.staff_id in list(staff_ids)]  # type: ignore[call-overload]

        def named(self, chat_ids: object, *, corp: Corp) -> list[Belonging]:
            return []

    monkeypatch.setattr("customers.actions.handover.belongings._providers", [Chats()])

    plan = plan_of(corp, leaver, alice, bob, now=now)

    assert shares(plan) == {"alice": 3, "bob": 1}
    without = plan_of(corp, leaver, alice, bob, now=now, include_groups=False)
    assert not items(without)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    loads=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    near=st.lists(st.booleans(), min_size=5, max_size=5),
    knows=st.lists(st.integers(-6, 4), max_size=25),
)
def test_the_rule_for_any_loads_and_acquaintances(
    corp: Corp, now: datetime, loads: list[int], near: list[bool], knows: list[int]
) -> None:
    unit = make_department(corp)
    leaver = leaver_of(corp, now, departments=[unit])
    takers = [
        make_staff(corp, departments=[unit] if is_near else [])
        for _load, is_near in zip(loads, near, strict=False)
    ]
    own = [(taker, make_customer(corp)) for taker, load in zip(takers, loads) for _ in range(load)]  # noqa: B905
    Follow.objects.bulk_create(
        [Follow(corp=corp, customer=each, staff=taker, added_at=now) for taker, each in own]
    )
    waiting = [make_customer(corp, staff=leaver) for _ in knows]
    acquaintances = {
        each.pk: takers[index]
        for each, index in zip(waiting, knows, strict=True)
        if 0 <= index < len(takers)
    }
    for customer in Customer.objects.filter(pk__in=acquaintances):
        make_follow(customer, acquaintances[customer.pk], status="transferred", ended_at=now)

    plan = plan_of(corp, leaver, *takers, now=now)

    rows = items(plan)
    assert len(rows) == len(waiting)
    assert all(row.to_staff_id for row in rows), "somebody was left without a taker"
    for row in rows:
        if row.customer_id in acquaintances:
            assert row.to_staff == acquaintances[row.customer_id]
    strangers = [row for row in rows if row.customer_id not in acquaintances]
    pool = [taker for taker, is_near in zip(takers, near, strict=False) if is_near] or takers
    assert {row.to_staff_id for row in strangers} <= {taker.pk for taker in pool}
    given_to = Counter(row.to_staff_id for row in strangers if row.to_staff_id)
    load_of = {taker.pk: load for taker, load in zip(takers, loads, strict=True)}
    load_of = {
        pk: load + sum(taker.pk == pk for taker in acquaintances.values())
        for pk, load in load_of.items()
    }
    # Nobody who was given a stranger ends more than one above anybody who could have had her.
    after = {taker.pk: load_of[taker.pk] + given_to[taker.pk] for taker in pool}
    for pk in given_to:
        assert after[pk] - min(after.values()) <= 1


def test_assigning_again_moves_only_the_named(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    leaver = leaver_of(corp, now)
    for _ in range(4):
        make_customer(corp, staff=leaver)
    plan = plan_of(corp, leaver, alice, bob, now=now)
    first, *others = items(plan)
    HandoverItem.objects.filter(pk=first.pk).update(tried=[alice.pk])

    assert assign_takers(plan, [first.pk]) == 1

    first.refresh_from_db()
    # Whom the plan found full or unable once is not asked again.
    assert first.to_staff == bob
    assert [item.to_staff for item in items(plan)[1:]] == [item.to_staff for item in others]
