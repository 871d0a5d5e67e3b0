from typing import Any

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_msg_template"
LIST = "externalcontact/get_groupmsg_list_v2"
TASKS = "externalcontact/get_groupmsg_task"
RESULTS = "externalcontact/get_groupmsg_send_result"


def ask(api: Api, text: str = "新品到店", **body: Any) -> str:
    return str(api.ok(ADD, text={"content": text}, **body)["msgid"])


def test_task_rows_turn_from_0_to_2_with_a_send_time(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    msgid = ask(api, sender=seller)
    before = api.ok(TASKS, msgid=msgid)["task_list"]
    sandbox.people.confirm(msgid, seller)

    after = api.ok(TASKS, msgid=msgid)["task_list"]

    assert before == [{"userid": seller, "status": 0}]
    assert after == [{"userid": seller, "status": 2, "send_time": after[0]["send_time"]}]
    assert abs(after[0]["send_time"] - sandbox.clock.now()) < 5


def test_every_recipient_ends_with_his_own_reason(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    msgid = ask(api, sender=seller, external_userid=buyers[:4])
    sandbox.people.customer_deletes(buyers[1], seller)
    sandbox.people.use_up_quota(buyers[2])
    sandbox.people.member_deletes(seller, buyers[3])

    outcome = sandbox.people.confirm(msgid, seller)

    rows = api.ok(RESULTS, msgid=msgid, userid=seller)["send_list"]
    assert outcome == {"delivered": 1, "not_friend": 2, "quota": 1}
    assert [row["external_userid"] for row in rows] == buyers[:4]
    assert [row["status"] for row in rows] == [1, 2, 3, 2]
    assert ["send_time" in row for row in rows] == [True, False, False, False]


def test_a_second_confirmation_changes_nothing(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    msgid = ask(api, sender=seller)
    sandbox.people.confirm(msgid, seller)
    received = dict(sandbox.world.received_log)

    assert sum(sandbox.people.confirm(msgid, seller).values()) == 0
    assert sandbox.world.received_log == received
    assert sandbox.ledger.count("message.confirmed") == 1


def test_group_results_list_sent_rows_only(api: Api, sandbox: SandboxServer) -> None:
    chat = next(iter(sandbox.world.chats.values()))
    sandbox.people.use_up_quota(chat.chat_id)
    other = sandbox.people.chat_create(chat.owner, "新群")
    msgid = ask(api, chat_type="group", sender=chat.owner, chat_id_list=[chat.chat_id, other])
    pending = api.ok(RESULTS, msgid=msgid, userid=chat.owner)["send_list"]
    sandbox.people.confirm(msgid, chat.owner)

    rows = api.ok(RESULTS, msgid=msgid, userid=chat.owner)["send_list"]

    assert pending == []
    assert [(row["chat_id"], row["status"]) for row in rows] == [(other, 1)]


def test_pages_results_by_500_unless_at_most_1000_are_wanted(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    crowd = [sandbox.people.add_customer(seller) for _ in range(1001)]
    msgid = ask(api, sender=seller, external_userid=crowd)

    def page_lengths(**limit: int) -> list[int]:
        pages = api.walk(RESULTS, "send_list", msgid=msgid, userid=seller, **limit)
        return [len(page) for page in pages]

    assert page_lengths() == [500, 500, 1]
    assert page_lengths(limit=1000) == [1000, 1]
    assert page_lengths(limit=1001) == [500, 500, 1]


def test_says_that_a_fresh_message_is_still_being_dispatched(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.options.dispatch_seconds = 60
    msgid = ask(api, sender=seller)

    assert api.post(TASKS, msgid=msgid)["errcode"] == 41063
    assert api.post(RESULTS, msgid=msgid, userid=seller)["errcode"] == 41063
    sandbox.clock.advance(60)
    assert api.post(TASKS, msgid=msgid)["errcode"] == 0


def test_lists_messages_by_kind_and_creator(api: Api, sandbox: SandboxServer, seller: str) -> None:
    by_app = ask(api, sender=seller)
    personal = sandbox.people.send_personally(seller, "个人群发")
    now = int(sandbox.clock.now())
    span = {"chat_type": "single", "start_time": now - 100, "end_time": now + 1}

    def listed(**filters: Any) -> list[str]:
        return [row["msgid"] for row in api.ok(LIST, **span, **filters)["group_msg_list"]]

    assert listed() == [by_app, personal]
    assert listed(filter_type=0) == [by_app]
    assert listed(filter_type=1) == [personal]
    assert listed(creator=seller) == [personal]
    rows = api.ok(LIST, **span)["group_msg_list"]
    assert [row["create_type"] for row in rows] == [0, 1]
    assert type(rows[0]["create_time"]) is int
    assert "creator" not in rows[0]
    assert rows[1]["creator"] == seller


def test_lists_at_most_100_a_page_and_falls_back_to_50(api: Api, seller: str) -> None:
    for number in range(101):
        ask(api, str(number), sender=seller)
    now = api.sandbox.world.now()
    span = {"chat_type": "single", "start_time": now - 1000, "end_time": now + 1}

    def page_lengths(**limit: int) -> list[int]:
        return [len(page) for page in api.walk(LIST, "group_msg_list", **span, **limit)]

    assert page_lengths() == [50, 50, 1]
    assert page_lengths(limit=100) == [100, 1]
    assert page_lengths(limit=101) == [50, 50, 1]


def test_refuses_to_list_more_than_a_month(api: Api) -> None:
    month = 31 * 24 * 3600

    assert api.post(LIST, chat_type="single", start_time=0, end_time=month)["errcode"] == 0
    assert api.post(LIST, chat_type="single", start_time=0, end_time=month + 1)["errcode"] == 40058
    assert api.post(LIST, chat_type="single", start_time=2, end_time=1)["errcode"] == 40058
    assert api.post(LIST, start_time=0, end_time=1)["errcode"] == 40063
