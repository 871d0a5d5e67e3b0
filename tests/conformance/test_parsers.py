"""What the product reads of the platform's documented answers."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date
from typing import Any, cast

import pytest

from scrm.channels.base import Channel, Meant, StaffText
from scrm.channels.errors import ChannelError
from scrm.channels.wecom.channel import WeComChannel
from tests.channels.calls import CALLS, FIRST
from tests.conformance.documented import endpoints, needs_fixtures, payload
from tests.factories import NOW

pytestmark = needs_fixtures

MISSING = object()
WRONG = [MISSING, None, {}, [], "x", 7, True, 1e400, -1, [[]], {"a": {}}, "9" * 400]


class Recorded:
    """A client that answers each path with its documented answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: set[str] = set()

    def get(self, path: str, **_: object) -> Any:
        self.asked.add(path)
        return self.answers[path] if path in self.answers else documented(path)

    post = get


def documented(path: str) -> dict[str, Any]:
    slug = next(each.slug for each in endpoints().values() if each.path == path)
    answer: dict[str, Any] = payload(f"{slug}.resp.json")
    # Every documented page has a next one; here there is one only.
    return answer if path != "externalcontact/get" else answer | {"next_cursor": ""}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def channel(recorded: Recorded) -> Channel:
    client: Any = recorded
    desk: Any = Desk()
    return cast("Channel", WeComChannel(client, client, agent_id="1", media=desk))


class Desk:
    """Messages of these tests name no files."""

    def spelled(self, attachment: dict[str, Any]) -> dict[str, Any]:
        return attachment

    def forget(self, _attachments: object) -> bool:
        return False


def first(name: str, *path: str | int) -> Any:
    answer = payload(f"{name}.resp.json")
    for step in path:
        answer = answer[step]
    return answer


# The method, what of its record is compared, and where that lies in which documented answer.
Reading = tuple[str, Callable[[Any], Any], str, tuple[str | int, ...]]
READINGS: list[Reading] = [
    (
        "directory.departments",
        lambda rows: rows[0].department_id,
        "department_list",
        ("department", 0, "id"),
    ),
    ("directory.staff", lambda rows: rows[0].userid, "user_list", ("userlist", 0, "userid")),
    (
        "contacts.staff_with_customer_contact",
        list,
        "externalcontact_get_follow_user_list",
        ("follow_user",),
    ),
    (
        "contacts.customer_page",
        lambda page: page.rows[0][0].external_userid,
        "externalcontact_batch_get_by_user",
        ("external_contact_list", 0, "external_contact", "external_userid"),
    ),
    ("contacts.external_userids_of", list, "externalcontact_list", ("external_userid",)),
    (
        "contacts.customer",
        lambda found: found[0].external_userid,
        "externalcontact_get",
        ("external_contact", "external_userid"),
    ),
    (
        "contacts.served_page",
        lambda page: page.rows[0].temporary_id,
        "externalcontact_contact_list",
        ("info_list", 0, "tmp_openid"),
    ),
    (
        "contacts.find_by_unionid",
        lambda match: match.pending_id,
        "idconvert_unionid_to_external_userid",
        ("pending_id",),
    ),
    ("contacts.id_from_provider", str, "from_service_external_userid", ("external_userid",)),
    (
        "contacts.behaviour",
        lambda days: days[0].reply_percentage,
        "get_user_behavior_data",
        ("behavior_data", 0, "reply_percentage"),
    ),
    (
        "contacts.strategy_page",
        lambda page: page.rows[1],
        "customer_strategy_list",
        ("strategy", 1, "strategy_id"),
    ),
    (
        "contacts.strategy",
        lambda record: list(record.admins),
        "customer_strategy_get",
        ("strategy", "admin_list"),
    ),
    (
        "contacts.strategy_range_page",
        lambda page: page.rows[1].department_id,
        "customer_strategy_get_range",
        ("range", 1, "partyid"),
    ),
    (
        "tags.groups",
        lambda groups: groups[0].wecom_id,
        "get_corp_tag_list",
        ("tag_group", 0, "group_id"),
    ),
    (
        "tags.of_strategy",
        lambda groups: groups[0].tags[1].name,
        "get_strategy_tag_list",
        ("tag_group", 0, "tag", 1, "name"),
    ),
    (
        "tags.create",
        lambda group: group.tags[0].wecom_id,
        "add_corp_tag",
        ("tag_group", "tag", 0, "id"),
    ),
    ("messages.ask", lambda asked: list(asked.refused), "add_msg_template", ("fail_list",)),
    (
        "messages.sender_states",
        lambda page: page.rows[0].userid,
        "get_groupmsg_task",
        ("task_list", 0, "userid"),
    ),
    (
        "messages.deliveries",
        lambda page: page.rows[0].recipient_id,
        "get_groupmsg_send_result",
        ("send_list", 0, "external_userid"),
    ),
    ("messages.create_group_welcome", str, "group_welcome_template_add", ("template_id",)),
    (
        "messages.group_welcome",
        lambda record: record.content,
        "group_welcome_template_get",
        ("text", "content"),
    ),
    (
        "groups.chat_page",
        lambda page: page.rows[0][0],
        "groupchat_list",
        ("group_chat_list", 0, "chat_id"),
    ),
    (
        "groups.chat",
        lambda chat: chat.members[0].member_id,
        "groupchat_get",
        ("group_chat", "member_list", 0, "userid"),
    ),
    ("groups.chat_of_opengid", str, "opengid_to_chatid", ("chat_id",)),
    (
        "groups.figures_page",
        lambda page: page.rows[1].figures.chats,
        "groupchat_statistic",
        ("items", 1, "data", "chat_total"),
    ),
    (
        "groups.figures_by_day",
        lambda days: days[0].figures.members,
        "groupchat_statistic_group_by_day",
        ("items", 0, "data", "member_total"),
    ),
    ("groups.create_join_code", str, "add_join_way", ("config_id",)),
    ("groups.join_code", lambda code: code.qr_url, "get_join_way", ("join_way", "qr_code")),
    ("moments.publish", str, "add_moment_task", ("jobid",)),
    (
        "moments.outcome",
        lambda outcome: list(outcome.invalid_department_ids),
        "get_moment_task_result",
        ("result", "invalid_sender_list", "department_list"),
    ),
    (
        "moments.page",
        lambda page: page.rows[0].content,
        "get_moment_list",
        ("moment_list", 0, "text", "content"),
    ),
    (
        "moments.task_page",
        lambda page: page.rows[1].userid,
        "get_moment_task",
        ("task_list", 1, "userid"),
    ),
    (
        "moments.audience_page",
        lambda page: page.rows[0],
        "get_moment_customer_list",
        ("customer_list", 0, "external_userid"),
    ),
    (
        "moments.viewer_page",
        lambda page: page.rows[0],
        "get_moment_send_result",
        ("customer_list", 0, "external_userid"),
    ),
    (
        "moments.reactions",
        lambda found: found.comments[1].userid,
        "get_moment_comments",
        ("comment_list", 1, "userid"),
    ),
    (
        "handover.unassigned_page",
        lambda page: page.rows[0].external_userid,
        "get_unassigned_list",
        ("info", 0, "external_userid"),
    ),
    (
        "handover.transfer_states",
        lambda page: page.rows[0].status,
        "resigned_transfer_result",
        ("customer", 0, "status"),
    ),
    (
        "codes.create_contact_code",
        lambda made: made.qr_url,
        "add_contact_way",
        ("qr_code",),
    ),
    (
        "codes.contact_code",
        lambda code: list(code.department_ids),
        "get_contact_way",
        ("contact_way", "party"),
    ),
    (
        "codes.contact_code_page",
        lambda page: page.rows[1],
        "list_contact_way",
        ("contact_way", 1, "config_id"),
    ),
    ("codes.create_link", lambda link: link.url, "ca_create_link", ("link", "url")),
    ("codes.link", lambda link: list(link.userids), "ca_get", ("range", "user_list")),
    ("codes.link_page", lambda page: list(page.rows), "ca_list_link", ("link_id_list",)),
    (
        "codes.link_customer_page",
        lambda page: page.rows[1].state,
        "ca_customer",
        ("customer_list", 1, "state"),
    ),
    (
        "codes.link_figures",
        lambda figures: figures.clicked,
        "ca_statistic",
        ("click_link_customer_cnt",),
    ),
    (
        "codes.link_quota",
        lambda quota: quota.lots[1].balance,
        "ca_quota",
        ("quota_list", 1, "balance"),
    ),
    (
        "codes.link_chat",
        lambda chat: chat.messages,
        "ca_get_chat_info",
        ("chat_info", "recv_msg_cnt"),
    ),
    ("media.upload", str, "media_upload", ("media_id",)),
    ("media.upload_attachment", str, "media_upload_attachment", ("media_id",)),
    ("media.upload_picture", str, "media_uploadimg", ("url",)),
    ("staff_messages.send", lambda sent: sent.msgid, "message_send", ("msgid",)),
    ("words.create", str, "add_intercept_rule", ("rule_id",)),
    (
        "words.rules",
        lambda rules: rules[0].name,
        "get_intercept_rule_list",
        ("rule_list", 0, "rule_name"),
    ),
    ("words.rule", lambda rule: list(rule.words), "get_intercept_rule", ("rule", "word_list")),
]


@pytest.mark.parametrize("reading", READINGS, ids=[reading[0] for reading in READINGS])
def test_reads_the_documented_answer(channel: Channel, reading: Reading) -> None:
    name, read, slug, path = reading
    expected = first(slug, *path)

    assert read(CALLS[name](channel)) == expected
    assert expected


def test_tells_staff_apart_whom_a_message_did_not_reach(channel: Channel) -> None:
    sent = channel.staff_messages.send(["UserID1", "zhangsan"], StaffText("Hello"))

    assert sent.unreached == ("UserID1",)


def test_reads_what_has_more_than_one_form(channel: Channel) -> None:
    assert [rule.is_blocking for rule in [channel.words.rule("r")]] == [True]
    assert channel.words.rule("r").meant == tuple(Meant)
    assert channel.contacts.behaviour(FIRST, FIRST, userids=["a"])[0].day == date(2018, 9, 10)
    assert channel.moments.page(NOW, NOW, "").rows[0].kinds == (
        "image",
        "video",
        "link",
        "location",
    )
    assert [each.has_talked for each in channel.codes.link_customer_page("a", "").rows] == [
        False,
        True,
    ]
    assert "contact_me" in channel.contacts.strategy(1).privileges
    assert "share_customer" not in channel.contacts.strategy(1).privileges


ALSO_READ = {
    "handover.transfer_chats",
    "handover.transfer_customers",
    "messages.find",
    "messages.find to chats",
    "staff_messages.update_card",
    "words.update",
}


@pytest.mark.parametrize("name", sorted(ALSO_READ | {reading[0] for reading in READINGS}))
def test_one_wrong_field_is_a_record_or_a_refusal(
    channel: Channel, recorded: Recorded, name: str
) -> None:
    """Every field of the documented answer in turn is missing, or of every other type."""
    CALLS[name](channel)
    outcomes = []

    for path in sorted(recorded.asked):
        for answer in spoiled(documented(path)):
            recorded.answers = {path: answer}
            outcomes.append(ends_well(lambda: CALLS[name](channel)))

    assert outcomes
    assert all(outcomes)


def ends_well(call: Callable[[], object]) -> bool:
    """Whether a call ends with a record or says what it lacks; anything else is raised here."""
    try:
        call()
    except ChannelError as refusal:
        return bool(refusal.detail)
    return True


def spoiled(answer: Any) -> Iterator[Any]:
    for place in places(answer):
        for wrong in WRONG:
            changed = deepcopy(answer)
            *way, last = place
            inner = changed
            for step in way:
                inner = inner[step]
            if wrong is not MISSING:
                inner[last] = wrong
            else:
                del inner[last]
            yield changed


def places(answer: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(answer, dict | list):
        steps = answer if isinstance(answer, dict) else range(len(answer))
        for step in steps:
            if step not in {"errcode", "errmsg"} or way:
                yield (*way, step)
                yield from places(answer[step], (*way, step))
