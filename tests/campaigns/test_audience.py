"""Who speaks to whom, and who is left out why, beside what plain sets say; by random populations."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.actions.audience import audience_of, verdicts_sql
from campaigns.models import Campaign
from customers.models import Customer, HandoverItem, HandoverPlan
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_campaign, make_customer, make_follow, make_segment, make_staff

CUSTOMERS = 60


@dataclass(frozen=True)
class Tie:
    """A live follow as the oracle sees it."""

    pk: int
    staff: Staff
    added_at: datetime
    talked_at: datetime | None
    is_owner: bool


@dataclass
class Person:
    pk: int
    is_blocked: bool
    is_moving: bool
    ties: list[Tie] = field(default_factory=list)


@dataclass
class Population:
    corp: Corp
    staff: list[Staff]
    people: list[Person]


@pytest.fixture(params=[1, 2])
def population(request: pytest.FixtureRequest, corp: Corp) -> Population:
    dice = random.Random(request.param)  # noqa: S311 — not a secret
    staff = [
        make_staff(
            corp,
            status=dice.choice(["active", "active", "left", "disabled"]),
            leaving_since=dice.choice([None, None, NOW]),
        )
        for _ in range(6)
    ]
    plan = HandoverPlan.objects.create(
        corp=corp, kind="in_service", from_staff=staff[0], created_at=NOW
    )
    people = [_person(corp, staff, plan, dice) for _ in range(CUSTOMERS)]
    return Population(corp, staff, people)


def _person(corp: Corp, staff: list[Staff], plan: HandoverPlan, dice: random.Random) -> Person:
    followers = dice.sample(staff, dice.choice([0, 1, 1, 2, 3]))
    is_blocked = dice.random() < 0.1
    customer = make_customer(
        corp,
        live_follows=len(followers),
        is_blocked=is_blocked,
        added_at=NOW if followers else None,
    )
    status = dice.choice(["", "", "", "asked", "waiting", "succeeded", "planned"])
    if status:
        HandoverItem.objects.create(
            corp=corp, plan=plan, customer=customer, kind="in_service", from_staff=staff[0],
            status=status,
        )  # fmt: skip
    person = Person(customer.pk, is_blocked, status in {"asked", "waiting"})
    for follower in followers:
        added_at = NOW - timedelta(days=dice.randint(1, 4))
        talked_at = dice.choice([None, NOW - timedelta(days=dice.randint(0, 2))])
        # At most one follow is the owner's.
        is_owner = dice.random() < 0.3 and not any(tie.is_owner for tie in person.ties)
        follow = make_follow(
            customer, follower, added_at=added_at, last_interaction_at=talked_at, is_owner=is_owner
        )
        person.ties.append(Tie(follow.pk, follower, added_at, talked_at, is_owner))
    other = dice.choice([each for each in staff if each not in followers])
    make_follow(
        customer, other, status="deleted_by_customer", ended_at=NOW, last_interaction_at=NOW
    )
    return person


def _last_chat(tie: Tie) -> Any:
    return (tie.talked_at or datetime.min.replace(tzinfo=NOW.tzinfo), tie.added_at, tie.pk)


def _owner(tie: Tie) -> Any:
    return (tie.is_owner, -tie.added_at.timestamp(), -tie.pk)


def _named(tie: Tie) -> Any:
    talked, added_at, pk = _last_chat(tie)
    return (tie.staff.status == "active", talked, added_at, -pk)


PREFERENCES: dict[str, Callable[[Tie], Any]] = {
    "last_chat": _last_chat,
    "owner": _owner,
    "named": _named,
}


def expected(person: Person, policy: str, named: set[int]) -> tuple[int | None, str]:
    ties = [tie for tie in person.ties if policy != "named" or tie.staff.pk in named]
    staying = [tie for tie in ties if tie.staff.leaving_since is None]
    chosen = max(staying or ties, key=PREFERENCES[policy], default=None)
    sender = chosen.staff if chosen else None
    rules = (
        (person.is_blocked, "blocked"),
        (not person.ties, "no_live_follow"),
        (person.is_moving, "in_handover"),
        (sender is None, "not_followed_by_sender"),
        (sender is not None and sender.status != "active", "sender_inactive"),
        (sender is not None and sender.leaving_since is not None, "sender_leaving"),
    )
    reason = next((reason for applies, reason in rules if applies), "")
    return (sender.pk if sender else None), reason


def verdicts(campaign: Campaign) -> dict[int, tuple[int | None, str]]:
    statement = verdicts_sql(campaign, audience_of(campaign, now=NOW))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT subject_id, staff_id, reason, status FROM ({statement.sql}) AS v",  # noqa: S608
            statement.params,
        )
        rows = cursor.fetchall()
    assert all((status == "planned") == (reason == "") for *_, reason, status in rows)
    return {subject: (staff, reason) for subject, staff, reason, _status in rows}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(policy=st.sampled_from(sorted(PREFERENCES)), chosen=st.sets(st.integers(0, 5), min_size=1))
def test_the_statement_means_what_plain_sets_say(
    population: Population, policy: str, chosen: set[int]
) -> None:
    corp = population.corp
    campaign = make_campaign(corp, segment=make_segment(corp, {"all": []}), sender_policy=policy)
    named = {population.staff[number].pk for number in chosen}
    if policy == "named":
        campaign.senders.set(named)
    # A list, because a segment would leave out those whom nobody follows any more.
    campaign.external_userids = audience_ids(population)

    assert verdicts(campaign) == {
        person.pk: expected(person, policy, named) for person in population.people
    }


def audience_ids(population: Population) -> list[str]:
    people = Customer.objects.filter(pk__in=[person.pk for person in population.people])
    return list(people.values_list("external_userid", flat=True))


def test_a_leaving_colleague_is_passed_over_for_one_who_stays(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    shared = make_customer(corp, live_follows=2, added_at=NOW)
    make_follow(shared, alice, last_interaction_at=NOW)
    make_follow(shared, bob)
    hers = make_customer(corp, staff=alice)
    Staff.objects.filter(pk=alice.pk).update(leaving_since=NOW)

    found = verdicts(make_campaign(corp, segment=make_segment(corp)))

    assert found == {shared.pk: (bob.pk, ""), hers.pk: (alice.pk, "sender_leaving")}
