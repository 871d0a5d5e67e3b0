import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

CONVERT = "idconvert/unionid_to_external_userid"
OWN = "externalcontact/unionid_to_external_userid"
BACK = "externalcontact/from_service_external_userid"


@pytest.fixture
def unionid(sandbox: SandboxServer, buyers: list[str]) -> str:
    person = sandbox.world.persons[buyers[0]]
    person.unionid = person.unionid or "oTEST"
    return person.unionid


@pytest.mark.parametrize("path", [CONVERT, OWN])
def test_a_self_built_app_may_not_convert_unionids(api: Api, unionid: str, path: str) -> None:
    assert api.post(path, unionid=unionid, openid="o1")["errcode"] == 48002


def test_a_delegated_app_finds_customers_and_waits_for_others(
    api: Api, sandbox: SandboxServer, unionid: str, buyers: list[str]
) -> None:
    sandbox.options.is_delegated_app = True

    assert api.ok(CONVERT, unionid=unionid, openid="o1")["external_userid"] == buyers[0]
    assert api.ok(OWN, unionid=unionid, openid="o1")["external_userid"] == buyers[0]
    stranger = api.ok(CONVERT, unionid="oNOBODY", openid="o1", subject_type=1)
    assert stranger["external_userid"] == ""
    again = api.ok(CONVERT, unionid="oNOBODY", openid="o1")
    assert stranger["pending_id"] == again["pending_id"]
    assert api.post(OWN, unionid="oNOBODY", openid="o1")["errcode"] == 84061
    assert api.post(CONVERT, unionid=unionid)["errcode"] == 40063
    assert api.post(CONVERT, unionid=unionid, openid="o", subject_type=2)["errcode"] == 40058


def test_conversions_are_counted_by_the_day(api: Api, sandbox: SandboxServer, unionid: str) -> None:
    sandbox.options.is_delegated_app = True
    sandbox.options.calls_per_day_by_path = {CONVERT: 2}
    body = {"unionid": unionid, "openid": "o1"}

    assert [api.post(CONVERT, **body)["errcode"] for _ in range(3)] == [0, 0, 45009]
    sandbox.clock.advance(24 * 3600)
    api.token = api.fetch_token()["access_token"]
    assert api.post(CONVERT, **body)["errcode"] == 0


def test_turns_a_providers_id_into_ours(
    api: Api, sandbox: SandboxServer, buyers: list[str]
) -> None:
    foreign = sandbox.people.shares_with_provider(buyers[0], 1_000_999)

    answer = api.ok(BACK, external_userid=foreign, source_agentid=1_000_999)

    assert foreign != buyers[0]
    assert answer["external_userid"] == buyers[0]
    assert sandbox.people.shares_with_provider(buyers[0], 1_000_999) == foreign
    assert api.post(BACK, external_userid=buyers[0], source_agentid=1)["errcode"] == 40096
    assert api.post(BACK, external_userid=foreign, source_agentid=1)["errcode"] == 40056
    assert api.post(BACK, external_userid=foreign)["errcode"] == 40063
    assert api.post(BACK, source_agentid=1)["errcode"] == 41035
