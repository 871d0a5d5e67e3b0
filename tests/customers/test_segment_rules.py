"""Random rules over random customers mean what plain sets say they mean."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator

from customers.actions.segments import SCHEMA, customers_of, describe_rule, explain, validate_rule
from customers.models import Customer
from scrm.tenancy.models import Corp
from tests.customers.population import CITIES, STAGES, Population, make_population
from tests.factories import NOW

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
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=[1, 2])
def population(request: pytest.FixtureRequest, corp: Corp) -> Population:
    return make_population(corp, seed=request.param)


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


def test_rules_mean_what_sets_say(population: Population) -> None:
    corp, validator = population.corp, Draft202012Validator(SCHEMA)

    @EXAMPLES
    @given(rules(population))
    def check(rule: Rule) -> None:
        if not _is_shallow(rule):
            return
        found = customers_of(rule, corp=corp, now=NOW)

        assert set(found.values_list("pk", flat=True)) == population.meant_by(rule)
        validator.validate(rule)
        assert describe_rule(rule, corp=corp)

    check()


def test_explanations_agree_with_the_sql(population: Population) -> None:
    corp = population.corp
    customers = list(Customer.objects.for_corp(corp).select_related("corp", "stage")[:15])

    @settings(EXAMPLES, max_examples=25)
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


def _is_shallow(node: Rule, depth: int = 1) -> bool:
    if "field" in node:
        return depth <= 10
    return depth <= 10 and all(
        _is_shallow(child, depth + 1) for children in node.values() for child in children
    )
