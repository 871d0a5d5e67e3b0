from typing import Any

import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

SEND, UPDATE, RECALL = "message/send", "message/update_template_card", "message/recall"
DAY = 24 * 3600
TITLE = {"title": "今日任务", "desc": "三条待确认"}
OPTIONS = [{"id": "o1", "text": "现在"}, {"id": "o2", "text": "晚上"}]
BUTTONS = {
    "card_type": "button_interaction",
    "task_id": "job-1",
    "main_title": TITLE,
    "button_list": [
        {"text": "做完了", "key": "done"},
        {"text": "以后", "style": 2, "key": "later"},
    ],
}
VOTE = {
    "card_type": "vote_interaction",
    "task_id": "job-2",
    "main_title": TITLE,
    "checkbox": {"question_key": "when", "option_list": OPTIONS},
    "submit_button": {"text": "提交", "key": "go"},
}
SELECTS = {
    "card_type": "multiple_interaction",
    "task_id": "job-3",
    "main_title": TITLE,
    "select_list": [{"question_key": "when", "option_list": OPTIONS}],
    "submit_button": {"text": "提交", "key": "go"},
}
NOTICE = {
    "card_type": "text_notice",
    "main_title": TITLE,
    "card_action": {"type": 1, "url": "https://scrm.test/jobs"},
}
NEWS = {
    "card_type": "news_notice",
    "main_title": TITLE,
    "card_image": {"url": "https://scrm.test/a.png"},
    "card_action": {"type": 2, "appid": "wx01"},
}
MENU = {"action_menu": {"desc": "更多", "action_list": [{"text": "不再提醒", "key": "mute"}]}}


@pytest.fixture
def envelope(sandbox: SandboxServer, seller: str) -> dict[str, Any]:
    agent_id = sandbox.credentials.agent_id
    return {"touser": seller, "msgtype": "template_card", "agentid": agent_id}


@pytest.mark.parametrize("card", [BUTTONS, VOTE, SELECTS])
def test_what_can_be_pressed_comes_with_a_code(
    api: Api, envelope: dict[str, Any], card: dict[str, Any]
) -> None:
    assert api.ok(SEND, **envelope, template_card=card)["response_code"]
    assert api.post(SEND, **envelope, template_card=card)["errcode"] == 40058  # its task_id is used


@pytest.mark.parametrize("card", [NOTICE, NEWS])
def test_what_only_notifies_has_none(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any], card: dict[str, Any], seller: str
) -> None:
    answer = api.ok(SEND, **envelope, template_card=card)

    assert "response_code" not in answer
    with pytest.raises(ActRefused, match="nothing can be pressed"):
        sandbox.people.presses_card(seller, answer["msgid"])


@pytest.mark.parametrize(
    ("card", "changes"),
    [
        (NOTICE, {"card_type": "poster"}),
        (NOTICE, {"card_action": {"type": 0}}),
        (NOTICE, {"card_action": {"type": 1}}),
        (NOTICE, {"main_title": {}}),
        (NOTICE, {"source": {"desc_color": 4}}),
        (NOTICE, {"jump_list": [{"title": "a"}] * 4}),
        (NOTICE, {"horizontal_content_list": [{"keyname": "a"}] * 7}),
        (NOTICE, {"horizontal_content_list": [{}]}),
        (NOTICE, MENU),
        (NEWS, {"card_image": None}),
        (BUTTONS, {"task_id": ""}),
        (BUTTONS, {"task_id": "空格"}),
        (BUTTONS, {"button_list": []}),
        (BUTTONS, {"button_list": [{"text": "a", "key": str(n)} for n in range(7)]}),
        (BUTTONS, {"button_list": [{"text": "a"}]}),
        (BUTTONS, {"button_list": [{"text": "a", "key": "k" * 1025}]}),
        (BUTTONS, {"button_list": [{"text": "a", "key": "k", "style": 5}]}),
        (VOTE, {"checkbox": {"question_key": "q", "option_list": OPTIONS[:1] * 2}}),
        (VOTE, {"checkbox": {"question_key": "q", "option_list": OPTIONS, "mode": 2}}),
        (VOTE, {"submit_button": {}}),
        (SELECTS, {"select_list": SELECTS["select_list"] * 4}),  # type: ignore[operator]
    ],
)
def test_refuses_cards_that_are_not_well_formed(
    api: Api,
    sandbox: SandboxServer,
    envelope: dict[str, Any],
    card: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    assert api.post(SEND, **envelope, template_card=card | changes)["errcode"] == 40058
    assert sandbox.app_messages()["messages"] == 0


def test_pressing_tells_who_and_what(
    api: Api, sandbox: SandboxServer, receiver: Receiver, envelope: dict[str, Any], seller: str
) -> None:
    pressed = api.ok(SEND, **envelope, template_card=BUTTONS | MENU)["msgid"]
    voted = api.ok(SEND, **envelope, template_card=VOTE)["msgid"]

    code = sandbox.people.presses_card(seller, pressed, "later")
    sandbox.people.presses_card(seller, voted, selected={"when": ["o1", "o2"]})
    sandbox.people.picks_from_card_menu(seller, pressed, "mute")

    assert sandbox.callbacks.drain()
    first, second, third = receiver.events
    assert (first["Event"], first["FromUserName"]) == ("template_card_event", seller)
    assert (first["EventKey"], first["TaskId"], first["CardType"]) == (
        "later",
        "job-1",
        "button_interaction",
    )
    assert first["ResponseCode"] == code
    assert first["AgentID"] == str(sandbox.credentials.agent_id)
    item = second["SelectedItems"]["SelectedItem"]
    assert (second["EventKey"], item["QuestionKey"]) == ("go", "when")
    assert item["OptionIds"]["OptionId"] == ["o1", "o2"]
    assert (third["Event"], third["EventKey"]) == ("template_card_menu_event", "mute")
    with pytest.raises(ActRefused, match="no button"):
        sandbox.people.presses_card(seller, pressed, "other")
    with pytest.raises(ActRefused, match="no action"):
        sandbox.people.picks_from_card_menu(seller, voted, "mute")


def test_a_code_changes_a_card_once(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any], seller: str
) -> None:
    sent = api.ok(SEND, **envelope, template_card=BUTTONS)
    agent_id = envelope["agentid"]
    change = {"userids": [seller, "nobody"], "agentid": agent_id, "button": {"replace_name": "好"}}

    answer = api.ok(UPDATE, **change, response_code=sent["response_code"])

    assert answer["invaliduser"] == ["nobody"]
    (entry,) = sandbox.entries("card.updated")
    assert entry.data["userids"] == [seller]
    assert api.post(UPDATE, **change, response_code=sent["response_code"])["errcode"] == 40058
    assert api.post(UPDATE, **change, response_code="x")["errcode"] == 40058
    assert api.post(UPDATE, **change)["errcode"] == 40063
    with pytest.raises(ActRefused, match="was changed already"):
        sandbox.people.presses_card(seller, sent["msgid"])


def test_a_code_of_a_press_replaces_the_whole_card_for_72_hours(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any], seller: str
) -> None:
    msgid = api.ok(SEND, **envelope, template_card=BUTTONS)["msgid"]
    early, late = (sandbox.people.presses_card(seller, msgid) for _ in range(2))
    change = {"atall": 1, "agentid": envelope["agentid"], "template_card": NOTICE}
    sandbox.clock.advance(3 * DAY - 60)
    api.token = api.fetch_token()["access_token"]
    api.ok(UPDATE, **change, response_code=early)
    assert sandbox.world.cards.cards[msgid].shown == {seller: NOTICE}
    sandbox.clock.advance(61)

    assert api.post(UPDATE, **change, response_code=late)["errcode"] == 40058


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"agentid": 7}, 301002),
        ({"button": {}}, 40063),
        ({"template_card": {"card_type": "x"}}, 40058),
        ({"userids": []}, 82001),
        ({"userids": ["u"] * 1001}, 40058),
        ({"partyids": ["1"]}, 40058),
        ({"partyids": [1] * 101}, 40058),
    ],
)
def test_refuses_changes_that_make_no_sense_and_keeps_the_code(
    api: Api, envelope: dict[str, Any], seller: str, changes: dict[str, Any], errcode: int
) -> None:
    code = api.ok(SEND, **envelope, template_card=BUTTONS)["response_code"]
    body = {
        "userids": [seller],
        "agentid": envelope["agentid"],
        "response_code": code,
        "button": {"replace_name": "好"},
    }

    assert api.post(UPDATE, **(body | changes))["errcode"] == errcode
    assert api.post(UPDATE, **body)["errcode"] == 0


def test_messages_are_taken_back_within_a_day(
    api: Api, sandbox: SandboxServer, envelope: dict[str, Any], seller: str
) -> None:
    first, second = (
        api.ok(SEND, **envelope, template_card=card)["msgid"] for card in (BUTTONS, VOTE)
    )
    sandbox.clock.advance(DAY - 60)
    api.token = api.fetch_token()["access_token"]
    api.ok(RECALL, msgid=first)
    api.ok(RECALL, msgid=first)
    with pytest.raises(ActRefused, match="was taken back"):
        sandbox.people.presses_card(seller, first)
    sandbox.clock.advance(61)

    assert api.post(RECALL, msgid=second)["errcode"] == 42052
    assert api.post(RECALL, msgid="x")["errcode"] == 41047
    assert api.post(RECALL)["errcode"] == 41046
    assert [entry.data["msgid"] for entry in sandbox.entries("app_message.recalled")] == [first]
