from typing import Any

import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from scrm.sandbox.service_kinds import SAMPLES
from tests.sandbox.client import Api, Receiver

SYNC, SEND, ON_EVENT = "kf/sync_msg", "kf/send_msg", "kf/send_msg_on_event"
HOUR = 3600
HELLO = {"msgtype": "text", "text": {"content": "您好"}}
MENU = {
    "msgtype": "msgmenu",
    "msgmenu": {
        "head_content": "请选择",
        "list": [{"type": "click", "click": {"id": "1", "content": "催单"}}],
    },
}


@pytest.fixture
def desk(sandbox: SandboxServer) -> str:
    return sandbox.people.service_account_opens("售后")


@pytest.fixture
def mother(sandbox: SandboxServer, desk: str) -> str:
    entered = sandbox.people.customer_enters_service(desk, {"name": "小满妈"})
    return entered["external_userid"]


@pytest.fixture
def answer(desk: str, mother: str) -> dict[str, Any]:
    return {"touser": mother, "open_kfid": desk} | HELLO


def test_an_event_brings_the_token_with_which_to_read(
    api: Api, sandbox: SandboxServer, receiver: Receiver, desk: str
) -> None:
    entered = sandbox.people.customer_enters_service(desk, scene="home", scene_param="p=1")
    mother = entered["external_userid"]
    msgid = sandbox.people.customer_writes_to_service(mother, desk, "什么时候发货")

    assert sandbox.callbacks.drain()
    event = receiver.events[0]
    assert (event["Event"], event["OpenKfId"]) == ("kf_msg_or_event", desk)
    assert "FromUserName" not in event
    answer = api.ok(SYNC, open_kfid=desk, token=event["Token"])
    came, wrote = answer["msg_list"]
    assert came["origin"] == 4
    assert came["event"] == {
        "event_type": "enter_session",
        "open_kfid": desk,
        "external_userid": mother,
        "scene": "home",
        "scene_param": "p=1",
        "welcome_code": entered["welcome_code"],
    }
    assert (wrote["msgid"], wrote["origin"], wrote["external_userid"]) == (msgid, 3, mother)
    assert wrote["text"] == {"content": "什么时候发货"}
    assert answer["has_more"] == 0


def test_reads_on_from_a_cursor_that_may_be_kept(
    api: Api, sandbox: SandboxServer, desk: str, mother: str
) -> None:
    sandbox.options.service_reads_without_token_per_minute = 99
    sent = [sandbox.people.customer_writes_to_service(mother, desk, str(n)) for n in range(4)]
    read: list[str] = []
    cursor, has_more = "", 1
    while has_more:
        answer = api.ok(SYNC, open_kfid=desk, cursor=cursor, limit=2)
        cursor, has_more = answer["next_cursor"], answer["has_more"]
        assert len(cursor) <= 64
        read += [row["msgid"] for row in answer["msg_list"]]
    assert read[1:] == sent

    sandbox.clock.advance(6 * HOUR)
    api.token = api.fetch_token()["access_token"]
    last = sandbox.people.customer_writes_to_service(mother, desk, "还在吗")
    answer = api.ok(SYNC, open_kfid=desk, cursor=cursor)
    assert [row["msgid"] for row in answer["msg_list"]] == [last]


def test_what_the_api_sent_is_not_read_and_may_leave_a_page_empty(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, answer: dict[str, Any]
) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, "在吗")
    api.ok(SEND, **answer)
    cursor = api.ok(SYNC, open_kfid=desk, limit=2)["next_cursor"]
    sandbox.people.customer_writes_to_service(mother, desk, "好的")

    page = api.ok(SYNC, open_kfid=desk, cursor=cursor, limit=1)

    assert (page["msg_list"], page["has_more"]) == ([], 1)


def test_keeps_three_days(api: Api, sandbox: SandboxServer, desk: str, mother: str) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, "旧")
    sandbox.clock.advance(3 * 24 * HOUR + 1)
    api.token = api.fetch_token()["access_token"]
    sandbox.people.customer_writes_to_service(mother, desk, "新")

    rows = api.ok(SYNC, open_kfid=desk)["msg_list"]
    assert [row["text"]["content"] for row in rows] == ["新"]


def test_a_token_lives_ten_minutes_and_without_one_reads_are_few(
    api: Api, sandbox: SandboxServer, receiver: Receiver, desk: str, mother: str
) -> None:
    assert sandbox.callbacks.drain()
    token = receiver.events[0]["Token"]
    other = sandbox.people.service_account_opens("售前")
    assert api.post(SYNC, open_kfid=other, token=token)["errcode"] == 95007
    sandbox.clock.advance(601)
    assert api.post(SYNC, open_kfid=desk, token=token)["errcode"] == 95007
    assert api.post(SYNC, open_kfid=desk, token="x")["errcode"] == 95007
    sandbox.options.service_reads_without_token_per_minute = 2

    assert [api.post(SYNC, open_kfid=desk)["errcode"] for _ in range(3)] == [0, 0, 45009]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"open_kfid": ""}, 95000),
        ({"open_kfid": "wkx"}, 95004),
        ({"cursor": "x"}, 40058),
        ({"cursor": "x" * 65}, 40058),
        ({"voice_format": 2}, 40058),
        ({"limit": "x"}, 40058),
    ],
)
def test_refuses_reads_that_make_no_sense(
    api: Api, desk: str, changes: dict[str, Any], errcode: int
) -> None:
    assert api.post(SYNC, **({"open_kfid": desk} | changes))["errcode"] == errcode


def test_five_answers_until_the_customer_writes_again(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, answer: dict[str, Any]
) -> None:
    assert api.post(SEND, **answer)["errcode"] == 95002
    sandbox.people.customer_writes_to_service(mother, desk, "在吗")

    codes = [api.post(SEND, **answer)["errcode"] for _ in range(6)]

    assert codes == [0] * 5 + [95001]
    sandbox.people.customer_writes_to_service(mother, desk, "嗯")
    assert api.ok(SEND, **answer)["msgid"]
    assert sandbox.ledger.count("service.answered") == 6


def test_answers_are_due_within_48_hours(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, answer: dict[str, Any]
) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, "在吗")
    sandbox.clock.advance(48 * HOUR - 60)
    api.token = api.fetch_token()["access_token"]
    assert api.post(SEND, **answer)["errcode"] == 0
    sandbox.clock.advance(61)

    assert api.post(SEND, **answer)["errcode"] == 95002


def test_the_api_is_silent_while_a_servicer_speaks(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, answer: dict[str, Any], seller: str
) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, "在吗")
    sandbox.people.service_session_moves(mother, desk, 3, seller)

    assert api.post(SEND, **answer)["errcode"] == 95018
    sandbox.people.servicer_writes(seller, mother, desk, "我来")
    taken, wrote = api.ok(SYNC, open_kfid=desk)["msg_list"][2:]
    assert (taken["event"]["change_type"], taken["event"]["new_servicer_userid"]) == (1, seller)
    assert (wrote["origin"], wrote["servicer_userid"]) == (5, seller)
    sandbox.people.service_session_moves(mother, desk, 4)
    with pytest.raises(ActRefused, match="has not taken"):
        sandbox.people.servicer_writes(seller, mother, desk, "还在")


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"open_kfid": "wkx"}, 95004),
        ({"touser": ""}, 40063),
        ({"touser": "wmx"}, 40096),
        ({"msgid": "有"}, 40058),
        ({"msgid": "x" * 33}, 40058),
        ({"msgtype": "dance"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"text": {"content": "长" * 683}}, 45002),
        ({"msgtype": "image", "image": {}}, 41006),
        ({"msgtype": "image", "image": {"media_id": "x"}}, 40007),
        ({"msgtype": "location", "location": {"latitude": 91, "longitude": 0}}, 40058),
        ({"msgtype": "ca_link", "ca_link": {}}, 40063),
        ({"msgtype": "msgmenu", "msgmenu": {"list": []}}, 40058),
        ({"msgtype": "msgmenu", "msgmenu": {"list": MENU["msgmenu"]["list"] * 11}}, 40058),  # type: ignore[index]
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"type": "click"}]}}, 40063),
    ],
)
def test_refuses_answers_that_make_no_sense(
    api: Api,
    sandbox: SandboxServer,
    desk: str,
    answer: dict[str, Any],
    changes: dict[str, Any],
    errcode: int,
) -> None:
    sandbox.people.customer_writes_to_service(answer["touser"], desk, "在吗")

    assert api.post(SEND, **(answer | changes))["errcode"] == errcode
    assert sandbox.ledger.count("service.answered") == 0


def test_a_msgid_names_one_message(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, answer: dict[str, Any]
) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, "在吗")

    assert api.ok(SEND, **answer, msgid="order-7")["msgid"] == "order-7"
    assert api.post(SEND, **answer, msgid="order-7")["errcode"] == 95033
    sandbox.people.service_message_fails("order-7", 4)
    event = api.ok(SYNC, open_kfid=desk)["msg_list"][-1]["event"]
    assert (event["event_type"], event["fail_msgid"], event["fail_type"]) == (
        "msg_send_fail",
        "order-7",
        4,
    )


def test_a_welcome_is_said_once_within_20_seconds(
    api: Api, sandbox: SandboxServer, desk: str
) -> None:
    codes = [sandbox.people.customer_enters_service(desk)["welcome_code"] for _ in range(2)]
    assert api.post(ON_EVENT, code="x", **HELLO)["errcode"] == 40029
    image = {"msgtype": "image", "image": {"media_id": "x"}}
    assert api.post(ON_EVENT, code=codes[0], **image)["errcode"] in {40007, 40008}
    assert api.ok(ON_EVENT, code=codes[0], **MENU)["msgid"]

    assert api.post(ON_EVENT, code=codes[0], **HELLO)["errcode"] == 95001
    sandbox.clock.advance(21)
    assert api.post(ON_EVENT, code=codes[1], **HELLO)["errcode"] == 95002


def test_who_was_greeted_or_answered_gets_no_code_for_48_hours(
    api: Api, sandbox: SandboxServer, desk: str
) -> None:
    entered = sandbox.people.customer_enters_service(desk)
    mother = entered["external_userid"]
    api.ok(ON_EVENT, code=entered["welcome_code"], **HELLO)

    assert sandbox.people.customer_enters_service(desk, mother)["welcome_code"] == ""
    sandbox.clock.advance(48 * HOUR + 1)
    assert sandbox.people.customer_enters_service(desk, mother)["welcome_code"]


def test_a_code_of_a_state_holds_while_the_session_is_there(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, seller: str
) -> None:
    queued = sandbox.people.service_session_moves(mother, desk, 2)
    assert api.post(ON_EVENT, code=queued, **MENU)["errcode"] == 40008
    taken = sandbox.people.service_session_moves(mother, desk, 3, seller)

    assert api.post(ON_EVENT, code=queued, **HELLO)["errcode"] == 95018
    assert api.ok(ON_EVENT, code=taken, **HELLO)["msgid"]
    ended = sandbox.people.service_session_moves(mother, desk, 4)
    assert api.ok(ON_EVENT, code=ended, **MENU)["msgid"]
    rows = api.ok(SYNC, open_kfid=desk)["msg_list"]
    codes = [row["event"]["msg_code"] for row in rows if "msg_code" in row.get("event", {})]
    assert codes == [taken, ended]


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_customers_write_every_kind(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, kind: str
) -> None:
    sandbox.people.customer_writes_to_service(mother, desk, kind=kind)

    row = api.ok(SYNC, open_kfid=desk)["msg_list"][-1]
    assert row["msgtype"] == kind
    assert isinstance(row[kind], dict)


def test_tells_of_servicers_recalls_and_refusals(
    api: Api, sandbox: SandboxServer, desk: str, mother: str, seller: str
) -> None:
    msgid = sandbox.people.customer_writes_to_service(mother, desk, "错了")
    sandbox.people.servicer_changes_status(seller, desk, accepts=True)
    sandbox.people.customer_recalls_service_message(msgid)
    sandbox.people.customer_rejects_service(mother, desk, rejects=True)

    rows = api.ok(SYNC, open_kfid=desk)["msg_list"][2:]
    status, recalled, rejected = (row["event"] for row in rows)
    assert (status["servicer_userid"], status["status"]) == (seller, 1)
    assert recalled["recall_msgid"] == msgid
    assert rejected["reject_switch"] == 1
