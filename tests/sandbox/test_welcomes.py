from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

SEND = "externalcontact/send_welcome_msg"
HELLO = {"content": "您好，很高兴认识您"}


def add(sandbox: SandboxServer, receiver: Receiver, seller: str, **more: Any) -> dict[str, Any]:
    """Let somebody add the seller; return the event."""
    sandbox.people.add_customer(seller, **more)
    assert sandbox.callbacks.drain()
    return receiver.events[-1]


def greet(api: Api, code: str) -> int:
    return int(api.post(SEND, welcome_code=code, text=HELLO)["errcode"])


def test_greets_once(api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    event = add(sandbox, receiver, seller)
    link = {"title": "新人礼", "url": "https://shop.example/gift"}
    attachments = [{"msgtype": "link", "link": link}]

    api.ok(SEND, welcome_code=event["WelcomeCode"], text=HELLO, attachments=attachments)

    assert greet(api, event["WelcomeCode"]) == 41051
    (sent,) = sandbox.entries("welcome.sent")
    assert sent.data.pop("seconds") < 5
    assert sent.data == {
        "userid": seller,
        "external_userid": event["ExternalUserID"],
        "text": HELLO["content"],
        "attachments": ["link"],
    }
    assert [entry.data["errcode"] for entry in sandbox.entries("welcome.refused")] == [41051]


def test_a_code_is_good_for_twenty_seconds(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    slow, slower = (add(sandbox, receiver, seller)["WelcomeCode"] for _ in range(2))
    sandbox.clock.advance(15)
    assert greet(api, slow) == 0

    sandbox.clock.advance(6)

    assert greet(api, slower) == 41050
    assert greet(api, "made-up") == 41050
    assert api.post(SEND, text=HELLO)["errcode"] == 41049


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40063),
        ({"text": {"content": "长" * 1334}}, 45002),
        ({"attachments": [{"msgtype": "poem"}]}, 41065),
        ({"attachments": [{"msgtype": "link", "link": {"title": "无址"}}]}, 40063),
        ({"attachments": [{"msgtype": "image", "image": {"media_id": "gone"}}]}, 40007),
        ({"attachments": [{"msgtype": "video", "video": {}}] * 10}, 41064),
    ],
)
def test_a_refused_greeting_leaves_the_code_good(
    api: Api,
    sandbox: SandboxServer,
    receiver: Receiver,
    seller: str,
    body: dict[str, Any],
    errcode: int,
) -> None:
    code = add(sandbox, receiver, seller)["WelcomeCode"]

    assert api.post(SEND, welcome_code=code, **body)["errcode"] == errcode
    assert greet(api, code) == 0


def test_who_chats_already_is_not_greeted(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    event = add(sandbox, receiver, seller)

    sandbox.people.customer_says(event["ExternalUserID"], seller, "在吗")

    assert greet(api, event["WelcomeCode"]) == 41051


def test_a_greeting_of_the_half_friend_is_the_only_one(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    half = add(sandbox, receiver, seller, half=True)
    assert greet(api, half["WelcomeCode"]) == 0

    sandbox.people.accept_customer(seller, half["ExternalUserID"])

    assert sandbox.callbacks.drain()
    assert receiver.events[-1]["ChangeType"] == "add_external_contact"
    assert "WelcomeCode" not in receiver.events[-1]


def test_an_unused_half_code_is_followed_by_another_and_one_of_them_greets(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    half = add(sandbox, receiver, seller, half=True)
    sandbox.people.accept_customer(seller, half["ExternalUserID"])
    assert sandbox.callbacks.drain()
    whole = receiver.events[-1]

    assert greet(api, whole["WelcomeCode"]) == 0
    assert greet(api, half["WelcomeCode"]) == 41051


def test_half_friends_who_chat_get_no_second_code(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    half = add(sandbox, receiver, seller, half=True)
    sandbox.people.customer_says(half["ExternalUserID"], seller, "你好")
    sandbox.people.accept_customer(seller, half["ExternalUserID"])

    assert sandbox.callbacks.drain()
    assert "WelcomeCode" not in receiver.events[-1]


def test_who_comes_back_is_greeted_anew(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    event = add(sandbox, receiver, seller)
    assert greet(api, event["WelcomeCode"]) == 0
    sandbox.people.member_deletes(seller, event["ExternalUserID"])
    sandbox.clock.advance(60)

    again = add(sandbox, receiver, seller, person=event["ExternalUserID"])

    assert greet(api, again["WelcomeCode"]) == 0


@pytest.mark.parametrize("for_everybody", [True, False])
def test_a_greeting_of_the_console_leaves_apps_without_codes(
    sandbox: SandboxServer,
    receiver: Receiver,
    seller: str,
    for_everybody: bool,
) -> None:
    if for_everybody:
        sandbox.options.console_welcome = True
    else:
        sandbox.people.set_console_welcome(seller, enabled=True)

    event = add(sandbox, receiver, seller, state="lc1")

    assert "WelcomeCode" not in event
    assert event["State"] == "lc1"
    (greeted,) = sandbox.entries("welcome.by_console")
    assert greeted.data == {"userid": seller, "external_userid": event["ExternalUserID"]}


def test_another_app_that_is_busy_is_waited_for(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.options.rival_welcome_seconds = 5
    sent = add(sandbox, receiver, seller)["WelcomeCode"]
    assert greet(api, sent) == 41096
    sandbox.clock.advance(6)
    assert greet(api, sent) == 41051

    sandbox.options.rival_welcome_sends = False
    unsent = add(sandbox, receiver, seller)["WelcomeCode"]
    assert greet(api, unsent) == 41096
    sandbox.clock.advance(6)

    assert greet(api, unsent) == 0


def test_who_has_not_agreed_to_the_archive_is_greeted_afterwards(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    sandbox.options.archive_agreed = False
    event = add(sandbox, receiver, seller)
    assert greet(api, event["WelcomeCode"]) == 41053

    sandbox.people.agrees_to_archiving(event["ExternalUserID"], seller)

    assert sandbox.callbacks.drain()
    (agreed,) = [e for e in receiver.events if e.get("ChangeType") == "msg_audit_approved"]
    assert greet(api, agreed["WelcomeCode"]) == 0


def test_who_is_no_friend_any_more_is_not_greeted(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    deleted = add(sandbox, receiver, seller)
    sandbox.people.customer_deletes(deleted["ExternalUserID"], seller)
    unready = add(sandbox, receiver, seller)
    sandbox.people.set_customer_contact(seller, enabled=False)

    assert greet(api, unready["WelcomeCode"]) == 84074
    sandbox.people.set_customer_contact(seller, enabled=True)
    assert greet(api, deleted["WelcomeCode"]) == 84061
