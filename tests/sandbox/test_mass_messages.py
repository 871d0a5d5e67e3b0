from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_msg_template"
REMIND = "externalcontact/remind_groupmsg_send"
CANCEL = "externalcontact/cancel_groupmsg_send"
TEXT = {"content": "新品到店"}
# Stands for a picture that the test uploads.
IMAGE = {"msgtype": "image", "image": {"media_id": "picture"}}


def asked_of(sandbox: SandboxServer, msgid: str) -> dict[str, list[str]]:
    """Return member → recipients in order."""
    tasks = sandbox.world.messages[msgid].tasks
    return {userid: list(task.receipts) for userid, task in tasks.items()}


def test_asks_the_sender_for_his_customers_and_fails_the_others(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    world = sandbox.world
    foreign = next(
        r.external_userid
        for r in world.relations()
        if world.find_relation(seller, r.external_userid) is None
    )
    sandbox.people.member_deletes(seller, buyers[2])

    answer = api.ok(
        ADD, sender=seller, text=TEXT, external_userid=[buyers[1], foreign, buyers[0], buyers[2]]
    )

    assert answer["fail_list"] == [foreign, buyers[2]]
    assert asked_of(sandbox, answer["msgid"]) == {seller: [buyers[1], buyers[0]]}


def test_a_sender_alone_means_all_his_customers(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    msgid = api.ok(ADD, sender=seller, text=TEXT)["msgid"]

    own = [relation.external_userid for relation in sandbox.world.customers_of(seller)]
    assert asked_of(sandbox, msgid) == {seller: own}


def test_without_a_sender_asks_whoever_talked_last(api: Api, sandbox: SandboxServer) -> None:
    world = sandbox.world
    shared = next(p for p in world.persons if len(world.followers_of(p)) == 2)
    for relation in world.followers_of(shared):
        sandbox.people.talk(relation.userid, shared)

        msgid = api.ok(ADD, text={"content": relation.userid}, external_userid=[shared])["msgid"]

        assert asked_of(sandbox, msgid) == {relation.userid: [shared]}


def test_without_a_sender_prefers_a_member_the_customer_has_not_deleted(
    api: Api, sandbox: SandboxServer
) -> None:
    world = sandbox.world
    shared = next(p for p in world.persons if len(world.followers_of(p)) == 2)
    first, second = [relation.userid for relation in world.followers_of(shared)]
    sandbox.people.talk(first, shared)
    sandbox.people.customer_deletes(shared, first)

    msgid = api.ok(ADD, text=TEXT, external_userid=[shared])["msgid"]

    assert asked_of(sandbox, msgid) == {second: [shared]}


def test_filters_by_tags_or_inside_and_between_groups(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    groups = sandbox.world.tags.living_groups()
    stage, level = [set(group.tag_ids[:3]) for group in groups[:2]]
    tag_filter = {"group_list": [{"tag_list": sorted(stage)}, {"tag_list": sorted(level)}]}

    msgid = api.ok(ADD, sender=seller, text=TEXT, tag_filter=tag_filter)["msgid"]

    wanted = {
        relation.external_userid
        for relation in sandbox.world.customers_of(seller)
        if relation.tag_ids & stage and relation.tag_ids & level
    }
    assert wanted
    assert set(asked_of(sandbox, msgid)[seller]) == wanted


def test_asks_an_owner_for_his_groups(api: Api, sandbox: SandboxServer) -> None:
    own, *_, other = sandbox.world.chats.values()

    answer = api.ok(
        ADD,
        chat_type="group",
        sender=own.owner,
        text=TEXT,
        chat_id_list=[own.chat_id, other.chat_id],
    )

    assert answer["fail_list"] == [other.chat_id]
    assert asked_of(sandbox, answer["msgid"]) == {own.owner: [own.chat_id]}


def test_tells_only_the_groups_a_message_reached(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    people, new = sandbox.people, sandbox.people.chat_create
    reached, full, gone, moved = (new(seller, name) for name in ("一", "二", "三", "四"))
    members = sandbox.world.present_members()
    other = next(m.userid for m in members if m.can_follow and m.userid != seller)
    strange = new(other, "别人的")
    chats = [reached, full, gone, moved, strange, "wrx"]
    body = {"chat_type": "group", "sender": seller, "chat_id_list": chats, "text": TEXT}
    answer = api.ok(ADD, **body)
    people.use_up_quota(full)
    people.chat_dismiss(gone)
    people.chat_change_owner(moved, other)
    msgid = answer["msgid"]

    assert answer["fail_list"] == [strange, "wrx"]
    before = api.ok("externalcontact/get_groupmsg_send_result", msgid=msgid, userid=seller)
    assert before["send_list"] == []
    assert people.confirm(msgid, seller) == {"delivered": 1, "not_friend": 2, "quota": 1}
    after = api.ok("externalcontact/get_groupmsg_send_result", msgid=msgid, userid=seller)
    (row,) = after["send_list"]
    assert (row["chat_id"], row["status"]) == (reached, 1)
    campaign = sandbox.campaign([msgid])
    assert (campaign["asked"], campaign["delivered"], campaign["failed"]) == (4, 1, 2)
    now = sandbox.world.now()
    span = {"start_time": now - 60, "end_time": now + 60}
    for chat_type, found in (("group", [msgid]), ("single", [])):
        listed = api.ok("externalcontact/get_groupmsg_list_v2", chat_type=chat_type, **span)
        assert [message["msgid"] for message in listed["group_msg_list"]] == found


def test_refuses_when_nobody_can_be_sent_to(api: Api, sandbox: SandboxServer, seller: str) -> None:
    assert api.post(ADD, sender=seller, text=TEXT, external_userid=["wmx"])["errcode"] == 41048
    assert sandbox.world.messages == {}


def test_takes_ten_thousand_customers_and_two_thousand_groups(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    crowd = [buyers[0], *(f"wm{number}" for number in range(9_999))]

    assert len(api.ok(ADD, sender=seller, text=TEXT, external_userid=crowd)["fail_list"]) == 9_999
    too_many = [*crowd, "wmx"]
    assert api.post(ADD, sender=seller, text=TEXT, external_userid=too_many)["errcode"] == 40058
    chats = ["wr"] * 2001
    group = {"chat_type": "group", "sender": seller, "text": TEXT}
    assert api.post(ADD, **group, chat_id_list=chats)["errcode"] == 40058
    assert len(sandbox.world.messages) == 1


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"chat_type": "all"}, 86214),
        ({"chat_type": "group"}, 40063),
        ({"external_userid": []}, 40063),
        ({"text": {}}, 40063),
        ({"text": {"content": "长" * 1333 + "a"}}, 0),
        ({"text": {"content": "长" * 1333 + "aa"}}, 45002),
        ({"attachments": [IMAGE] * 9}, 0),
        ({"attachments": [IMAGE] * 10}, 41064),
        ({"attachments": [{"msgtype": "voice", "voice": {"media_id": "m"}}]}, 41065),
        ({"attachments": [{"msgtype": "image", "image": {}}]}, 41006),
        ({"attachments": [{"msgtype": "video", "video": {}}]}, 41006),
        ({"attachments": [{"msgtype": "link", "link": {"title": "t"}}]}, 40063),
        ({"attachments": [{"msgtype": "link", "link": {"title": "长" * 43, "url": "u"}}]}, 45002),
        ({"sender": "nobody"}, 60111),
        (
            {"tag_filter": {"group_list": [{"tag_list": ["et"] * 101}]}, "external_userid": []},
            40058,
        ),
    ],
)
def test_checks_the_documented_limits(
    api: Api, buyers: list[str], changes: dict[str, Any], errcode: int
) -> None:
    body: dict[str, Any] = {"text": TEXT, "external_userid": [buyers[0]]} | changes
    if IMAGE in body.get("attachments", ()):
        picture = IMAGE | {"image": {"media_id": api.upload_picture()}}
        body["attachments"] = [picture] * len(body["attachments"])

    assert api.post(ADD, **body)["errcode"] == errcode


def test_refuses_a_sender_outside_customer_contact(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    sandbox.people.set_customer_contact(seller, enabled=False)

    assert api.post(ADD, sender=seller, text=TEXT)["errcode"] == 84074


def test_reminds_three_times_in_24_hours(api: Api, sandbox: SandboxServer, seller: str) -> None:
    msgid = api.ok(ADD, sender=seller, text=TEXT)["msgid"]

    assert [api.post(REMIND, msgid=msgid)["errcode"] for _ in range(4)] == [0, 0, 0, 41094]
    sandbox.clock.advance(24 * 3600 + 1)
    api.token = api.fetch_token()["access_token"]
    assert api.post(REMIND, msgid=msgid)["errcode"] == 0


def test_cancels_once_and_stops_those_who_have_not_sent(
    api: Api, sandbox: SandboxServer, buyers: list[str]
) -> None:
    world = sandbox.world
    msgid = api.ok(ADD, text=TEXT, external_userid=list(world.persons))["msgid"]
    first, second = list(world.messages[msgid].tasks)[:2]
    sandbox.people.confirm(msgid, first)

    assert api.post(CANCEL, msgid=msgid)["errcode"] == 0
    assert api.post(CANCEL, msgid=msgid)["errcode"] == 41093
    assert api.post(REMIND, msgid=msgid)["errcode"] == 41093
    nothing = {"delivered": 0, "not_friend": 0, "quota": 0}
    assert sandbox.people.confirm(msgid, second) == nothing
    campaign = sandbox.campaign([msgid])
    assert campaign["confirmed"] == len(world.messages[msgid].tasks[first].receipts)


def test_refuses_unknown_messages(api: Api) -> None:
    for path in (REMIND, CANCEL, "externalcontact/get_groupmsg_task"):
        assert api.post(path)["errcode"] == 41046
        assert api.post(path, msgid="msgx")["errcode"] == 41047
