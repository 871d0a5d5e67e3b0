"""Every documented request is taken by the sandbox as the platform would take it."""

import pytest

from scrm.sandbox.endpoints import ENDPOINTS
from tests.conformance.documented import endpoint_of, endpoints, named, needs_fixtures, payload
from tests.conformance.recipes import prepare
from tests.conformance.stage import Stage, fitted

pytestmark = needs_fixtures

REQUESTS = named("*.req.json")


def test_the_sandbox_has_every_documented_endpoint() -> None:
    assert len(endpoints()) >= 114
    missing = {each.slug: each.path for each in endpoints().values() if each.path not in ENDPOINTS}
    assert missing == {}


def test_the_sandbox_takes_each_by_the_documented_method() -> None:
    documented = {each.path: each.method for each in endpoints().values()}

    taken = {path: ENDPOINTS[path].method for path in documented if path in ENDPOINTS}

    assert taken == {path: method for path, method in documented.items() if path in taken}


@pytest.mark.parametrize("name", REQUESTS)
def test_takes_the_documented_request(stage: Stage, name: str) -> None:
    documented = endpoint_of(name)
    ids = prepare(stage, name)

    answer = stage.ask(documented.method, documented.path, fitted(payload(name), ids))

    assert answer["errcode"] == 0, answer["errmsg"]
