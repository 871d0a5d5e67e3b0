from scrm.sandbox.records import Member
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST = "externalcontact/groupchat/list"
GET = "externalcontact/groupchat/get"


def test_pages_through_all_groups(api: Api, sandbox: SandboxServer) -> None:
    pages = list(api.walk(LIST, "group_chat_list", limit=2))

    assert [len(page) for page in pages] == [2, 2, 1]
    listed = [chat["chat_id"] for page in pages for chat in page]
    assert listed == list(sandbox.world.chats)


def test_a_full_last_page_has_no_cursor(api: Api) -> None:
    assert api.ok(LIST, limit=5)["next_cursor"] == ""


def test_wants_a_limit_between_1_and_1000(api: Api) -> None:
    assert api.post(LIST)["errcode"] == 40063
    assert api.post(LIST, limit=0)["errcode"] == 40058
    assert api.post(LIST, limit=1001)["errcode"] == 40058
    assert api.post(LIST, limit=1, status_filter=4)["errcode"] == 40058
    owners = {"userid_list": ["x"] * 101}
    assert api.post(LIST, limit=1, owner_filter=owners)["errcode"] == 40058


def test_lists_groups_of_one_who_left_only_when_he_is_named(
    api: Api, sandbox: SandboxServer
) -> None:
    chat = next(iter(sandbox.world.chats.values()))
    sandbox.people.member_leaves(chat.owner)

    unfiltered = api.ok(LIST, limit=100)["group_chat_list"]
    named = api.ok(LIST, limit=100, owner_filter={"userid_list": [chat.owner]})["group_chat_list"]

    assert chat.chat_id not in {row["chat_id"] for row in unfiltered}
    assert {"chat_id": chat.chat_id, "status": 1} in named
    orphans = api.ok(LIST, limit=100, status_filter=1, owner_filter={"userid_list": [chat.owner]})
    assert orphans["group_chat_list"] == named
    assert api.ok(LIST, limit=100, status_filter=1)["group_chat_list"] == []


def test_wants_an_owner_filter_beyond_1000_members(api: Api, sandbox: SandboxServer) -> None:
    for number in range(1000):
        sandbox.world.add_member(Member(f"extra{number}", "x", [1]))

    assert api.post(LIST, limit=100)["errcode"] == 81017
    assert api.post(LIST, limit=100, owner_filter={"userid_list": ["extra1"]})["errcode"] == 0


def test_shows_members_with_names_only_when_asked(api: Api, sandbox: SandboxServer) -> None:
    chat = next(iter(sandbox.world.chats.values()))

    plain = api.ok(GET, chat_id=chat.chat_id)["group_chat"]
    named = api.ok(GET, chat_id=chat.chat_id, need_name=1)["group_chat"]

    assert plain["owner"] == chat.owner
    assert len(plain["member_list"]) == len(chat.members)
    assert not any("name" in member for member in plain["member_list"])
    assert all(member["name"] for member in named["member_list"])
    assert {m["type"] for m in plain["member_list"]} == {1, 2}


def test_refuses_unknown_and_dismissed_groups(api: Api, sandbox: SandboxServer) -> None:
    chat_id = next(iter(sandbox.world.chats))
    sandbox.people.chat_dismiss(chat_id)

    assert api.post(GET, chat_id=chat_id)["errcode"] == 49008
    assert api.post(GET, chat_id="wrx")["errcode"] == 40050
    assert api.post(GET)["errcode"] == 40063
    assert sandbox.summary()["groups"] == 4
