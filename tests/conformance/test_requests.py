"""Every documented request is taken by the sandbox as the platform would take it."""

import pytest

from scrm.sandbox.endpoints import ENDPOINTS
from tests.conformance.documented import endpoint_of, endpoints, named, needs_fixtures, payload
from tests.conformance.recipes import prepare
from tests.conformance.stage import Stage, fitted

pytestmark = needs_fixtures

REQUESTS = named("*.req.json")
# A group that has a new owner is seen by its members: the owner came in, and owns it.
NEW_OWNERS = ["change_external_chat"] * 4
TOLD = {"groupchat_transfer": NEW_OWNERS, "groupchat_onjob_transfer": NEW_OWNERS}


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


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_not_told(stage: Stage, name: str) -> None:
    """Only what people do is told; what the platform does in consequence is told in its own time."""
    documented = endpoint_of(name)
    body = fitted(payload(name), prepare(stage, name))
    told: list[str] = []
    stage.people.emit = lambda event: told.append(event.name)  # type: ignore[method-assign]

    stage.ask(documented.method, documented.path, body)

    assert told == TOLD.get(documented.slug, [])
