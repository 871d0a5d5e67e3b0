"""Every documented refusal has a cause in the sandbox, and the error table knows what to do about it."""

import pytest

from scrm.channels.wecom.errcodes import MEANINGS, error_of
from tests.conformance.causes import CAUSES, WITHOUT_CAUSE
from tests.conformance.documented import endpoints, named, needs_fixtures, payload
from tests.conformance.stage import Stage

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


@pytest.mark.parametrize("name", [name for name in REFUSALS if name not in WITHOUT_CAUSE])
def test_is_refused_for_the_documented_cause(stage: Stage, name: str) -> None:
    answer = CAUSES[name](stage)

    assert answer["errcode"] == payload(name)["errcode"], answer
    if "hint: " in payload(name)["errmsg"] and "errmsg" in answer:
        assert f"devtool/query?e={answer['errcode']}" in answer["errmsg"]


@pytest.mark.parametrize("name", WITHOUT_CAUSE)
def test_is_answered_when_ordered(stage: Stage, name: str) -> None:
    errcode = payload(name)["errcode"]
    stage.server.faults.fail("department/simplelist", errcode)

    answer = stage.ask("GET", "department/simplelist", {})

    assert answer["errcode"] == errcode


def test_names_documented_refusals_only() -> None:
    assert sorted([*CAUSES, *WITHOUT_CAUSE]) == REFUSALS
