"""What the product reads of the platform's documented answers."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from scrm.channels.base import Channel, JoinCodeWish, MassMessage
from scrm.channels.wecom.channel import WeComChannel
from tests.conformance.documented import endpoints, needs_fixtures, payload

pytestmark = needs_fixtures


class Recorded:
    """A client that answers each path with its documented answer."""

    def get(self, path: str, **_: object) -> Any:
        slug = next(each.slug for each in endpoints().values() if each.path == path)
        answer: dict[str, Any] = payload(f"{slug}.resp.json")
        # Every documented page has a next one; here there is one only.
        return answer if path != "externalcontact/get" else answer | {"next_cursor": ""}

    post = get


@pytest.fixture
def channel() -> Channel:
    client: Any = Recorded()
    desk: Any = None
    return cast("Channel", WeComChannel(client, client, agent_id="1", media=desk))


def first(name: str, *path: str | int) -> Any:
    answer = payload(f"{name}.resp.json")
    for step in path:
        answer = answer[step]
    return answer


READINGS: dict[str, tuple[Callable[[Channel], Any], tuple[str | int, ...]]] = {
    "department_list": (
        lambda channel: channel.departments()[0].department_id,
        ("department", 0, "id"),
    ),
    "user_list": (lambda channel: channel.staff([1])[0].userid, ("userlist", 0, "userid")),
    "externalcontact_get_follow_user_list": (
        lambda channel: list(channel.staff_with_customer_contact()),
        ("follow_user",),
    ),
    "get_corp_tag_list": (
        lambda channel: channel.tag_groups()[0].wecom_id,
        ("tag_group", 0, "group_id"),
    ),
    "externalcontact_batch_get_by_user": (
        lambda channel: channel.customer_page(["a"], "").rows[0][0].external_userid,
        ("external_contact_list", 0, "external_contact", "external_userid"),
    ),
    "externalcontact_get": (
        lambda channel: channel.customer("a")[0].external_userid,
        ("external_contact", "external_userid"),
    ),
    "groupchat_list": (
        lambda channel: channel.group_chat_page([], "").rows[0][0],
        ("group_chat_list", 0, "chat_id"),
    ),
    "groupchat_get": (
        lambda channel: channel.group_chat("a").members[0].member_id,
        ("group_chat", "member_list", 0, "userid"),
    ),
    "add_msg_template": (
        lambda channel: list(channel.ask_mass_message(MassMessage("a", ("b",), "c")).refused),
        ("fail_list",),
    ),
    "get_groupmsg_task": (
        lambda channel: channel.sender_states("a", "").rows[0].userid,
        ("task_list", 0, "userid"),
    ),
    "get_groupmsg_send_result": (
        lambda channel: channel.deliveries("a", "b", "").rows[0].recipient_id,
        ("send_list", 0, "external_userid"),
    ),
    "get_unassigned_list": (
        lambda channel: channel.unassigned_page("").rows[0].external_userid,
        ("info", 0, "external_userid"),
    ),
    "transfer_result": (
        lambda channel: channel.transfer_states("a", "b", "", is_resigned=False).rows[0].status,
        ("customer", 0, "status"),
    ),
    "resigned_transfer_result": (
        lambda channel: channel.transfer_states("a", "b", "", is_resigned=True).rows[0].status,
        ("customer", 0, "status"),
    ),
    "add_join_way": (
        lambda channel: channel.create_join_code(JoinCodeWish(("a",), "b")),
        ("config_id",),
    ),
    "get_join_way": (
        lambda channel: channel.join_code("a").qr_url,
        ("join_way", "qr_code"),
    ),
    "message_send": (
        lambda channel: [
            "|".join(channel.send_app_message(first("message_send", "invaliduser").split("|"), "a"))
        ],
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READINGS)
def test_reads_the_documented_answer(channel: Channel, name: str) -> None:
    read, path = READINGS[name]
    documented = first(name, *path) if path else [first(name, "invaliduser")]

    assert read(channel) == documented
    assert documented
