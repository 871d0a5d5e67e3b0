from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

SEND = "message/send"


@pytest.fixture
def message(sandbox: SandboxServer, seller: str) -> dict[str, Any]:
    return {
        "touser": seller,
        "msgtype": "text",
        "agentid": sandbox.credentials.agent_id,
        "text": {"content": "请确认群发"},
    }


def test_tells_those_who_exist_and_names_the_others(
    api: Api, sandbox: SandboxServer, message: dict[str, Any], seller: str
) -> None:
    answer = api.ok(SEND, **(message | {"touser": f"{seller.upper()}|Nobody|{seller}"}))

    assert answer["invaliduser"] == "nobody"
    assert answer["msgid"]
    (entry,) = sandbox.entries("app_message")
    assert entry.data == {
        "msgid": answer["msgid"],
        "userids": [seller],
        "msgtype": "text",
        "text": "请确认群发",
    }
    assert sandbox.app_messages() == {"messages": 1, "told": 1, "by_text": {"请确认群发": 1}}


def test_tells_everybody_and_departments(
    api: Api, sandbox: SandboxServer, message: dict[str, Any]
) -> None:
    api.ok(SEND, **(message | {"touser": "@all"}))
    leader = next(m for m in sandbox.world.present_members() if m.departments == [1])
    api.ok(SEND, **(message | {"touser": "", "toparty": "1"}))

    first, second = sandbox.entries("app_message.told")
    assert len(first.data["userids"]) == 8
    assert leader.userid in second.data["userids"]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"touser": "nobody|noone"}, 81013),
        ({"touser": ""}, 82001),
        ({"touser": "|".join(f"u{n}" for n in range(1001))}, 40032),
        ({"agentid": 1}, 301002),
        ({"agentid": "x"}, 40056),
        ({"agentid": None}, 40056),
        ({"msgtype": "dance"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"text": {}}, 44004),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api,
    sandbox: SandboxServer,
    message: dict[str, Any],
    changes: dict[str, Any],
    errcode: int,
) -> None:
    assert api.post(SEND, **(message | changes))["errcode"] == errcode
    assert sandbox.app_messages()["messages"] == 0


def test_drops_repeats_within_the_interval_when_asked_to(
    api: Api, sandbox: SandboxServer, message: dict[str, Any]
) -> None:
    checked = message | {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    first = api.ok(SEND, **checked)["msgid"]

    assert api.ok(SEND, **checked)["msgid"] == first
    assert api.ok(SEND, **(checked | {"text": {"content": "另一件事"}}))["msgid"] != first
    sandbox.clock.advance(601)
    assert api.ok(SEND, **checked)["msgid"] != first
    assert api.ok(SEND, **message)["msgid"] != first
    assert sandbox.app_messages()["by_text"] == {"请确认群发": 3, "另一件事": 1}


def test_a_message_whose_answer_is_lost_was_told(
    api: Api, sandbox: SandboxServer, message: dict[str, Any]
) -> None:
    sandbox.faults.lose_answer(SEND)
    with pytest.raises(OSError, match="Connection"):
        api.post(SEND, **message)

    assert sandbox.app_messages()["told"] == 1


def test_passes_over_whoever_is_told_too_much(
    api: Api, sandbox: SandboxServer, message: dict[str, Any], seller: str
) -> None:
    sandbox.options.app_messages_per_minute = 2
    for number in range(3):
        assert api.ok(SEND, **(message | {"text": {"content": str(number)}}))["invaliduser"] == ""

    assert sandbox.app_messages()["by_text"] == {"0": 1, "1": 1, "2": 0}
    (dropped,) = sandbox.entries("app_message.dropped")
    assert dropped.data["userids"] == [seller]
    sandbox.clock.advance(61)
    api.ok(SEND, **(message | {"text": {"content": "3"}}))
    assert sandbox.app_messages()["told"] == 3


def test_cuts_what_is_too_long(api: Api, sandbox: SandboxServer, message: dict[str, Any]) -> None:
    api.ok(SEND, **(message | {"text": {"content": "长" * 1000}}))

    assert sandbox.app_messages()["by_text"] == {"长" * 682: 1}
