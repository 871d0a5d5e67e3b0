"""Every documented refusal is known to the error table, with what has to be done about it."""

import pytest

from scrm.channels.wecom.errcodes import MEANINGS, error_of
from tests.conformance.documented import endpoints, named, needs_fixtures, payload

pytestmark = needs_fixtures

REFUSALS = sorted({*named("error.*.json"), *named("*.error*.json")})


def test_there_are_refusals() -> None:
    assert len(REFUSALS) >= 40


@pytest.mark.parametrize("name", REFUSALS)
def test_knows_the_refusal(name: str) -> None:
    answer = payload(name)
    known = endpoints().get(name.partition(".")[0])
    path = known.path if known else ""

    error = error_of(answer["errcode"], answer["errmsg"], path)

    assert answer["errcode"] in MEANINGS
    assert error.errcode == answer["errcode"]
    assert str(MEANINGS[answer["errcode"]].sentence)
