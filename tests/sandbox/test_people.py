from collections.abc import Callable
from typing import Any

import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver


def events(sandbox: SandboxServer, receiver: Receiver) -> list[dict[str, Any]]:
    assert sandbox.callbacks.drain()
    return receiver.events


def last(sandbox: SandboxServer, receiver: Receiver) -> dict[str, Any]:
    """Return the last event without what every event has."""
    event = dict(events(sandbox, receiver)[-1])
    assert event.pop("ToUserName") == sandbox.credentials.corp_id
    assert event.pop("FromUserName") == "sys"
    assert event.pop("MsgType") == "event"
    assert abs(int(event.pop("CreateTime")) - sandbox.clock.now()) < 5
    return event


def test_a_new_customer_arrives_with_state_and_welcome_code(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    facts = {"name": "糖糖妈妈", "gender": 2}

    external_userid = sandbox.people.add_customer(seller, facts, state="store_010")

    event = last(sandbox, receiver)
    assert len(event.pop("WelcomeCode")) > 20
    assert event == {
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": seller,
        "ExternalUserID": external_userid,
        "State": "store_010",
    }
    answer = api.get("externalcontact/get", external_userid=external_userid)
    assert answer["external_contact"]["name"] == "糖糖妈妈"
    assert answer["follow_user"][0]["state"] == "store_010"


def test_a_wecom_partner_gets_no_welcome_code(
    sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    external_userid = sandbox.people.add_customer(seller, {"name": "李四", "type": 2})

    assert external_userid.startswith("wo")
    assert "WelcomeCode" not in last(sandbox, receiver)
    assert "State" not in last(sandbox, receiver)


def test_a_half_added_customer_shows_only_when_accepted(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str
) -> None:
    external_userid = sandbox.people.add_customer(seller, half=True)
    before = api.get("externalcontact/get", external_userid=external_userid)["errcode"]
    sandbox.people.accept_customer(seller, external_userid)

    assert before == 84061
    assert api.get("externalcontact/get", external_userid=external_userid)["errcode"] == 0
    kinds = [event["ChangeType"] for event in events(sandbox, receiver)]
    assert kinds == ["add_half_external_contact", "add_external_contact"]


def test_deleting_goes_one_way_at_a_time(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    before = sandbox.summary()
    sandbox.people.customer_deletes(buyers[0], seller)
    sandbox.people.member_deletes(seller, buyers[0])
    sandbox.people.member_deletes(seller, buyers[1])

    kinds = [event["ChangeType"] for event in events(sandbox, receiver)]
    assert kinds == ["del_follow_user", "del_external_contact", "del_external_contact"]
    after = sandbox.summary()
    assert after["customers"] == before["customers"] - 2
    assert after["follows"] == before["follows"] - 2


def test_a_customer_who_comes_back_begins_anew(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    before = sandbox.summary()["follows"]
    sandbox.people.member_deletes(seller, buyers[0])

    assert sandbox.people.add_customer(seller, buyers[0]) == buyers[0]

    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation is not None
    assert relation.tag_ids == set()
    assert sandbox.summary()["follows"] == before
    with pytest.raises(ActRefused):
        sandbox.people.add_customer(seller, buyers[0])


def test_retagging_in_the_client_is_told_but_through_the_api_is_not(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    tag = next(sandbox.world.tags.living_tags()).id
    pair = {"userid": seller, "external_userid": buyers[0]}
    api.ok("externalcontact/mark_tag", **pair, add_tag=[tag])
    made = api.ok("externalcontact/add_corp_tag", group_name="活动", tag=[{"name": "甲"}])
    api.ok("externalcontact/del_corp_tag", group_id=[made["tag_group"]["group_id"]])
    api.ok("externalcontact/remark", **pair, remark="小王")
    assert events(sandbox, receiver) == []

    sandbox.people.retag_in_client(seller, buyers[0], remove=[tag])

    assert last(sandbox, receiver) == {
        "Event": "change_external_contact",
        "ChangeType": "edit_external_contact",
        "UserID": seller,
        "ExternalUserID": buyers[0],
    }
    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation is not None
    assert tag not in relation.tag_ids


def test_group_life_is_told_with_member_versions(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    chat_id = sandbox.people.chat_create(seller, "新群", [buyers[0]])
    chat = sandbox.world.chats[chat_id]
    version = chat.member_version

    sandbox.people.chat_join(chat_id, [buyers[1]], scene=3, state="join_1")
    joined = last(sandbox, receiver)
    sandbox.people.chat_leave(chat_id, [buyers[0], buyers[1]], removed=True)
    left = last(sandbox, receiver)
    sandbox.people.chat_rename(chat_id, "改名")
    sandbox.people.chat_notice(chat_id, "公告")
    sandbox.people.chat_dismiss(chat_id)

    assert joined == {
        "Event": "change_external_chat",
        "ChatId": chat_id,
        "ChangeType": "update",
        "UpdateDetail": "add_member",
        "JoinScene": "3",
        "QuitScene": "0",
        "MemChangeCnt": "1",
        "MemChangeList": {"Item": buyers[1]},
        "LastMemVer": version,
        "CurMemVer": left["LastMemVer"],
    }
    assert left["QuitScene"] == "1"
    assert left["MemChangeList"] == {"Item": [buyers[0], buyers[1]]}
    assert left["CurMemVer"] == chat.member_version
    told = [(e["ChangeType"], e.get("UpdateDetail")) for e in events(sandbox, receiver)]
    assert told[0] == ("create", None)
    assert told[3:] == [("update", "change_name"), ("update", "change_notice"), ("dismiss", None)]


def test_a_group_changes_hands(sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    chat = next(chat for chat in sandbox.world.chats.values() if chat.owner != seller)
    sandbox.people.member_leaves(chat.owner)
    assert chat.status == 1

    sandbox.people.chat_change_owner(chat.chat_id, seller)

    assert (chat.owner, chat.status) == (seller, 0)
    assert seller in chat.members
    assert last(sandbox, receiver)["UpdateDetail"] == "change_owner"


def test_console_tags_are_told_and_a_groups_tags_go_silently(
    sandbox: SandboxServer, receiver: Receiver
) -> None:
    tag_id = sandbox.people.tag_create_in_console("后台", "甲")
    sandbox.people.tag_create_in_console("后台", "乙")
    group_id = sandbox.world.tags.tags[tag_id].group_id
    sandbox.people.tag_rename_in_console(tag_id, "丙")
    ids = [tag.id for tag in sandbox.world.tags.tags_in(sandbox.world.tags.groups[group_id])]
    sandbox.people.tag_shuffle_in_console(group_id, ids[::-1])
    sandbox.people.tag_delete_in_console(group_id)

    told = [(e["ChangeType"], e.get("TagType"), e["Id"]) for e in events(sandbox, receiver)]

    assert told == [
        ("create", "tag_group", group_id),
        ("create", "tag", tag_id),
        ("create", "tag", ids[1]),
        ("update", "tag", tag_id),
        ("shuffle", None, group_id),
        ("delete", "tag_group", group_id),
    ]
    assert sandbox.summary()["tags"] == 33


def test_staff_changes_carry_ids_only_and_no_agent(
    sandbox: SandboxServer, receiver: Receiver
) -> None:
    sandbox.people.member_joins("newcomer", "新人", [1, 2])
    joined = last(sandbox, receiver)
    sandbox.people.member_leaves("newcomer")

    assert joined == {
        "Event": "change_contact",
        "ChangeType": "create_user",
        "UserID": "newcomer",
        "Department": "1,2",
    }
    assert last(sandbox, receiver)["ChangeType"] == "delete_user"
    assert "AgentID" not in receiver.envelopes[-1]


def test_staff_changes_can_be_kept_from_the_app(sandbox: SandboxServer, receiver: Receiver) -> None:
    sandbox.options.staff_events = False

    sandbox.people.member_joins("newcomer", "新人")

    assert events(sandbox, receiver) == []


def test_departments_come_and_go(sandbox: SandboxServer, receiver: Receiver, seller: str) -> None:
    department_id = sandbox.people.department_create("新店", 2)
    sandbox.people.member_moves(seller, [department_id])
    with pytest.raises(ActRefused):
        sandbox.people.department_delete(department_id)
    sandbox.people.member_moves(seller, [1])
    sandbox.people.department_delete(department_id)

    told = [event["ChangeType"] for event in events(sandbox, receiver)]
    assert told == ["create_party", "update_user", "update_user", "delete_party"]


def test_refuses_what_nobody_could_do(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    people = sandbox.people
    impossible: list[tuple[Callable[..., object], tuple[Any, ...]]] = [
        (people.add_customer, ("nobody",)),
        (people.add_customer, (seller, "wmx")),
        (people.add_customer, (seller, {"colour": "red"})),
        (people.customer_deletes, ("wmx", seller)),
        (people.accept_customer, (seller, buyers[0])),
        (people.chat_join, ("wrx", [buyers[0]])),
        (people.confirm, ("msgx", seller)),
    ]
    for act, arguments in impossible:
        with pytest.raises(ActRefused):
            act(*arguments)
    assert events(sandbox, receiver) == []
    assert sandbox.entries() == []
