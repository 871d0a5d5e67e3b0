from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api


def test_gives_the_same_token_inside_its_lifetime(api: Api, sandbox: SandboxServer) -> None:
    sandbox.clock.advance(3600)

    again = api.fetch_token()

    assert again["access_token"] == api.token
    assert 3590 <= again["expires_in"] <= 3600


def test_gives_a_new_token_near_the_end_while_the_old_one_still_works(
    api: Api, sandbox: SandboxServer
) -> None:
    sandbox.clock.advance(7000)

    fresh = api.fetch_token()

    assert fresh["access_token"] != api.token
    assert fresh["expires_in"] == 7200
    assert api.get("department/list")["errcode"] == 0


def test_lets_a_token_live_7200_virtual_seconds(api: Api, sandbox: SandboxServer) -> None:
    sandbox.clock.advance(7199 - 1)
    assert api.get("department/list")["errcode"] == 0

    sandbox.clock.advance(2)
    assert api.get("department/list")["errcode"] == 42001


def test_refuses_a_wrong_secret_and_a_wrong_corp(api: Api) -> None:
    assert api.fetch_token(corpsecret="wrong")["errcode"] == 40001
    assert api.fetch_token(corpid="ww0000000000000000")["errcode"] == 40013
    assert api.fetch_token(corpsecret="")["errcode"] == 41004
    assert api.fetch_token(corpid="")["errcode"] == 41002


def test_refuses_a_missing_and_an_unknown_token(api: Api) -> None:
    assert api.call("GET", "department/list").json()["errcode"] == 41001
    api.token += "x"
    assert api.get("department/list")["errcode"] == 40014


def test_ignores_a_token_in_the_body(api: Api) -> None:
    body = {"access_token": api.token}

    assert api.call("POST", "externalcontact/mark_tag", json=body).json()["errcode"] == 41001


def test_explains_errors_with_the_platforms_hint(api: Api) -> None:
    answer = api.fetch_token(corpsecret="wrong")

    text, _, hint = answer["errmsg"].partition(", hint: [")
    assert text == "invalid credential"
    assert "from ip: 127.0.0.1" in hint
    assert hint.endswith("https://open.work.weixin.qq.com/devtool/query?e=40001")
