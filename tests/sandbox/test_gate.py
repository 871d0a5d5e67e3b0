import socket
from typing import Any
from unittest.mock import Mock

import pytest

from scrm.sandbox.server import SandboxServer
from scrm.sandbox.serving import KeepAliveHandler, OpenSockets
from tests.sandbox.client import Api

MARK = "externalcontact/mark_tag"


def test_checks_in_the_platforms_order(api: Api, sandbox: SandboxServer, seller: str) -> None:
    stranger = next(p for p in sandbox.world.persons if not sandbox.world.followers_of(p))
    tag = next(sandbox.world.tags.living_tags()).id
    ladder: list[tuple[dict[str, Any], int]] = [
        ({"add_tag": [tag]}, 40063),
        ({"add_tag": [tag], "userid": "nobody"}, 41035),
        ({"add_tag": "x", "userid": "nobody", "external_userid": "wmx"}, 40058),
        ({"add_tag": [tag], "userid": "nobody", "external_userid": "wmx"}, 60111),
        ({"add_tag": [tag], "userid": seller, "external_userid": "wmx"}, 40096),
        ({"add_tag": ["etx"], "userid": seller, "external_userid": stranger}, 84061),
    ]

    assert [api.post(MARK, **body)["errcode"] for body, _ in ladder] == [e for _, e in ladder]


def test_reads_a_body_without_content_type(api: Api) -> None:
    query = {"access_token": api.token}

    answer = api.call("POST", "externalcontact/groupchat/list", params=query, data=b'{"limit":1}')

    assert "Content-Type" not in answer.request.headers
    assert len(answer.json()["group_chat_list"]) == 1


def test_warns_of_malformed_json_and_finds_no_parameters(api: Api) -> None:
    query = {"access_token": api.token}

    answer = api.call("POST", "externalcontact/groupchat/list", params=query, data=b"{").json()

    assert answer["errcode"] == 40063
    assert "Warning: wrong json format." in answer["errmsg"]


def test_answers_get_on_a_post_endpoint_with_an_errcode_not_405(api: Api) -> None:
    query = {"access_token": api.token, "limit": "1"}

    answer = api.call("GET", "externalcontact/groupchat/list", params=query)

    assert answer.status_code == 200
    assert answer.json()["errcode"] == 40063


def test_limits_the_rate_per_endpoint_and_virtual_minute(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.calls_per_minute_by_path = {"department/list": 2}

    codes = [api.get("department/list")["errcode"] for _ in range(3)]

    assert codes == [0, 0, 45009]
    assert api.get("department/simplelist")["errcode"] == 0
    sandbox.clock.advance(60)
    assert api.get("department/list")["errcode"] == 0


def test_answers_an_unknown_path_with_404(api: Api) -> None:
    assert api.call("POST", "externalcontact/no_such_thing", json={}).status_code == 404


def test_keeps_connections_open_and_answers_without_delay(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[bool] = []
    pieces: list[int] = []
    add, write = OpenSockets.add, KeepAliveHandler._write

    def note_delay(sockets: OpenSockets, connection: socket.socket) -> None:
        delays.append(not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        add(sockets, connection)

    def count_pieces(handler: KeepAliveHandler, *answer: Any) -> None:
        with monkeypatch.context() as patch:
            spy = Mock(wraps=handler.wfile)
            patch.setattr(handler, "wfile", spy)
            write(handler, *answer)
        pieces.append(spy.write.call_count)

    monkeypatch.setattr(OpenSockets, "add", note_delay)
    monkeypatch.setattr(KeepAliveHandler, "_write", count_pieces)
    api.session.close()

    for _ in range(5):
        api.get("department/get", id=1)

    # One connection, which holds nothing back, and nothing that could be: an answer is one piece.
    assert delays == [False]
    assert pieces == [1] * 5


def test_counts_calls_and_refusals_per_endpoint(api: Api, sandbox: SandboxServer) -> None:
    api.get("department/get", id=1)
    api.get("department/get", id=999)

    assert sandbox.calls()["department/get"] == 2
    assert sandbox.ledger.refusals()["department/get"] == {"60123": 1}


def test_serves_no_more_after_it_stopped(api: Api, sandbox: SandboxServer) -> None:
    sandbox.stop()

    try:
        api.get("department/list")
    except OSError:
        return
    raise AssertionError("a stopped sandbox answered")
