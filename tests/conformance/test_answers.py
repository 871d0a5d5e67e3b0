"""The sandbox answers in the documented shape: the same fields of the same types."""

import pytest

from tests.conformance.documented import endpoint_of, named, needs_fixtures, payload
from tests.conformance.optional import MAY_ADD, MAY_LACK, NOT_ASKED, QUERIES
from tests.conformance.recipes import prepare
from tests.conformance.shapes import difference
from tests.conformance.stage import Stage, fitted

pytestmark = needs_fixtures

ANSWERS = [name for name in named("*.resp.json") if name not in NOT_ASKED]


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_in_the_documented_shape(stage: Stage, name: str) -> None:
    documented = endpoint_of(name)
    requests = [name.replace(".resp.", ".req."), f"{documented.slug}.req.json"]
    request = next((each for each in requests if named(each)), "")
    ids = prepare(stage, request or name)
    body = payload(request) if request else QUERIES.get(name, QUERIES.get(documented.slug, {}))

    answer = stage.ask(documented.method, documented.path, fitted(body, ids))

    assert answer["errcode"] == 0, answer["errmsg"]
    missing, surplus, wrong = difference(payload(name), answer)
    assert missing - MAY_LACK.get(name, set()) == set()
    assert surplus - MAY_ADD.get(name, set()) == set()
    assert wrong == set()


def test_no_exception_has_become_unnecessary() -> None:
    """Names in the lists are those of documented answers."""
    assert MAY_LACK.keys() | MAY_ADD.keys() <= set(ANSWERS)
    assert set(NOT_ASKED) <= set(named("*.resp.json"))
