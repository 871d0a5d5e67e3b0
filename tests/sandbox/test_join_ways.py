from typing import Any

import pytest
import requests

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

ADD, GET, UPDATE, DELETE = (
    f"externalcontact/groupchat/{verb}_join_way" for verb in ("add", "get", "update", "del")
)


@pytest.fixture
def chats(sandbox: SandboxServer, seller: str) -> list[str]:
    """Two groups of the seller's with room for two customers in each."""
    sandbox.options.chat_size = 3
    return [sandbox.people.chat_create(seller, name) for name in ("一群", "二群")]


def make(api: Api, chats: list[str], **changes: Any) -> str:
    body = {"scene": 2, "chat_id_list": chats, "state": "jc1", "remark": "门店海报"}
    return str(api.ok(ADD, **(body | changes))["config_id"])


def test_tells_what_it_was_made_of(api: Api, chats: list[str]) -> None:
    config_id = make(api, chats, remark="备" * 40, room_base_name="宝妈群", room_base_id=7)

    way = api.ok(GET, config_id=config_id)["join_way"]

    assert way.pop("qr_code").endswith(f"/join/{config_id}.png")
    assert way == {
        "config_id": config_id,
        "scene": 2,
        "remark": "备" * 30,
        "auto_create_room": 1,
        "room_base_name": "宝妈群",
        "room_base_id": 7,
        "chat_id_list": chats,
        "state": "jc1",
        "mark_source": False,
    }


def test_its_picture_is_served(api: Api, sandbox: SandboxServer, chats: list[str]) -> None:
    url = api.ok(GET, config_id=make(api, chats))["join_way"]["qr_code"]

    picture = requests.get(url, timeout=5)

    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert requests.get(f"{sandbox.root_url}join/x.png", timeout=5).status_code == 404


def test_an_update_overwrites_everything(api: Api, chats: list[str]) -> None:
    config_id = make(api, chats, room_base_name="宝妈群", auto_create_room=0)

    api.ok(UPDATE, config_id=config_id, scene=2, chat_id_list=chats[:1])

    way = api.ok(GET, config_id=config_id)["join_way"]
    assert (way["state"], way["remark"], way["room_base_name"]) == ("", "", "")
    assert (way["auto_create_room"], way["chat_id_list"]) == (1, chats[:1])
    assert api.post(UPDATE, config_id=config_id, scene=2)["errcode"] == 40063


def test_a_deleted_code_is_gone(api: Api, sandbox: SandboxServer, chats: list[str]) -> None:
    config_id = make(api, chats)
    api.ok(DELETE, config_id=config_id)

    assert api.post(GET, config_id=config_id)["errcode"] == 41044
    assert api.post(DELETE)["errcode"] == 41043
    with pytest.raises(ActRefused, match="no join code"):
        sandbox.people.scan_join_code(config_id)


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"chat_id_list": []}, 40063),
        ({"chat_id_list": [f"wr{n}" for n in range(6)]}, 41091),
        ({"chat_id_list": ["wrx"]}, 40050),
        ({"scene": 3}, 40058),
        ({"auto_create_room": 2}, 40058),
        ({"state": "门" * 11}, 40058),
        ({"room_base_name": "群" * 41}, 40058),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api, chats: list[str], changes: dict[str, Any], errcode: int
) -> None:
    body = {"scene": 2, "chat_id_list": chats}

    assert api.post(ADD, **(body | changes))["errcode"] == errcode


def test_refuses_dismissed_groups_and_too_many_codes(
    api: Api, sandbox: SandboxServer, chats: list[str]
) -> None:
    sandbox.options.contact_way_limit = 1
    make(api, chats)
    assert api.post(ADD, scene=2, chat_id_list=chats)["errcode"] == 41045
    sandbox.people.chat_dismiss(chats[0])

    assert api.post(ADD, scene=2, chat_id_list=chats)["errcode"] == 49008


def test_fills_one_group_after_the_other_and_then_grows(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str, chats: list[str]
) -> None:
    config_id = make(api, chats, room_base_name="宝妈群", room_base_id=5)

    entered = [sandbox.people.scan_join_code(config_id)["chat_id"] for _ in range(5)]

    grown = entered[-1]
    assert entered == [chats[0], chats[0], chats[1], chats[1], grown]
    detail = api.ok("externalcontact/groupchat/get", chat_id=grown)["group_chat"]
    assert (detail["name"], detail["owner"]) == ("宝妈群5", seller)
    guest = detail["member_list"][1]
    assert (guest["type"], guest["join_scene"], guest["state"]) == (2, 3, "jc1")
    assert api.ok(GET, config_id=config_id)["join_way"]["chat_id_list"] == chats
    assert sandbox.callbacks.drain()
    created, joined = receiver.events[-2:]
    assert (created["ChangeType"], created["ChatId"]) == ("create", grown)
    assert (joined["UpdateDetail"], joined["JoinScene"]) == ("add_member", "3")
    assert joined["CurMemVer"] == detail["member_version"]


def test_a_code_that_does_not_grow_lets_nobody_in_when_full(
    api: Api, sandbox: SandboxServer, chats: list[str], buyers: list[str]
) -> None:
    config_id = make(api, chats[:1], auto_create_room=0)
    sandbox.people.scan_join_code(config_id, buyers[0])
    with pytest.raises(ActRefused, match="already"):
        sandbox.people.scan_join_code(config_id, buyers[0])
    sandbox.people.scan_join_code(config_id, {"name": "新妈妈"})

    with pytest.raises(ActRefused, match="full or dismissed"):
        sandbox.people.scan_join_code(config_id, buyers[1])


def test_counts_who_came_and_went(
    sandbox: SandboxServer, api: Api, chats: list[str], buyers: list[str]
) -> None:
    before = sandbox.groups()
    assert (before["chats"], before["joined"], before["left"]) == (7, 0, 0)
    config_id = make(api, chats)
    sandbox.people.scan_join_code(config_id, buyers[0])
    sandbox.people.scan_join_code(config_id, buyers[1])
    sandbox.people.chat_leave(chats[0], buyers[:1])
    sandbox.people.chat_dismiss(chats[0])

    assert sandbox.groups() == {
        "chats": 6,
        "members": before["members"] - 1,
        "joined": 2,
        "left": 1,
        "ever_joined": before["members"] + 2,
        "ever_left": 3,
    }
