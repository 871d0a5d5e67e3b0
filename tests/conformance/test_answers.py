"""The sandbox answers in the documented shape: the same fields of the same types, rows included."""

from typing import Any

import pytest

from tests.conformance.answers import SCENES, Scene
from tests.conformance.documented import endpoint_of, named, needs_fixtures, payload
from tests.conformance.optional import MAY_ADD, MAY_LACK, QUERIES, WITHOUT_SAMPLE
from tests.conformance.recipes import prepare
from tests.conformance.shapes import difference, empty_lists
from tests.conformance.stage import Stage, fitted

pytestmark = needs_fixtures

ANSWERS = named("*.resp.json")


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_in_the_documented_shape(stage: Stage, name: str) -> None:
    request = request_of(name)
    scenes = SCENES.get(name) or (Scene(lambda stage: prepare(stage, request or name)),)

    answers = [play(stage, name, request, scene) for scene in scenes]

    assert [answer["errcode"] for answer in answers] == [0] * len(scenes), answers
    missing, surplus, wrong = difference(payload(name), *answers)
    assert missing == MAY_LACK.get(name, {}).keys()
    assert surplus == MAY_ADD.get(name, {}).keys()
    assert wrong == set()


def test_lists_without_rows_are_known_by_name() -> None:
    found = {name: empty_lists(payload(name)) for name in ANSWERS}

    assert {name: lists for name, lists in found.items() if lists} == {
        name: set(lists) for name, lists in WITHOUT_SAMPLE.items()
    }


def test_names_documented_answers_only() -> None:
    assert SCENES.keys() | MAY_LACK.keys() | MAY_ADD.keys() <= set(ANSWERS)


def request_of(name: str) -> str:
    """The documented request that is answered so, or of its endpoint; nothing for one without."""
    requests = [name.replace(".resp.", ".req."), f"{endpoint_of(name).slug}.req.json"]
    return next((each for each in requests if named(each)), "")


def play(stage: Stage, name: str, request: str, scene: Scene) -> dict[str, Any]:
    """Ask what the scene asks, or else the documented request."""
    documented = endpoint_of(name)
    ids = scene.prepare(stage)
    query = QUERIES.get(name, QUERIES.get(documented.slug, {}))
    body = scene.body if scene.body is not None else payload(request) if request else query
    if scene.upload:
        return stage.upload(documented.path, dict(body), scene.upload)
    return stage.ask(documented.method, documented.path, fitted(body, ids))
