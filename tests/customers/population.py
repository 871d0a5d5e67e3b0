"""Made-up customers with everything a rule can ask for, and what rules mean in plain sets."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from customers.actions.derived import derive
from customers.models import (
    BrandEvent,
    Customer,
    CustomerValue,
    Follow,
    Order,
    Segment,
    SegmentMember,
    Stage,
    Tag,
    TagAssignment,
    ValueClass,
)
from groups.models import GroupChat, Membership
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    NOW,
    make_department,
    make_group_chat,
    make_segment,
    make_staff,
    make_stage,
    make_tag,
)

CITIES = ("上海", "Beijing", "", "beijing", "深圳")
STAGES = ("aware", "purchase", "lost")
CODES = ("spring", "spring-2", "shop")
EVENTS = ("cart", "class.joined")
CLASSES = ("important_value", "general_retain", "non_buyer")
_NO_VALUE_IS = {"ne": "in", "not_in": "in", "none_of": "any_of"}


@dataclass
class Person:
    """One customer as the oracle sees her; follows are (userid, department ids) of live ones."""

    gender: int
    stage: str | None
    added_at: datetime | None
    last_interaction_at: datetime | None
    attributes: dict[str, Any]
    tags: set[int] = field(default_factory=set)
    staff: set[str] = field(default_factory=set)
    departments: set[int] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)
    # When, and how much was kept of it.
    orders: list[tuple[datetime, int]] = field(default_factory=list)
    events: list[tuple[str, datetime]] = field(default_factory=list)
    # Days, orders, fen and class of last night's reckoning.
    value: tuple[int, int, int, str] | None = None


@dataclass
class Population:
    corp: Corp
    tags: list[int]
    staff: list[str]
    departments: list[int]
    persons: dict[int, Person]
    chats: list[str]
    lists: list[int]
    segments: dict[int, dict[str, Any]] = field(default_factory=dict)

    def meant_by(self, node: dict[str, Any]) -> set[int]:
        """The primary keys a rule means, by set algebra."""
        everybody = {pk for pk, person in self.persons.items() if person.staff}
        if "field" in node:
            if node["field"] == "segment":
                return self._in_segments(node, everybody)
            test = _TESTS[_kind(node["field"])]
            return {pk for pk in everybody if test(self.persons[pk], node)}
        word, children = next(iter(node.items()))
        sets = [self.meant_by(child) for child in children]
        if word == "all":
            return everybody.intersection(*sets)
        return set().union(*sets) if word == "any" else everybody.difference(*sets)

    def _in_segments(self, leaf: dict[str, Any], everybody: set[int]) -> set[int]:
        named = leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]]
        sets = [self.meant_by(self.segments[pk]) for pk in named]
        if leaf["op"] == "all_of":
            return everybody.intersection(*sets)
        together: set[int] = set().union(*sets)
        return everybody - together if leaf["op"] in _NO_VALUE_IS else together


def make_population(corp: Corp, *, seed: int, size: int = 120) -> Population:
    dice = random.Random(seed)  # noqa: S311
    tags = [*(make_tag(corp) for _ in range(4)), *(make_tag(corp, kind="wecom") for _ in range(4))]
    head = make_department(corp)
    branches = [make_department(corp, parent=head) for _ in range(2)]
    shop = make_department(corp, parent=branches[0])
    places = {"a": [shop], "b": [branches[0]], "c": [branches[1], shop], "d": [head], "e": []}
    staff = {name: make_staff(corp, userid=name, departments=at) for name, at in places.items()}
    stages = {key: make_stage(corp, key) for key in STAGES}
    above = {
        head.pk: {head},
        branches[0].pk: {branches[0], head},
        branches[1].pk: {branches[1], head},
        shop.pk: {shop, branches[0], head},
    }
    chats = [make_group_chat(corp) for _ in range(3)]
    lists = [_make_list(corp) for _ in range(2)]
    persons: dict[int, Person] = {}
    for number in range(size):
        person = _draw_person(dice)
        customer = _make_customer(corp, number, person, stages)
        _follow(dice, customer, person, list(staff.values()))
        _tag(dice, customer, person, tags)
        _join(dice, customer, person, chats, lists)
        _buy(dice, customer, person)
        person.departments = {
            department.department_id
            for name in person.staff
            for place in places[name]
            for department in above[place.pk]
        }
        persons[customer.pk] = person
    derive(persons, now=NOW)
    unused = make_tag(corp)
    population = Population(
        corp=corp,
        tags=[tag.pk for tag in [*tags, unused]],
        staff=sorted(staff),
        departments=[department.department_id for department in [head, *branches, shop]],
        persons=persons,
        chats=[chat.chat_id for chat in chats],
        lists=[each.pk for each in lists],
    )
    population.segments = {each.pk: each.rule for each in lists}
    women = {"any": [{"field": "gender", "op": "eq", "value": 2}]}
    first = make_segment(corp, women)
    others = {
        "all": [
            {"field": "segment", "op": "not_in", "value": [first.pk]},
            {"field": "orders.count", "op": "lt", "value": 2},
        ]
    }
    population.segments |= {first.pk: women, make_segment(corp, others).pk: others}
    return population


def _make_list(corp: Corp) -> Segment:
    made = make_segment(corp, {}, kind="list")
    made.rule = {"field": "list", "op": "in", "value": [made.pk]}
    made.save()
    return made


def _draw_person(dice: random.Random) -> Person:
    attributes = {
        "city": dice.choice([*CITIES, None, ["上海", "深圳"], []]),
        "children": dice.choice([0, 1, 2.5, "1", True, None, [1, 2], {}]),
        "due": dice.choice(["2026-11-17", "2026-11-30T10:00:00+08:00", "soon", "", 20261118]),
    }
    return Person(
        gender=dice.choice([0, 1, 2]),
        stage=dice.choice([None, *STAGES]),
        added_at=None,
        last_interaction_at=dice.choice([None, _draw_time(dice)]),
        attributes={key: value for key, value in attributes.items() if dice.random() < 0.8},
    )


def _draw_time(dice: random.Random) -> datetime:
    # Around midnight in China (16:00 UTC), where days and instants part.
    day = datetime(2026, 11, dice.randint(10, 18), 16, tzinfo=UTC)
    return min(day + dice.choice([timedelta(), timedelta(seconds=-1), timedelta(hours=5)]), NOW)


def _make_customer(corp: Corp, number: int, person: Person, stages: dict[str, Stage]) -> Customer:
    return Customer.objects.create(
        corp=corp,
        external_userid=f"wm{number}",
        gender=person.gender,
        stage=stages[person.stage] if person.stage else None,
        attributes=person.attributes,
        last_interaction_at=person.last_interaction_at,
        created_at=NOW,
        updated_at=NOW,
    )


def _follow(dice: random.Random, customer: Customer, person: Person, staff: list[Staff]) -> None:
    for follower in dice.sample(staff, dice.choice([0, 1, 1, 2, 3])):
        at = _draw_time(dice)
        has_ended = dice.random() < 0.3
        Follow.objects.create(
            corp=customer.corp,
            customer=customer,
            staff=follower,
            added_at=at,
            state=(state := dice.choice(["", *CODES])),
            status="deleted_by_customer" if has_ended else "live",
            ended_at=NOW if has_ended else None,
        )
        if not has_ended:
            person.staff.add(follower.userid)
            person.codes |= {state} - {""}
            person.added_at = min(at, person.added_at or at)


def _tag(dice: random.Random, customer: Customer, person: Person, tags: list[Tag]) -> None:
    for tag in dice.sample(tags, dice.choice([0, 0, 1, 2, 4])):
        follow = customer.follows.order_by("?").first() if tag.kind == "wecom" else None
        if tag.kind == "wecom" and follow is None:
            continue
        TagAssignment.objects.create(
            corp=customer.corp, customer=customer, tag=tag, follow=follow, since=NOW
        )
        # A platform tag counts for as long as its follow lives.
        if follow is None or follow.status == "live":
            person.tags.add(tag.pk)


def _join(
    dice: random.Random,
    customer: Customer,
    person: Person,
    chats: list[GroupChat],
    lists: list[Segment],
) -> None:
    for chat in dice.sample(chats, dice.choice([0, 0, 1, 2])):
        has_left = dice.random() < 0.3
        Membership.objects.create(
            corp=customer.corp,
            chat=chat,
            type="customer",
            member_id=customer.external_userid,
            customer=customer,
            joined_at=NOW,
            left_at=NOW if has_left else None,
        )
        if not has_left:
            person.chats.add(chat.chat_id)
    for each in dice.sample(lists, dice.choice([0, 1, 2])):
        SegmentMember.objects.create(corp=customer.corp, segment=each, customer=customer)
        person.lists.add(each.pk)


def _buy(dice: random.Random, customer: Customer, person: Person) -> None:
    for number in range(dice.choice([0, 0, 1, 2, 3])):
        paid_at, amount = _draw_time(dice), dice.choice([100, 200, 500])
        refunded = dice.choice([0, 0, 100])
        was_paid = dice.random() < 0.8
        Order.objects.create(
            corp=customer.corp,
            customer=customer,
            shop_id="shop",
            order_no=f"{customer.external_userid}-{number}",
            status="paid" if was_paid else "closed",
            amount_fen=amount,
            refunded_fen=refunded,
            paid_at=paid_at if was_paid else None,
            changed_at=NOW,
            received_at=NOW,
        )
        if was_paid:
            person.orders.append((paid_at, amount - refunded))
    for number in range(dice.choice([0, 0, 1, 3])):
        kind, at, is_taken = dice.choice(EVENTS), _draw_time(dice), dice.random() < 0.8
        BrandEvent.objects.create(
            corp=customer.corp,
            customer=customer,
            event_id=f"{customer.external_userid}-{number}",
            type=kind,
            occurred_at=at,
            received_at=NOW,
            status="taken" if is_taken else "quarantined",
        )
        if is_taken:
            person.events.append((kind, at))
    if dice.random() < 0.5:
        person.value = (
            dice.randint(0, 5), dice.randint(0, 3), 100 * dice.randint(0, 5), dice.choice(CLASSES)
        )  # fmt: skip
        days, count, fen, value_class = person.value
        CustomerValue.objects.create(
            corp=customer.corp,
            customer=customer,
            computed_on=NOW.date(),
            first_order_at=NOW,
            last_order_at=NOW,
            recency_days=days,
            frequency=count,
            monetary_fen=fen,
            lifetime_orders=count,
            lifetime_fen=fen,
            r=1,
            f=1,
            m=1,
            value_class=ValueClass(value_class),
        )


def _kind(name: str) -> str:
    if name.startswith("attribute."):
        return "attribute"
    if name.startswith(("orders.", "events.")) or name in _RFM_NUMBERS:
        return "number"
    return "time" if name.endswith("_at") else "values"


def _values_test(person: Person, leaf: dict[str, Any]) -> bool:
    held_by_field: dict[str, set[Any]] = {
        "tags": person.tags,
        "staff": person.staff,
        "department": person.departments,
        "stage": {person.stage} - {None},
        "gender": {person.gender},
        "live_code": person.codes,
        "group_chat": person.chats,
        "list": person.lists,
        "rfm.segment": {person.value[3] if person.value else "non_buyer"},
    }
    held = held_by_field[leaf["field"]]
    op, value = str(leaf["op"]), cast("Any", leaf.get("value"))
    if op == "contains":
        return any(value in one for one in held)
    if op in {"exists", "is_empty"}:
        has_some = bool(held - {0, "non_buyer"})
        return has_some == ((op == "exists") == (value in (None, [], True)))
    values = set(value if isinstance(value, list) else [value])
    if op in _NO_VALUE_IS:
        return held.isdisjoint(values)
    return values <= held if op == "all_of" else not held.isdisjoint(values)


_RFM_NUMBERS = {"rfm.recency": 0, "rfm.frequency": 1, "rfm.monetary": 2}


def _number_test(person: Person, leaf: dict[str, Any]) -> bool:  # noqa: C901, PLR0912
    name, op, value = leaf["field"], str(leaf["op"]), cast("Any", leaf.get("value"))
    number: int | None
    if name in _RFM_NUMBERS:
        is_known = person.value is not None
        number = person.value[_RFM_NUMBERS[name]] if person.value else 0  # type: ignore[assignment]
        if name == "rfm.recency" and not is_known:
            number = None
    else:
        days = leaf.get("within_days")
        since = NOW - timedelta(days=days) if days is not None else NOW - timedelta(days=9999)
        if name.startswith("orders."):
            counted = [amount for at, amount in person.orders if at >= since]
        else:
            kind = name.removeprefix("events.").removesuffix(".count")
            counted = [1 for one, at in person.events if one == kind and at >= since]
        is_known, number = bool(counted), sum(counted)
        if name == "orders.count":
            number = len(counted)
    if op in {"exists", "is_empty"}:
        return is_known == ((op == "exists") == (value in (None, [], True)))
    if op in {"ne", "not_in"}:
        return number not in (value if isinstance(value, list) else [value])
    if number is None:
        return False
    if op == "between":
        return bool(value[0] <= number <= value[1])
    if isinstance(value, list):
        return number in value
    truths: dict[str, bool] = {
        "eq": number == value,
        "gt": number > value,
        "gte": number >= value,
        "lt": number < value,
        "lte": number <= value,
    }
    return truths[op]


def _time_test(person: Person, leaf: dict[str, Any]) -> bool:  # noqa: PLR0911
    at: datetime | None = getattr(person, leaf["field"])
    op, value = str(leaf["op"]), cast("Any", leaf.get("value"))
    if op in {"exists", "is_empty"}:
        return (at is not None) == ((op == "exists") == (value in (None, [], True)))
    if op == "ne":
        return not _time_test(person, {**leaf, "op": "eq"})
    if op == "not_within_days":
        return not _time_test(person, {**leaf, "op": "within_days"})
    if at is None:
        return False
    if op == "within_days":
        return NOW - at <= timedelta(days=value)
    if op == "between":
        return _at_least(at, value[0]) and _at_most(at, value[1])
    return {
        "eq": _at_least(at, value) and _at_most(at, value),
        "gte": _at_least(at, value),
        "gt": not _at_most(at, value),
        "lte": _at_most(at, value),
        "lt": not _at_least(at, value),
    }[op]


def _is_day(text: str) -> bool:
    return len(text) == 10


def _local(at: datetime) -> datetime:
    # China keeps no summer time.
    return at.astimezone(UTC) + timedelta(hours=8)


def _at_least(at: datetime, text: str) -> bool:
    if _is_day(text):
        return _local(at).date() >= date.fromisoformat(text)
    return at >= datetime.fromisoformat(text)


def _at_most(at: datetime, text: str) -> bool:
    if _is_day(text):
        return _local(at).date() <= date.fromisoformat(text)
    return at <= datetime.fromisoformat(text)


def _attribute_test(person: Person, leaf: dict[str, Any]) -> bool:  # noqa: PLR0911
    actual = person.attributes.get(leaf["field"].removeprefix("attribute."))
    op, value = str(leaf["op"]), cast("Any", leaf.get("value"))
    opposite = {"ne": "eq", "not_in": "in", "not_within_days": "within_days"}
    if op in opposite:
        return not _attribute_test(person, {**leaf, "op": opposite[op]})
    if op in {"exists", "is_empty"}:
        is_there = actual is not None and actual not in ("", [], {})
        return is_there == ((op == "exists") == (value in (None, [], True)))
    items = [_typed(item) for item in (actual if isinstance(actual, list) else [actual])]
    if op in {"eq", "in"}:
        values = value if op == "in" else [value]
        return any(_typed(one) in items for one in values)
    if op == "contains":
        is_inside = isinstance(actual, str) and isinstance(value, str) and value in actual
        return is_inside or (isinstance(actual, list) and _typed(value) in items)
    if op == "within_days":
        days = {_local(NOW - timedelta(days=n)).date().isoformat() for n in range(value + 1)}
        return isinstance(actual, str) and actual[:10] in days
    low, high = value if op == "between" else (value, value)
    kind, number = _typed(actual)
    if kind != _typed(low)[0] or kind not in {"text", "number"}:
        return False
    return bool(
        {
            "between": lambda: low <= number <= high,
            "gt": lambda: number > low,
            "gte": lambda: number >= low,
            "lt": lambda: number < low,
            "lte": lambda: number <= low,
        }[op]()
    )


def _typed(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "truth", value
    if isinstance(value, int | float):
        return "number", value
    return ("text", value) if isinstance(value, str) else ("other", repr(value))


_TESTS: dict[str, Callable[[Person, dict[str, Any]], bool]] = {
    "values": _values_test,
    "number": _number_test,
    "time": _time_test,
    "attribute": _attribute_test,
}
