"""The documented samples, and answers that must have their shape."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


def test_mass_message_answers_have_the_documented_fields(
    recorded: SandboxServer, recorded_api: Api
) -> None:
    world, post = recorded.world, recorded_api.ok
    for userid in ("rocky", "tommy"):
        recorded.people.talk(userid, WECOM_CUSTOMER)
    request = json.loads((SAMPLES / "add_msg_template.req.json").read_text(encoding="utf-8"))
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


def _is_inside_profile(field: str) -> bool:
    """Tell whether a field belongs to what a member or contact wrote about himself."""
    return any(name in field for name in ("extattr.attrs[]", ".external_profile"))
