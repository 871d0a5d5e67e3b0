from typing import Any

import pytest

from scrm.sandbox.days import day_of
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

BEHAVIOUR = "externalcontact/get_user_behavior_data"
CHATS = "externalcontact/groupchat/statistic"
CHATS_BY_DAY = "externalcontact/groupchat/statistic_group_by_day"
FIND_CHAT = "externalcontact/opengid_to_chatid"
DAY, MINUTE = 24 * 3600, 60


@pytest.fixture
def noon(sandbox: SandboxServer, api: Api) -> int:
    """The start of a day at whose noon it is; nothing happens around midnight."""
    day = day_of(sandbox.clock.now()) + DAY
    sandbox.clock.set(day + 12 * 3600)
    api.token = api.fetch_token()["access_token"]
    return day


def next_day(api: Api, sandbox: SandboxServer, days: int = 1) -> None:
    sandbox.clock.advance(days * DAY)
    api.token = api.fetch_token()["access_token"]


def behaviour(api: Api, day: int, *userids: str) -> dict[str, Any]:
    (row,) = api.ok(BEHAVIOUR, userid=list(userids), start_time=day, end_time=day)["behavior_data"]
    assert row.pop("stat_time") == day
    return dict(row)


def count(api: Api, day: int, owner: str) -> dict[str, int]:
    asked = {"day_begin_time": day, "owner_filter": {"userid_list": [owner]}}
    (row,) = api.ok(CHATS_BY_DAY, **asked)["items"]
    assert row["stat_time"] == day
    return dict(row["data"])


def test_counts_chats_messages_and_answers(
    api: Api, sandbox: SandboxServer, noon: int, seller: str, buyers: list[str]
) -> None:
    people = sandbox.people
    people.customer_says(buyers[0], seller, "还有货吗")
    sandbox.clock.advance(10 * MINUTE)
    people.staff_says(seller, buyers[0], "有的")
    people.staff_says(seller, buyers[0], "今天发")
    people.customer_says(buyers[1], seller, "在吗")
    people.staff_says(seller, buyers[2], "新品到了")
    next_day(api, sandbox)

    row = behaviour(api, noon, seller)

    assert (row["chat_cnt"], row["message_cnt"]) == (2, 3)
    assert (row["reply_percentage"], row["avg_reply_time"]) == (50.0, 10)


def test_counts_who_came_and_who_went(
    api: Api, sandbox: SandboxServer, noon: int, seller: str, buyers: list[str]
) -> None:
    before = [r for r in sandbox.world.customers_of(seller) if day_of(r.createtime) == noon]
    came = sandbox.people.add_customer(seller)
    sandbox.people.add_customer(seller, half=True)
    sandbox.people.member_deletes(seller, came)
    sandbox.people.add_customer(seller, came)
    sandbox.people.customer_deletes(buyers[0], seller)
    next_day(api, sandbox)

    row = behaviour(api, noon, seller)

    assert row["new_contact_cnt"] == len(before) + 2
    assert row["negative_feedback_cnt"] == 1
    assert row["new_apply_cnt"] == 0
    assert "reply_percentage" not in row
    assert "avg_reply_time" not in row


def test_counts_whom_members_asked_from_what_is_known_of_the_past(
    api: Api, sandbox: SandboxServer, noon: int, seller: str
) -> None:
    own = sandbox.world.customers_of(seller)
    start = noon - 29 * DAY
    recent = [r for r in own if start <= r.createtime < noon + DAY]
    assert recent
    next_day(api, sandbox)

    rows = api.ok(BEHAVIOUR, userid=[seller], start_time=start, end_time=noon)["behavior_data"]

    assert [row["stat_time"] for row in rows] == list(range(start, noon + 1, DAY))
    assert sum(row["new_contact_cnt"] for row in rows) == len(recent)
    asked = sum(r.oper_userid == seller for r in recent)
    assert sum(row["new_apply_cnt"] for row in rows) == asked


def test_several_members_are_added_up(
    api: Api, sandbox: SandboxServer, noon: int, seller: str, buyers: list[str]
) -> None:
    other = next(m.userid for m in sandbox.world.present_members() if m.can_follow)
    if other == seller:
        other = [m.userid for m in sandbox.world.present_members() if m.can_follow][1]
    guest = sandbox.people.add_customer(other)
    sandbox.people.staff_says(seller, buyers[0], "您好")
    sandbox.people.staff_says(other, guest, "您好")
    next_day(api, sandbox)

    whole = api.ok(BEHAVIOUR, partyid=[1], start_time=noon, end_time=noon)["behavior_data"]

    assert behaviour(api, noon, seller, other)["chat_cnt"] == 2
    assert whole[0]["message_cnt"] == 2


def test_asks_for_somebody_and_for_days_that_are_over(
    api: Api, sandbox: SandboxServer, noon: int, seller: str
) -> None:
    def ask(start: int, end: int) -> int:
        days = {"start_time": noon + start * DAY, "end_time": noon + end * DAY}
        return int(api.post(BEHAVIOUR, userid=[seller], **days)["errcode"])

    assert ask(-30, -1) == 0
    assert ask(-180, -160) == 0
    assert {ask(-31, -1), ask(-1, 0), ask(-181, -170), ask(-1, -2)} == {60267}
    days = {"start_time": noon - DAY, "end_time": noon - DAY}
    assert api.post(BEHAVIOUR, **days)["errcode"] == 40063
    assert api.post(BEHAVIOUR, userid=["nobody"], **days)["errcode"] == 60111
    assert api.post(BEHAVIOUR, partyid=[999], **days)["errcode"] == 60123
    assert api.post(BEHAVIOUR, userid=[seller] * 101, **days)["errcode"] == 40058


def test_counts_groups_people_and_messages_at_the_end_of_each_day(
    api: Api, sandbox: SandboxServer, noon: int, seller: str, buyers: list[str]
) -> None:
    people = sandbox.people
    chat_id = people.chat_create(seller, "新群", buyers[:2])
    sandbox.clock.advance(MINUTE)
    people.chat_join(chat_id, buyers[2:5])
    people.chat_leave(chat_id, buyers[2:3])
    people.customer_says(buyers[0], room=chat_id, text="大家好")
    people.staff_says(seller, room=chat_id, text="欢迎")
    next_day(api, sandbox)
    people.chat_leave(chat_id, buyers[3:4])
    people.customer_says(buyers[0], room=chat_id, text="早")
    next_day(api, sandbox)
    people.chat_dismiss(chat_id)
    next_day(api, sandbox)

    eve, first, second, third = (count(api, noon + n * DAY, seller) for n in (-1, 0, 1, 2))

    assert (first["new_chat_cnt"], first["chat_total"]) == (1, eve["chat_total"] + 1)
    assert (first["new_member_cnt"], first["member_total"]) == (3, eve["member_total"] + 5)
    assert (first["chat_has_msg"], first["member_has_msg"], first["msg_total"]) == (1, 2, 2)
    assert (second["new_chat_cnt"], second["new_member_cnt"]) == (0, 0)
    assert second["member_total"] == eve["member_total"] + 4
    assert (second["member_has_msg"], second["msg_total"]) == (2, 3)
    assert third == eve


def test_compares_owners_in_the_order_asked_for(
    api: Api, sandbox: SandboxServer, noon: int
) -> None:
    owners = sorted({chat.owner for chat in sandbox.world.chats.values()})
    idle = next(m.userid for m in sandbox.world.present_members() if m.userid not in owners)
    asked = {"day_begin_time": noon - DAY, "owner_filter": {"userid_list": [*owners, idle]}}

    def ask(**more: int) -> dict[str, Any]:
        return api.ok(CHATS, **asked, **more)

    most, fewest = ask(order_by=4), ask(order_by=4, order_asc=1)
    paged = [ask(order_by=4, offset=n, limit=2) for n in (0, 2)]

    assert most["total"] == len(owners)
    sizes = [item["data"]["member_total"] for item in most["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert [i["data"]["member_total"] for i in fewest["items"]] == sizes[::-1]
    assert [p["next_offset"] for p in paged] == [2, 4]
    assert paged[0]["items"] + paged[1]["items"] == most["items"][:4]
    assert sum(sizes) == sum(len(chat.members) for chat in sandbox.world.chats.values())


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"owner_filter": {}}, 40063),
        ({"owner_filter": {"userid_list": ["nobody"]}}, 60111),
        ({"owner_filter": {"userid_list": ["u"] * 101}}, 40058),
        ({"order_by": 5}, 40058),
        ({"offset": -1}, 40058),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api, noon: int, seller: str, changes: dict[str, Any], errcode: int
) -> None:
    body = {"day_begin_time": noon - DAY, "owner_filter": {"userid_list": [seller]}}

    assert api.post(CHATS, **(body | changes))["errcode"] == errcode


@pytest.mark.parametrize("path", [CHATS, CHATS_BY_DAY])
def test_groups_are_counted_for_days_that_are_over(
    api: Api, noon: int, seller: str, path: str
) -> None:
    def ask(first: int, last: int) -> int:
        days = {"day_begin_time": noon + first * DAY, "day_end_time": noon + last * DAY}
        return int(api.post(path, owner_filter={"userid_list": [seller]}, **days)["errcode"])

    assert ask(-30, -1) == 0
    assert {ask(-31, -1), ask(0, 0), ask(-181, -170), ask(-1, -2)} == {60267}


def test_finds_a_group_by_the_name_mini_programs_know(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    chat_id = sandbox.people.chat_create(seller, "小程序群")
    opengid = sandbox.people.open_miniprogram_in_chat(chat_id)

    assert sandbox.people.open_miniprogram_in_chat(chat_id) == opengid
    assert api.ok(FIND_CHAT, opengid=opengid)["chat_id"] == chat_id
    assert api.post(FIND_CHAT, opengid="made-up")["errcode"] == 90511
    assert api.post(FIND_CHAT)["errcode"] == 40063
    sandbox.people.chat_dismiss(chat_id)

    assert api.post(FIND_CHAT, opengid=opengid)["errcode"] == 49008
