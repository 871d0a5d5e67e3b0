import time
from collections import Counter
from random import Random

import pytest

from scrm.sandbox import generate
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import DAY, build_world
from scrm.sandbox.world import World

START = 1_780_000_000.0


def build(seed: int) -> World:
    return build_world(seed, staff=20, customers=300, groups=6, clock=VirtualClock(start=START))


def picture(world: World) -> tuple[object, ...]:
    return (
        world.credentials,
        world.departments,
        world.members,
        world.persons,
        list(world.relations()),
        world.tags.groups,
        world.tags.tags,
        world.chats,
        world.received_log,
    )


def test_the_same_seed_makes_the_same_brand() -> None:
    assert picture(build(3)) == picture(build(3))


def test_another_seed_makes_another_brand() -> None:
    assert build(3).credentials != build(4).credentials
    assert build(3).persons.keys().isdisjoint(build(4).persons)


def test_makes_exactly_what_was_ordered() -> None:
    world = build_world(1, staff=20, customers=500, groups=7)

    assert len(world.members) == 20
    assert len({relation.external_userid for relation in world.relations()}) == 500
    assert len(world.chats) == 7


def test_looks_like_a_brand() -> None:
    world = build_world(1, customers=2000, clock=VirtualClock(start=START))
    relations = list(world.relations())
    per_customer = Counter(relation.external_userid for relation in relations)
    genders = Counter(person.gender for person in world.persons.values())
    ages = [(START - relation.createtime) / DAY for relation in relations]

    assert {1, 2, 3} == set(per_customer.values())
    assert genders[2] > 0.7 * len(world.persons)
    assert 0.1 < sum(not relation.tag_ids for relation in relations) / len(relations) < 0.3
    assert 0 <= min(ages) < 5
    assert 600 < max(ages) <= 731
    assert sum(age < 30 for age in ages) > 100
    assert {department.parent_id for department in world.departments.values()} >= {0, 1, 2}


def test_ids_have_the_platforms_forms() -> None:
    world = build(3)

    assert {external_userid[:2] for external_userid in world.persons} == {"wm", "wo"}
    assert {chat_id[:2] for chat_id in world.chats} == {"wr"}
    assert {tag_id[:2] for tag_id in world.tags.tags} == {"et"}
    assert len(world.credentials.corp_id) == 18
    assert len(world.credentials.callback_aes_key) == 43
    assert world.mint_id("msg").startswith("msg")


@pytest.mark.parametrize(("staff", "customers"), [(1, 5), (2, 0), (13, 40)])
def test_copes_with_small_sizes(staff: int, customers: int) -> None:
    world = build_world(1, staff=staff, customers=customers, groups=1)

    assert len(world.present_members()) == staff
    assert len(world.persons) >= customers


class CountingDice(Random):
    draws = 0

    def random(self) -> float:
        CountingDice.draws += 1
        return super().random()

    def getrandbits(self, k: int, /) -> int:
        CountingDice.draws += 1
        return super().getrandbits(k)


def test_draws_no_more_for_a_customer_of_a_large_brand(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 000 customers are to be there in less than 10 s; drawing is most of the work."""

    def draws_per_customer(staff: int, customers: int) -> float:
        CountingDice.draws = 0
        build_world(1, staff=staff, customers=customers, groups=staff * 3)
        return CountingDice.draws / customers

    monkeypatch.setattr(generate, "make_dice", lambda *seed: CountingDice(":".join(map(str, seed))))

    small, large = draws_per_customer(20, 1000), draws_per_customer(80, 4000)

    assert small < 100
    assert large < 1.1 * small


def test_builds_five_thousand_customers_in_a_moment() -> None:
    started = time.process_time()

    build_world(1, customers=5000)

    assert time.process_time() - started < 2
