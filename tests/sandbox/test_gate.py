import time
from typing import Any

from scrm.sandbox.server import SandboxServer
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


def test_keeps_connections_open_and_answers_without_delay(api: Api) -> None:
    api.get("department/list")
    durations = []
    for _ in range(100):
        started = time.perf_counter()
        api.get("department/get", id=1)
        durations.append(time.perf_counter() - started)

    # Nagle would cost nearly every call 40 ms; a busy machine delays some, and never all alike.
    assert sorted(durations)[25] < 0.03
    adapter: Any = api.session.get_adapter("http://")
    (pool,) = adapter.poolmanager.pools._container.values()
    assert pool.num_connections == 1


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
