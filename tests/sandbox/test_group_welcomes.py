from typing import Any

import pytest

from scrm.sandbox.media import Medium
from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

ADD, EDIT, GET, DELETE = (
    f"externalcontact/group_welcome_template/{verb}" for verb in ("add", "edit", "get", "del")
)
LINK = {"title": "群规", "url": "https://shop.example/rules", "desc": "先看这里"}


def make(api: Api, text: str = "欢迎%NICKNAME%入群", **more: Any) -> str:
    return str(api.ok(ADD, text={"content": text}, **more)["template_id"])


def test_tells_what_it_says(api: Api) -> None:
    template_id = make(api, link=LINK)

    answer = api.ok(GET, template_id=template_id)

    assert answer["text"] == {"content": "欢迎%NICKNAME%入群"}
    assert answer["link"] == LINK


def test_only_the_first_kind_of_several_is_taken(api: Api, sandbox: SandboxServer) -> None:
    for media_id, kind in (("m-pic", "image"), ("m-doc", "file")):
        medium = Medium(media_id, kind, media_id, b"bytes", sandbox.clock.now())
        sandbox.world.media.add(medium, days=3)
    both = make(api, file={"media_id": "m-doc"}, image={"media_id": "m-pic"})

    answer = api.ok(GET, template_id=both)

    assert "file" not in answer
    assert answer["image"]["pic_url"].startswith(f"{sandbox.root_url}pictures/")


def test_an_edit_replaces_everything(api: Api) -> None:
    template_id = make(api, link=LINK)

    api.ok(EDIT, template_id=template_id, text={"content": "新的欢迎"})

    answer = api.ok(GET, template_id=template_id)
    assert answer["text"] == {"content": "新的欢迎"}
    assert "link" not in answer


def test_a_deleted_one_is_gone(api: Api) -> None:
    template_id = make(api)
    api.ok(DELETE, template_id=template_id)

    for path in (GET, DELETE):
        assert api.post(path, template_id=template_id)["errcode"] == 40058
    assert api.post(GET)["errcode"] == 40063


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40063),
        ({"text": {"content": ""}}, 40063),
        ({"text": "hello"}, 40058),
        ({"text": {"content": "长" * 1001}}, 45002),
        ({"text": {"content": "好"}, "notify": 2}, 40058),
        ({"link": {"title": "无址"}}, 40063),
        ({"image": {"media_id": "gone"}}, 40007),
    ],
)
def test_refuses_what_the_platform_refuses(api: Api, body: dict[str, Any], errcode: int) -> None:
    assert api.post(ADD, **body)["errcode"] == errcode


def test_a_corp_has_so_many(api: Api, sandbox: SandboxServer) -> None:
    assert sandbox.options.group_welcome_limit == 100
    sandbox.options.group_welcome_limit = 2
    first = make(api)
    make(api)
    assert api.post(ADD, text={"content": "第三"})["errcode"] == 41055

    api.ok(DELETE, template_id=first)

    make(api, "第三")


def test_those_of_the_console_are_not_ours(api: Api, sandbox: SandboxServer) -> None:
    template_id = sandbox.people.group_welcome_in_console("管理员写的")

    refused = [
        api.post(path, template_id=template_id, text={"content": "改"})["errcode"]
        for path in (GET, EDIT, DELETE)
    ]

    assert refused == [41058] * 3


def test_a_group_greets_outsiders_who_enter(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    template_id = make(api, link=LINK)
    chat_id = sandbox.people.chat_create(seller, "新群")
    early = sandbox.people.add_customer(seller, {"name": "早到"})
    sandbox.people.chat_join(chat_id, [early])
    sandbox.people.set_chat_welcome(chat_id, template_id)
    late = sandbox.people.add_customer(seller, {"name": "小鱼妈"})
    colleague = next(m.userid for m in sandbox.world.present_members() if m.userid != seller)

    sandbox.people.chat_join(chat_id, [late, colleague])

    (sent,) = sandbox.entries("group_welcome.sent")
    assert sent.data == {
        "chat_id": chat_id,
        "external_userid": late,
        "template_id": template_id,
        "text": "欢迎小鱼妈入群",
        "attachments": ["link"],
    }
    assert sandbox.callbacks.drain()
    assert receiver.events[-1]["UpdateDetail"] == "add_member"


def test_a_group_greets_no_more_once_the_text_is_gone(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    template_id = make(api)
    chat_id = sandbox.people.chat_create(seller, "新群")
    sandbox.people.set_chat_welcome(chat_id, template_id)
    api.ok(DELETE, template_id=template_id)

    sandbox.people.chat_join(chat_id, buyers[:1])

    assert sandbox.entries("group_welcome.sent") == []
    with pytest.raises(ActRefused, match="no group welcome"):
        sandbox.people.set_chat_welcome(chat_id, template_id)
