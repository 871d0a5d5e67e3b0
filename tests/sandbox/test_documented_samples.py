"""The documented samples, and answers that must have their shape."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrm.sandbox.archived_kinds import SAMPLES as SAMPLES_OF_KINDS
from scrm.sandbox.media import Medium
from scrm.sandbox.recorded import load_recorded
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

SAMPLES = Path(__file__).parents[3] / "shared" / "wecom" / "fixtures"
WECHAT_CUSTOMER = "wmqfasd1e1927831123109rBAAAA"
WECOM_CUSTOMER = "woAJ2GCAAAXtWyujaWJHDDGi0mACHAAA"
CHAT = "wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA"
RULE_TAG = "stAJ2GCAAAXtWyujaWJHDDGi0mACHAAA"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(),
    reason=f"the platform's documented samples are not at {SAMPLES}; nothing compared with them",
)


@pytest.fixture
def recorded() -> Iterator[SandboxServer]:
    with SandboxServer(load_recorded(SAMPLES)) as server:
        yield server


@pytest.fixture
def recorded_api(recorded: SandboxServer) -> Iterator[Api]:
    api = Api(recorded)
    yield api
    api.close()


def fields_of(answer: Any, path: str = "") -> set[str]:
    """Return every field of a JSON answer as a path, rows of a list taken together."""
    if isinstance(answer, dict):
        below = (
            fields_of(value, f"{path}.{name}") | {f"{path}.{name}"}
            for name, value in answer.items()
        )
        return set().union(*below)
    if isinstance(answer, list):
        return set().union(*(fields_of(row, f"{path}[]") for row in answer))
    return set()


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.resp.json").read_text(encoding="utf-8"))


def test_loads_everybody_who_is_named_anywhere(recorded: SandboxServer) -> None:
    world = recorded.world

    assert {"zhangsan", "lisi", "rocky", "tommy", "ZhuShengBen", "abel"} <= set(world.members)
    assert {1, 2} <= set(world.departments)
    assert {WECHAT_CUSTOMER, WECOM_CUSTOMER} <= set(world.persons)
    assert {r.userid for r in world.followers_of(WECHAT_CUSTOMER)} == {"tommy", "lisi"}
    assert {r.userid for r in world.followers_of(WECOM_CUSTOMER)} == {"rocky", "tommy"}
    assert len(world.chats) == 2
    summary = recorded.summary()
    assert (summary["customers"], summary["follows"], summary["tags"]) == (2, 4, 1)


def test_tells_the_three_kinds_of_tags_apart(recorded_api: Api) -> None:
    details = recorded_api.get("externalcontact/get", external_userid=WECOM_CUSTOMER)
    batch = recorded_api.ok("externalcontact/batch/get_by_user", userid_list=["rocky"])

    tags = details["follow_user"][0]["tags"]
    assert {(tag["type"], tag["tag_name"]) for tag in tags} == {
        (1, "核心"),
        (2, "老客户"),
        (3, "门店A"),
    }
    (row,) = batch["external_contact_list"]
    assert RULE_TAG in row["follow_info"]["tag_id"]
    assert len(row["follow_info"]["tag_id"]) == 2


def test_sends_a_mass_message_in_the_recorded_world(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    msgid = recorded_api.ok(
        "externalcontact/add_msg_template",
        text={"content": "您好"},
        external_userid=[WECHAT_CUSTOMER, WECOM_CUSTOMER],
    )["msgid"]

    assert recorded.people.confirm_all(msgid)["delivered"] == 2


OLD_APPS_ONLY = {
    ".mobile",
    ".gender",
    ".email",
    ".biz_mail",
    ".avatar",
    ".thumb_avatar",
    ".qr_code",
    ".address",
    ".open_userid",
}
# Of the documented fields, those an answer may leave out: old apps only, empty here, or a last page.
MAY_LACK = {
    "user_get": OLD_APPS_ONLY,
    "user_list": {".userlist[].english_name"},
    "user_simplelist": {".userlist[].open_userid"},
    "externalcontact_get": {".next_cursor"},
}


# The page of user/list promises full records as in user/get, its sample is shorter.
DOCUMENTED_ELSEWHERE = {"user_list": {".userlist[].external_position"}}


@pytest.mark.parametrize(
    ("name", "method", "path", "parameters"),
    [
        ("department_list", "GET", "department/list", {}),
        ("department_simplelist", "GET", "department/simplelist", {}),
        ("user_list", "GET", "user/list", {"department_id": 1}),
        ("user_simplelist", "GET", "user/simplelist", {"department_id": 1}),
        ("user_get", "GET", "user/get", {"userid": "zhangsan"}),
        ("externalcontact_get_follow_user_list", "GET", "externalcontact/get_follow_user_list", {}),
        ("externalcontact_list", "GET", "externalcontact/list", {"userid": "tommy"}),
        (
            "externalcontact_get",
            "GET",
            "externalcontact/get",
            {"external_userid": WECOM_CUSTOMER},
        ),
        (
            "externalcontact_batch_get_by_user",
            "POST",
            "externalcontact/batch/get_by_user",
            {"userid_list": ["rocky", "lisi"]},
        ),
        (
            "get_corp_tag_list",
            "POST",
            "externalcontact/get_corp_tag_list",
            {"group_id": ["etGROUP0001"]},
        ),
        (
            "add_corp_tag",
            "POST",
            "externalcontact/add_corp_tag",
            {"group_name": "新组", "tag": [{"name": "甲"}]},
        ),
        ("groupchat_list", "POST", "externalcontact/groupchat/list", {"limit": 1}),
        (
            "groupchat_get",
            "POST",
            "externalcontact/groupchat/get",
            {"chat_id": CHAT, "need_name": 1},
        ),
    ],
)
def test_answers_have_the_documented_fields(
    recorded_api: Api, name: str, method: str, path: str, parameters: dict[str, Any]
) -> None:
    ask = recorded_api.get if method == "GET" else recorded_api.post
    documented = {field for field in fields_of(sample(name)) if not _is_inside_profile(field)}

    answered = {f for f in fields_of(ask(path, **parameters)) if not _is_inside_profile(f)}

    assert answered - documented <= DOCUMENTED_ELSEWHERE.get(name, set())
    assert documented - answered <= MAY_LACK.get(name, set())


def keep_media(sandbox: SandboxServer, attachments: list[dict[str, Any]]) -> None:
    """Keep files under the ids that the documented attachments name."""
    world = sandbox.world
    for attachment in attachments:
        kind = attachment["msgtype"]
        for field, file_kind in (("media_id", kind), ("pic_media_id", "image")):
            media_id = attachment[kind].get(field)
            if media_id:
                medium = Medium(media_id, file_kind, "a", b"bytes", world.clock.now())
                world.media.add(medium, days=world.options.media_days)


def test_mass_message_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    world, post = recorded.world, recorded_api.ok
    for userid in ("rocky", "tommy"):
        recorded.people.talk(userid, WECOM_CUSTOMER)
    request = json.loads((SAMPLES / "add_msg_template.req.json").read_text(encoding="utf-8"))
    keep_media(recorded, request["attachments"])
    personal = recorded.people.send_personally("tommy", "您好")
    asked = post("externalcontact/add_msg_template", **(request | {"sender": "lisi"}))
    recorded.people.confirm_all(asked["msgid"])
    now = world.now()
    span = {"chat_type": "single", "start_time": now - 60, "end_time": now + 1}
    listed = post("externalcontact/get_groupmsg_list_v2", **span)
    tasks = post("externalcontact/get_groupmsg_task", msgid=asked["msgid"])
    results = post("externalcontact/get_groupmsg_send_result", msgid=personal, userid="tommy")

    assert fields_of(asked) == fields_of(sample("add_msg_template"))
    assert fields_of(listed) >= fields_of(sample("get_groupmsg_list_v2"))
    assert fields_of(tasks) == fields_of(sample("get_groupmsg_task"))
    assert fields_of(results) == fields_of(sample("get_groupmsg_send_result"))


def test_handover_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    """The documented pair: one is waiting, one was done, one refused, and one is unknown."""
    people, world = recorded.people, recorded.world
    recorded.options.token_seconds = 10**7
    recorded_api.token = recorded_api.fetch_token()["access_token"]
    for userid in ("zhangsan", "lisi"):
        people.set_customer_contact(userid, enabled=True)
    for person in (WECHAT_CUSTOMER, {"external_userid": "wmREFUSING"}, {"external_userid": "wm2"}):
        people.add_customer("zhangsan", person)
    pair = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}
    ours = ["wmREFUSING", "wm2", WECOM_CUSTOMER]

    asked = recorded_api.ok("externalcontact/transfer_customer", **pair, external_userid=ours)
    people.customer_refuses_transfer("wmREFUSING")
    results = recorded_api.ok("externalcontact/transfer_result", **pair)
    people.member_leaves("zhangsan")
    waiting = recorded_api.ok("externalcontact/get_unassigned_list", page_size=1)
    resigned = recorded_api.ok(
        "externalcontact/resigned/transfer_customer", **_request("resigned_transfer_customer")
    )
    resigned_results = recorded_api.ok("externalcontact/resigned/transfer_result", **pair)

    assert fields_of(asked) == fields_of(sample("transfer_customer"))
    assert fields_of(results) == fields_of(sample("transfer_result"))
    assert fields_of(waiting) == fields_of(sample("get_unassigned_list"))
    assert fields_of(resigned) == fields_of(sample("resigned_transfer_customer"))
    assert fields_of(resigned_results) == fields_of(sample("resigned_transfer_result"))
    assert resigned["customer"][0]["errcode"] == 0
    assert world.handovers.waiting(WECHAT_CUSTOMER, "zhangsan")


@pytest.mark.parametrize("name", ["groupchat_transfer", "groupchat_onjob_transfer"])
def test_group_handover_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api, name: str
) -> None:
    recorded.people.set_customer_contact("lisi", enabled=True)
    request = _request(name) | {"chat_id_list": ["wrUNKNOWN"]}

    answer = recorded_api.ok(f"externalcontact/{name.replace('_', '/', 1)}", **request)

    assert fields_of(answer) == fields_of(sample(name))
    assert answer["failed_chat_list"][0]["errcode"] == 90501


def test_join_way_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    path = "externalcontact/groupchat/{}_join_way"
    chats = {"chat_id_list": list(recorded.world.chats)}
    request = _request("add_join_way") | chats
    added = recorded_api.ok(path.format("add"), **request)
    named = {"config_id": added["config_id"]}
    found = recorded_api.ok(path.format("get"), **named)
    updated = recorded_api.ok(
        path.format("update"), **(_request("update_join_way") | chats | named)
    )

    assert fields_of(added) == fields_of(sample("add_join_way"))
    assert fields_of(found) == fields_of(sample("get_join_way"))
    assert {name: found["join_way"][name] for name in request} == request
    assert fields_of(updated) == fields_of(sample("update_join_way"))
    assert fields_of(recorded_api.ok(path.format("del"), **named)) == fields_of(
        sample("del_join_way")
    )


def test_app_message_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    request = _request("message_send") | {"agentid": recorded.credentials.agent_id}

    answer = recorded_api.ok("message/send", **request)

    assert fields_of(answer) == fields_of(sample("message_send"))
    assert recorded.app_messages()["told"] == 2


def test_archive_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    world = recorded.world
    chat = world.chats[CHAT]
    secret = recorded.credentials.archive_secret
    recorded_api.token = recorded_api.fetch_token(corpsecret=secret)["access_token"]
    pair = {"userid": "tommy", "exteranalopenid": WECHAT_CUSTOMER}
    single = recorded_api.ok("msgaudit/check_single_agree", info=[pair])
    room = recorded_api.ok("msgaudit/check_room_agree", roomid=chat.chat_id)
    permitted = recorded_api.ok("msgaudit/get_permit_user_list", type=1)
    recorded.people.staff_says("tommy", WECHAT_CUSTOMER, "您好")
    sealed = world.archive.seal(world.archive.messages[0])

    assert fields_of(single) == fields_of(sample("msgaudit_check_single_agree"))
    assert fields_of(room) == fields_of(sample("msgaudit_check_room_agree"))
    assert fields_of(permitted) == fields_of(sample("msgaudit_get_permit_user_list"))
    documented = json.loads((SAMPLES / "archive.getchatdata.json").read_text(encoding="utf-8"))
    assert fields_of({"chatdata": [sealed]}) == fields_of({"chatdata": documented["chatdata"]})


@pytest.mark.parametrize("kind", sorted(SAMPLES_OF_KINDS))
def test_archived_kinds_have_the_documented_fields(recorded: SandboxServer, kind: str) -> None:
    documented = json.loads((SAMPLES / f"archive.msg.{kind}.json").read_text(encoding="utf-8"))
    recorded.people.staff_says("tommy", WECHAT_CUSTOMER, kind=kind)

    (message,) = recorded.world.archive.messages

    assert fields_of(message.plain) == fields_of(documented)


def test_a_recall_and_an_agreement_have_the_documented_fields(recorded: SandboxServer) -> None:
    people, archive = recorded.people, recorded.world.archive
    people.recall_message(people.staff_says("tommy", WECHAT_CUSTOMER, "说错了"))
    people.agrees_to_archiving(WECHAT_CUSTOMER, "tommy")
    people.disagrees_to_archiving(WECHAT_CUSTOMER, "tommy")

    for message, name in zip(archive.messages[1:], ["revoke", "agree", "disagree"], strict=True):
        path = SAMPLES / f"archive.msg.{name}.json"
        documented = json.loads(path.read_text(encoding="utf-8"))
        assert fields_of(message.plain) == fields_of(documented)


def _request(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.req.json").read_text(encoding="utf-8"))


def _is_inside_profile(field: str) -> bool:
    """Tell whether a field belongs to what a member or contact wrote about himself."""
    return any(name in field for name in ("extattr.attrs[]", ".external_profile"))
