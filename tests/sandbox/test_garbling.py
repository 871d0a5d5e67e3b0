import json
from typing import Any

import pytest
import requests

from scrm.sandbox.faults import FaultUnknown
from scrm.sandbox.garbling import FORMS
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST, ADD = "department/list", "externalcontact/add_msg_template"


def read(api: Api, path: str = LIST) -> requests.Response:
    return api.call("GET", path, params={"access_token": api.token})


def test_garbled_answers_follow_a_true_act(api: Api, sandbox: SandboxServer, seller: str) -> None:
    sandbox.faults.garble(ADD, "empty")
    body = {"sender": seller, "text": {"content": "新品"}}

    answer = api.call("POST", ADD, params={"access_token": api.token}, json=body)

    assert (answer.status_code, answer.content) == (200, b"")
    assert len(sandbox.world.messages) == 1
    assert api.ok(ADD, **body)["msgid"]


def test_forms_without_json(api: Api, sandbox: SandboxServer) -> None:
    for form in ("html", "empty", "truncated"):
        sandbox.faults.garble(LIST, form)
        answer = read(api)
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.content)
        assert ("html" in answer.headers["Content-Type"]) == (form == "html")


def test_forms_of_wrong_json(api: Api, sandbox: SandboxServer) -> None:
    def garbled(form: str) -> Any:
        sandbox.faults.garble(LIST, form)
        return read(api).json()

    assert isinstance(garbled("not_an_object"), list)
    assert not isinstance(garbled("wrong_types")["department"], list)
    assert garbled("nulls")["department"] is None
    assert garbled("missing_fields").keys() == {"errcode", "errmsg"}
    assert garbled("no_errcode").keys() == {"department"}
    assert garbled("errcode_as_text")["errcode"] == "0"
    assert read(api).json()["errcode"] == 0


def test_there_are_so_many_forms_and_no_other(sandbox: SandboxServer) -> None:
    assert len(FORMS) == 9
    with pytest.raises(FaultUnknown, match="no form 'upside_down'; there are empty, "):
        sandbox.faults.garble(LIST, "upside_down")


def test_other_statuses_of_a_broken_server(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.http_error(LIST, 503)
    assert read(api).status_code == 503
    with pytest.raises(FaultUnknown, match="404 is no status of the 500s"):
        sandbox.faults.http_error(LIST, 404)


def test_a_connection_is_reset(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.reset_connection(LIST)

    with pytest.raises(requests.ConnectionError, match="reset"):
        read(api)
    assert read(api).json()["errcode"] == 0


def test_a_server_may_go_on_rejecting_tokens(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.reject_tokens(times=3)

    codes = []
    for _ in range(4):
        codes.append(api.get(LIST)["errcode"])
        api.token = api.fetch_token()["access_token"]

    assert codes == [40014, 40014, 40014, 0]


def test_shows_what_has_still_to_strike(api: Api, sandbox: SandboxServer) -> None:
    sandbox.faults.fail(LIST, 45033, times=2)
    sandbox.faults.fail(LIST, -1)
    sandbox.faults.garble("*", "html")
    assert sandbox.faults.in_force() == [
        {"kind": "fail", "path": LIST, "value": 45033, "times": 2},
        {"kind": "fail", "path": LIST, "value": -1, "times": 1},
        {"kind": "garble", "path": "*", "value": "html", "times": 1},
    ]

    read(api)

    assert [row["times"] for row in sandbox.faults.in_force()] == [1, 1]
    sandbox.faults.clear()
    assert sandbox.faults.in_force() == []


def test_faults_are_ordered_and_seen_over_the_control_surface(sandbox: SandboxServer) -> None:
    order = {"path": LIST, "form": "html", "times": 2}
    url = sandbox.control_url + "faults"
    assert requests.post(f"{url}/garble", json=order, timeout=5).status_code == 200

    rows = requests.get(url, timeout=5).json()["faults"]
    assert rows == [{"kind": "garble", "path": LIST, "value": "html", "times": 2}]
    wrong = requests.post(f"{url}/garble", json=order | {"form": "x"}, timeout=5)
    assert wrong.status_code == 400
    assert "no form 'x'" in wrong.json()["error"]
