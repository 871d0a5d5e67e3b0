"""A documented request with anything in place of any of its parts is answered with an errcode."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.documented import endpoint_of, named, needs_fixtures, payload
from tests.conformance.recipes import prepare
from tests.conformance.stage import Stage, fitted

pytestmark = needs_fixtures

ANYTHING: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "0",
    "x" * 5000,
    [],
    {},
    [[]],
    [{}],
    [None],
    [7],
    {"a": []},
    ["x"] * 20_000,
)


@pytest.mark.parametrize("name", named("*.req.json"))
def test_answers_with_anything_in_any_place(stage: Stage, name: str) -> None:
    documented = endpoint_of(name)
    body = fitted(payload(name), prepare(stage, name))
    stage.world.options.calls_per_minute = stage.world.options.ip_calls_per_minute = 10**9
    stage.world.options.calls_per_minute_by_path.clear()
    places = list(places_of(body))

    for place in places:
        for thing in ANYTHING:
            answer = stage.ask(documented.method, documented.path, put(body, place, thing))
            assert isinstance(answer["errcode"], int), (place, thing)
    assert places or body == {}


def places_of(body: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a body."""
    steps = body.items() if isinstance(body, dict) else enumerate(body)
    for step, value in steps:
        yield (step,)
        if isinstance(value, dict | list):
            yield from ((step, *rest) for rest in places_of(value))


def put(body: Any, place: tuple[Any, ...], thing: Any) -> Any:
    """Return the body with the thing in that place."""
    changed = copy.deepcopy(body)
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = thing
    return changed
