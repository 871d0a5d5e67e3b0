import time

import pytest
import requests

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_msg_template"
TEXT = {"content": "新品到店"}


def test_a_lost_answer_hides_that_the_act_happened(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.faults.lose_answer(ADD)

    with pytest.raises(requests.ConnectionError):
        api.post(ADD, sender=seller, text=TEXT)

    assert len(sandbox.world.messages) == 1
    assert sandbox.summary()["asked_more_than_once"] == []


def test_asking_again_after_a_lost_answer_shows_in_the_ledger(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.faults.lose_answer(ADD)
    body = {"sender": seller, "text": TEXT, "external_userid": buyers[:2]}
    with pytest.raises(requests.ConnectionError):
        api.post(ADD, **body)

    api.ok(ADD, **body)
    api.ok(ADD, **(body | {"text": {"content": "另一条"}}))

    assert sandbox.summary()["asked_more_than_once"] == [
        {"external_userid": buyers[0], "times": 2},
        {"external_userid": buyers[1], "times": 2},
    ]


def test_a_dropped_request_never_happened(api: Api, sandbox: SandboxServer, seller: str) -> None:
    sandbox.faults.drop_request(ADD)

    with pytest.raises(requests.ConnectionError):
        api.post(ADD, sender=seller, text=TEXT)

    assert sandbox.world.messages == {}


def test_fails_as_often_as_ordered_and_then_works(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.fail("department/list", 45033, times=2)

    codes = [api.get("department/list")["errcode"] for _ in range(3)]

    assert codes == [45033, 45033, 0]
    assert api.get("department/simplelist")["errcode"] == 0


def test_a_star_strikes_any_path(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.fail("*", -1)

    assert api.get("department/simplelist")["errcode"] == -1
    assert api.get("department/simplelist")["errcode"] == 0


def test_answers_500_without_json(api: Api, sandbox: SandboxServer, seller: str) -> None:
    sandbox.faults.http_500(ADD)
    query = {"access_token": api.token}

    answer = api.call("POST", ADD, params=query, json={"sender": seller, "text": TEXT})

    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert sandbox.world.messages == {}


def test_delays_an_answer(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.delay("department/list", 0.2)
    started = time.monotonic()

    assert api.get("department/list")["errcode"] == 0
    assert time.monotonic() - started >= 0.2


def test_expires_or_voids_every_token(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.expire_tokens()
    assert api.get("department/list")["errcode"] == 42001

    api.token = api.fetch_token()["access_token"]
    assert api.get("department/list")["errcode"] == 0
    sandbox.faults.void_tokens()
    assert api.get("department/list")["errcode"] == 40014


def test_cleared_orders_do_not_strike(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.fail("*", -1, times=9)
    sandbox.faults.clear()

    assert api.get("department/list")["errcode"] == 0


def test_strikes_are_written_down(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.fail("department/list", 45033)
    api.get("department/list")

    (entry,) = sandbox.entries("fault")
    assert (entry.kind, entry.data["path"]) == ("fault.fail", "department/list")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("fail", {"errcode": None}),
        ("fail", {"errcode": "45009"}),
        ("fail", {"errcode": 0}),
        ("fail", {"errcode": 45009, "times": None}),
        ("http_error", {"status": "502"}),
        ("http_error", {"status": 404}),
        ("delay", {"seconds": None}),
        ("delay", {"seconds": -1}),
        ("lose_answer", {"times": 0}),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_strikes_nobody(
    api: Api, sandbox: SandboxServer, kind: str, more: dict[str, object]
) -> None:
    url = f"{sandbox.control_url}faults/{kind}"

    answer = requests.post(url, json={"path": "department/list"} | more, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sandbox.faults.in_force() == []
    assert api.get("department/list")["errcode"] == 0
