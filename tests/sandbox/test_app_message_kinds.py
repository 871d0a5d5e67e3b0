from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

SEND = "message/send"
ARTICLE = {"title": "周报", "description": "新增 12", "url": "https://scrm.test/week"}
PAGE = {"title": "手册", "thumb_media_id": "m1", "content": "<p>正文</p>"}
GOOD: dict[str, dict[str, Any]] = {
    "text": {"content": "新任务"},
    "markdown": {"content": "**新任务**"},
    "image": {"media_id": "m1"},
    "voice": {"media_id": "m1"},
    "file": {"media_id": "m1"},
    "video": {"media_id": "m1", "title": "演示"},
    "textcard": {"title": "新任务", "description": "请看", "url": "https://scrm.test/t"},
    "news": {"articles": [ARTICLE]},
    "mpnews": {"articles": [PAGE]},
    "miniprogram_notice": {
        "appid": "wx01",
        "title": "任务提醒",
        "content_item": [{"key": "客户", "value": "小满妈"}],
    },
}


@pytest.fixture
def envelope(sandbox: SandboxServer, seller: str) -> dict[str, Any]:
    return {"touser": seller, "agentid": sandbox.credentials.agent_id}


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_tells_every_kind(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any], kind: str
) -> None:
    sandbox.options.check_media = False

    api.ok(SEND, **envelope, msgtype=kind, **{kind: GOOD[kind]})

    (entry,) = sandbox.entries("app_message.told")
    assert entry.data["msgtype"] == kind
    assert entry.data["text"]


@pytest.mark.parametrize(
    ("kind", "changes", "errcode"),
    [
        ("markdown", {"content": ""}, 44004),
        ("image", {"media_id": ""}, 41006),
        ("video", {"media_id": None}, 41006),
        ("video", {"title": 7}, 40058),
        ("textcard", {"title": ""}, 40063),
        ("textcard", {"description": ""}, 40063),
        ("textcard", {"url": ""}, 40063),
        ("textcard", {"url": "https://" + "x" * 2048}, 45002),
        ("news", {"articles": []}, 40058),
        ("news", {"articles": [ARTICLE] * 9}, 40058),
        ("news", {"articles": None}, 40063),
        ("news", {"articles": [ARTICLE | {"title": ""}]}, 40063),
        ("news", {"articles": [ARTICLE | {"url": ""}]}, 40063),
        ("mpnews", {"articles": [PAGE | {"thumb_media_id": ""}]}, 41006),
        ("mpnews", {"articles": [PAGE | {"content": "x" * (666 * 1024 + 1)}]}, 45002),
        ("miniprogram_notice", {"appid": ""}, 40063),
        ("miniprogram_notice", {"title": "短的"}, 40058),
        ("miniprogram_notice", {"title": "十三个字十三个字十三个字长"}, 40058),
        ("miniprogram_notice", {"content_item": [{"key": "a", "value": "b"}] * 11}, 40058),
        ("miniprogram_notice", {"content_item": [{"key": "a"}]}, 40063),
    ],
)
def test_refuses_bodies_that_are_not_as_documented(
    api: Api,
    sandbox: SandboxServer,
    envelope: dict[str, Any],
    kind: str,
    changes: dict[str, Any],
    errcode: int,
) -> None:
    sandbox.options.check_media = False
    body = GOOD[kind] | changes

    assert api.post(SEND, **envelope, msgtype=kind, **{kind: body})["errcode"] == errcode
    assert sandbox.entries("app_message") == []


def test_names_departments_and_labels_that_name_nobody(api: Api, envelope: dict[str, Any]) -> None:
    text = {"msgtype": "text", "text": GOOD["text"]}

    answer = api.ok(SEND, **envelope, **text, toparty="1|999|x", totag="9")

    assert (answer["invalidparty"], answer["invalidtag"]) == ("999|x", "9")
    many = "|".join(map(str, range(101)))
    assert api.post(SEND, **envelope, **text, toparty=many)["errcode"] == 82002
    assert api.post(SEND, **envelope, **text, totag=many)["errcode"] == 82003
    assert api.post(SEND, **(envelope | text | {"touser": "", "totag": "9"}))["errcode"] == 81013


def test_an_app_may_say_so_much_a_day(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any]
) -> None:
    sandbox.options.app_messages_per_head_and_day = 2
    text = {"msgtype": "text", "text": GOOD["text"]}
    everybody = envelope | {"touser": "@all"}

    codes = [api.post(SEND, **everybody, **text)["errcode"] for _ in range(3)]

    assert codes == [0, 0, 45009]
    sandbox.clock.advance(24 * 3600)
    api.token = api.fetch_token()["access_token"]
    assert api.post(SEND, **envelope, **text)["errcode"] == 0


def test_a_member_hears_so_much_an_hour(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any]
) -> None:
    sandbox.options.app_messages_per_hour = 2
    for number in range(3):
        api.ok(SEND, **envelope, msgtype="text", text={"content": str(number)})
        sandbox.clock.advance(120)

    assert sandbox.app_messages()["by_text"] == {"0": 1, "1": 1, "2": 0}
