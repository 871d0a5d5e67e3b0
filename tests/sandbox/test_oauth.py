from urllib.parse import parse_qs, urlsplit

import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

INFO, DETAIL = "auth/getuserinfo", "auth/getuserdetail"


def test_a_code_tells_once_who_opened_the_page(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    opened = sandbox.people.opens_page(seller, "https://scrm.test/side?tab=1", state="a1")

    query = parse_qs(urlsplit(opened["url"]).query)
    assert query == {"tab": ["1"], "code": [opened["code"]], "state": ["a1"]}
    answer = api.get(INFO, code=opened["code"])
    assert (answer["userid"], "user_ticket" in answer) == (seller, False)
    assert api.get(INFO, code=opened["code"])["errcode"] == 40029
    assert api.get(INFO, code="unknown")["errcode"] == 40029
    assert api.get(INFO)["errcode"] == 40029


def test_a_code_lives_five_minutes(api: Api, sandbox: SandboxServer, seller: str) -> None:
    early, late = (sandbox.people.opens_page(seller)["code"] for _ in range(2))
    sandbox.clock.advance(290)
    assert api.get(INFO, code=early)["userid"] == seller
    sandbox.clock.advance(11)

    assert api.get(INFO, code=late)["errcode"] == 40029


def test_an_outsider_is_named_when_he_is_a_customer(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    codes = [sandbox.people.opens_page(buyers[0])["code"] for _ in range(2)]
    answer = api.get(INFO, code=codes[0])
    assert answer["external_userid"] == buyers[0]
    sandbox.people.member_deletes(seller, buyers[0])

    stranger = api.get(INFO, code=codes[1])

    assert stranger["openid"] == answer["openid"]
    assert not {"external_userid", "userid"} & stranger.keys()


def test_the_older_path_spells_differently(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    member, outsider = (sandbox.people.opens_page(v)["code"] for v in (seller, buyers[0]))

    assert api.get("user/getuserinfo", code=member)["UserId"] == seller
    answer = api.get("user/getuserinfo", code=outsider)
    assert {"OpenId", "external_userid"} <= answer.keys()


def test_a_ticket_shows_private_facts_for_half_an_hour(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    code = sandbox.people.opens_page(seller, private=True)["code"]
    ticket = api.get(INFO, code=code)["user_ticket"]

    facts = api.ok(DETAIL, user_ticket=ticket)
    assert facts["userid"] == seller
    assert {"mobile", "email", "biz_mail", "qr_code", "address"} <= facts.keys()
    assert api.ok(DETAIL, user_ticket=ticket)["mobile"] == facts["mobile"]
    assert api.post(DETAIL, user_ticket="x")["errcode"] == 84015
    assert api.post(DETAIL)["errcode"] == 40063
    sandbox.clock.advance(1801)
    assert api.post(DETAIL, user_ticket=ticket)["errcode"] == 84014


def test_shows_what_the_member_and_the_console_allow(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.options.oauth_fields = ["gender", "mobile"]
    shown: list[dict[str, object]] = []
    for consents in (True, False):
        code = sandbox.people.opens_page(seller, private=True, consents=consents)["code"]
        ticket = api.get(INFO, code=code)["user_ticket"]
        shown.append(api.ok(DETAIL, user_ticket=ticket))

    assert shown[0].keys() == {"errcode", "errmsg", "userid", "gender", "mobile"}
    assert shown[1].keys() == {"errcode", "errmsg", "userid", "gender"}
    assert shown[1]["gender"] == "0"


def test_pages_open_under_the_trusted_domain_only(sandbox: SandboxServer, seller: str) -> None:
    sandbox.options.trusted_domain = "scrm.test:8443"

    assert sandbox.people.opens_page(seller, "https://scrm.test:8443/a")["code"]
    with pytest.raises(ActRefused, match="50001"):
        sandbox.people.opens_page(seller, "https://scrm.test/a")
    with pytest.raises(ActRefused, match="128"):
        sandbox.people.opens_page(seller, "https://scrm.test:8443/a", state="a b")


def test_good_codes_do_not_count_against_the_rate(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.options.calls_per_minute_by_path = {INFO: 1}
    codes = [sandbox.people.opens_page(seller)["code"] for _ in range(3)]

    assert [api.get(INFO, code=code)["errcode"] for code in codes] == [0, 0, 0]
    assert [api.get(INFO, code="x")["errcode"] for _ in range(2)] == [40029, 45009]


@pytest.mark.parametrize(
    ("path", "query"), [("get_jsapi_ticket", {}), ("ticket/get", {"type": "agent_config"})]
)
def test_tickets_run_two_hours_and_are_fetched_seldom(
    api: Api, sandbox: SandboxServer, path: str, query: dict[str, str]
) -> None:
    first = api.get(path, **query)
    assert 7190 <= first["expires_in"] <= 7200
    sandbox.options.tickets_per_hour = 3

    answers = [api.get(path, **query) for _ in range(3)]

    assert [answer["errcode"] for answer in answers] == [0, 0, 45009]
    assert answers[0]["ticket"] == first["ticket"]
    sandbox.clock.advance(3600)
    assert api.get(path, **query)["ticket"] == first["ticket"]
    sandbox.clock.advance(3500)
    api.token = api.fetch_token()["access_token"]
    assert api.get(path, **query)["ticket"] != first["ticket"]


def test_there_is_one_kind_of_app_ticket(api: Api) -> None:
    assert api.get("ticket/get", type="jsapi")["errcode"] == 91040
    assert api.get("ticket/get")["errcode"] == 40063
    corp, app = api.get("get_jsapi_ticket"), api.get("ticket/get", type="agent_config")
    assert corp["ticket"] != app["ticket"]
