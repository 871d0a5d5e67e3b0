"""Random rules over random customers mean what plain sets say they mean."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator

from customers.actions.segments import (
    contradictions_of,
    customers_of,
    describe_rule,
    explain,
    rule_schema,
    validate_rule,
)
from customers.models import Customer, Tag
from groups.models import GroupChat
from scrm.tenancy.models import Corp, Staff
from tests.customers.population import (
    CITIES,
    CLASSES,
    CODES,
    EVENTS,
    STAGES,
    Population,
    make_population,
)
from tests.factories import NOW, make_segment

Rule = dict[str, Any]

SEVERAL = ("any_of", "all_of", "none_of", "in", "not_in")
FLAGS = st.sampled_from([{}, {"value": True}, {"value": False}, {"value": []}, {"value": None}])
MOMENTS = st.sampled_from(
    ["2026-11-14", "2026-11-15", "2026-11-17T00:00:00+08:00", "2026-11-16T16:00:00Z", "2026-11-18"]
)
SCALARS = st.sampled_from([*CITIES, "1", 0, 1, 2, 2.5, True, False, "2026-11-17", "B"])
ORDERED = st.sampled_from([*CITIES, "2026-11-17", "B"])
NUMBERS = st.sampled_from([0, 1, 2, 2.5, -1])
EXAMPLES = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# Together with the examples of each these are thousands of rules.
SEEDS = range(1, 9)


@pytest.fixture
def population(request: pytest.FixtureRequest, corp: Corp) -> Population:
    return make_population(corp, seed=getattr(request, "param", 1), size=80)


def values(
    field: str, one: SearchStrategy[Any], *, is_single: bool = False
) -> SearchStrategy[Rule]:
    many = st.lists(one, max_size=4)
    ops = ("in", "not_in") if is_single else SEVERAL
    several = st.builds(lambda op, value: {"op": op, "value": value}, st.sampled_from(ops), many)
    single = st.builds(
        lambda op, value: {"op": op, "value": value}, st.sampled_from(["eq", "ne"]), one
    )
    known = st.builds(
        lambda op, flag: {"op": op, **flag}, st.sampled_from(["exists", "is_empty"]), FLAGS
    )
    return st.one_of(several, single, known).map(lambda rest: {"field": field, **rest})


def times(field: str) -> SearchStrategy[Rule]:
    order = st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"])
    single = st.builds(lambda op, value: {"op": op, "value": value}, order, MOMENTS)
    between = st.lists(MOMENTS, min_size=2, max_size=2).map(
        lambda ends: {"op": "between", "value": ends}
    )
    days = st.builds(
        lambda op, value: {"op": op, "value": value},
        st.sampled_from(["within_days", "not_within_days"]),
        st.integers(0, 10),
    )
    return st.one_of(single, between, days).map(lambda rest: {"field": field, **rest})


def attributes(key: str) -> SearchStrategy[Rule]:
    order = st.sampled_from(["gt", "gte", "lt", "lte"])
    ordered = st.builds(
        lambda op, value: {"op": op, "value": value}, order, st.one_of(ORDERED, NUMBERS)
    )
    between = st.one_of(
        st.lists(ORDERED, min_size=2, max_size=2), st.lists(NUMBERS, min_size=2, max_size=2)
    ).map(lambda ends: {"op": "between", "value": ends})
    contains = st.one_of(ORDERED, NUMBERS).map(lambda value: {"op": "contains", "value": value})
    days = st.builds(
        lambda op, value: {"op": op, "value": value},
        st.sampled_from(["within_days", "not_within_days"]),
        st.integers(0, 10),
    )
    rest = st.one_of(ordered, between, contains, days)
    field = f"attribute.{key}"
    return st.one_of(
        rest.map(lambda rest: {"field": field, **rest}), values(field, SCALARS, is_single=True)
    )


def numbers(field: str, *, step: int = 1) -> SearchStrategy[Rule]:
    """Tests of a count or a sum, for some within the last days."""
    one = st.integers(-1, 5).map(lambda number: number * step)
    order = st.sampled_from(["gt", "gte", "lt", "lte"])
    single = st.builds(lambda op, value: {"op": op, "value": value}, order, one)
    between = st.lists(one, min_size=2, max_size=2).map(
        lambda ends: {"op": "between", "value": ends}
    )
    tests = st.one_of(single, between, values(field, one, is_single=True))
    if field.startswith("rfm."):
        return tests.map(lambda rest: {**rest, "field": field})
    windows = st.sampled_from([{}, {}, {"within_days": 0}, {"within_days": 3}])
    return st.builds(lambda rest, window: {**rest, "field": field, **window}, tests, windows)


def saved(field: str, ids: list[int]) -> SearchStrategy[Rule]:
    one = st.sampled_from(ids)
    ops = ("in", "not_in") if field == "list" else SEVERAL
    several = st.builds(
        lambda op, value: {"field": field, "op": op, "value": value},
        st.sampled_from(ops),
        st.lists(one, max_size=3),
    )
    single = st.builds(
        lambda op, value: {"field": field, "op": op, "value": value},
        st.sampled_from(["eq", "ne"]),
        one,
    )
    return st.one_of(several, single)


def rules(population: Population) -> SearchStrategy[Rule]:
    condition = st.one_of(
        values("tags", st.sampled_from(population.tags)),
        values("staff", st.sampled_from(population.staff)),
        values("department", st.sampled_from(population.departments)),
        values("stage", st.sampled_from(STAGES), is_single=True),
        values("gender", st.sampled_from([0, 1, 2]), is_single=True),
        times("added_at"),
        times("last_interaction_at"),
        *(attributes(key) for key in ("city", "children", "due", "missing")),
        values("live_code", st.sampled_from([*CODES, "", "none"])),
        st.sampled_from(["spring", "op", ""]).map(
            lambda part: {"field": "live_code", "op": "contains", "value": part}
        ),
        values("group_chat", st.sampled_from(population.chats)),
        values("rfm.segment", st.sampled_from(CLASSES), is_single=True),
        *(numbers(f"rfm.{name}") for name in ("recency", "frequency")),
        numbers("rfm.monetary", step=100),
        numbers("orders.count"),
        numbers("orders.amount", step=100),
        *(numbers(f"events.{kind}.count") for kind in (*EVENTS, "never")),
        saved("segment", sorted(population.segments)),
        saved("list", population.lists),
    )
    return st.recursive(
        condition,
        lambda children: st.builds(
            lambda word, nodes: {word: nodes},
            st.sampled_from(["all", "any", "none"]),
            st.lists(children, max_size=4),
        ),
        max_leaves=8,
    )


@pytest.mark.slow
@pytest.mark.parametrize("population", SEEDS, indirect=True)
def test_rules_mean_what_sets_say(population: Population) -> None:
    corp = population.corp

    @EXAMPLES
    @given(rules(population))
    def check(rule: Rule) -> None:
        if not _is_shallow(rule):
            return
        found = customers_of(rule, corp=corp, now=NOW)

        assert set(found.values_list("pk", flat=True)) == population.meant_by(rule)

    check()


def test_rules_fit_the_schema_and_can_be_said_in_words(population: Population) -> None:
    corp, validator = population.corp, Draft202012Validator(rule_schema())

    @settings(EXAMPLES, max_examples=40)
    @given(rules(population))
    def check(rule: Rule) -> None:
        if not _is_shallow(rule):
            return
        validator.validate(rule)
        assert describe_rule(rule, corp=corp)

    check()


def test_nobody_is_meant_by_what_is_called_a_contradiction(population: Population) -> None:
    """Two tests of one field each, so that many exclude each other."""
    corp = population.corp

    @settings(EXAMPLES, max_examples=200)
    @given(
        st.lists(
            st.one_of(
                values("tags", st.sampled_from(population.tags[:2])),
                values("gender", st.sampled_from([0, 1, 2]), is_single=True),
                numbers("orders.count"),
                times("added_at"),
            ),
            min_size=2,
            max_size=6,
        )
    )
    def check(parts: list[Rule]) -> None:
        rule = {"all": parts}
        found = contradictions_of(rule, corp=corp, now=NOW)

        assert not (found and population.meant_by(rule))

    check()


def test_explanations_agree_with_the_sql(population: Population) -> None:
    corp = population.corp
    customers = list(Customer.objects.for_corp(corp).select_related("corp", "stage")[:15])

    @settings(EXAMPLES, max_examples=40)
    @given(rules(population))
    def check(rule: Rule) -> None:
        if not _is_shallow(rule):
            return
        compiled = validate_rule(rule, corp=corp)
        meant = set(customers_of(compiled, corp=corp, now=NOW).values_list("pk", flat=True))
        for customer in customers:
            explanation = explain(compiled, customer, now=NOW)

            assert explanation["matched"] == (customer.pk in meant)
            if customer.live_follows:
                assert (explanation["first_failing"] is None) == explanation["matched"]

    check()


def test_explanations_agree_with_membership_in_a_seeded_corp(synced_brand: Corp) -> None:
    corp = synced_brand
    tags = list(Tag.objects.for_corp(corp).values_list("pk", flat=True)[:3])
    staff = list(Staff.objects.for_corp(corp).values_list("userid", flat=True)[:2])
    chat = GroupChat.objects.for_corp(corp).values_list("chat_id", flat=True)[0]
    women = make_segment(corp, {"field": "gender", "op": "eq", "value": 2})
    leaves: list[Rule] = [
        {"field": "tags", "op": "any_of", "value": tags},
        {"field": "tags", "op": "none_of", "value": tags[:1]},
        {"field": "staff", "op": "all_of", "value": staff},
        {"field": "group_chat", "op": "eq", "value": chat},
        {"field": "group_chat", "op": "is_empty"},
        {"field": "live_code", "op": "exists"},
        {"field": "stage", "op": "is_empty"},
        {"field": "added_at", "op": "within_days", "value": 200},
        {"field": "orders.count", "op": "lt", "value": 1},
        {"field": "rfm.recency", "op": "exists"},
        {"field": "segment", "op": "in", "value": [women.pk]},
    ]
    together = [{"all": leaves[:2]}, {"any": leaves[2:5]}, {"none": [leaves[0], leaves[10]]}]
    customers = list(Customer.objects.for_corp(corp).select_related("corp", "stage"))
    assert len(customers) >= 40

    for rule in [*leaves, *together]:
        compiled = validate_rule(rule, corp=corp)
        meant = set(customers_of(compiled, corp=corp, now=NOW).values_list("pk", flat=True))
        told = {each.pk for each in customers if explain(compiled, each, now=NOW)["matched"]}
        assert told == meant, rule


def _is_shallow(node: Rule, depth: int = 1) -> bool:
    if "field" in node:
        return depth <= 10
    return depth <= 10 and all(
        _is_shallow(child, depth + 1) for children in node.values() for child in children
    )
