"""The platform's JSON as our records: absent, empty and surplus fields are all normal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scrm.channels.base import (
    CustomerRecord,
    Delivery,
    DepartmentRecord,
    FollowRecord,
    GroupChatRecord,
    MemberRecord,
    SenderState,
    StaffRecord,
    TagGroupRecord,
    TagRecord,
)

Json = Mapping[str, Any]
_ACTIVE = 1
_STAFF_MEMBER = 1
_CORP_TAG = 1
_SENT = 2
# Nothing the platform tells of lies behind the year 2100: whatever does is no time, and would break
# every sum that is made with it.
_LATEST = 4_102_444_800
# No column holds more, and nothing the platform counts comes near.
_TOO_LARGE = 2**63


def text(value: object) -> str:
    if not isinstance(value, str | int):
        return ""
    # Nicknames now and then have a NUL or half an emoji, neither of which PostgreSQL takes.
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()


def number(value: object, default: int = 0) -> int:
    """A number, also one in a text; the default for what is none or fits nowhere."""
    try:
        found = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return default
    return found if -_TOO_LARGE < found < _TOO_LARGE else default


def items(value: object) -> list[Any]:
    """A list, whether the platform sent a list, one item, null or nothing."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) else [value]


def texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text, items(value))))


def objects(value: object) -> list[Json]:
    return [item for item in items(value) if isinstance(item, Mapping)]


def moment(value: object) -> datetime:
    return find_moment(value) or datetime.fromtimestamp(0, UTC)


def find_moment(value: object) -> datetime | None:
    """Unix seconds as a time; None for 0, nonsense and what lies in no one's future."""
    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None


def department_of(row: Json) -> DepartmentRecord:
    return DepartmentRecord(
        department_id=number(row.get("id")),
        name=text(row.get("name")),
        parent_id=number(row.get("parentid")),
        order=number(row.get("order")),
    )


def staff_of(row: Json) -> StaffRecord:
    return StaffRecord(
        userid=text(row.get("userid")),
        name=text(row.get("name")) or text(row.get("userid")),
        department_ids=tuple(number(one) for one in items(row.get("department"))),
        # user/simplelist names only those who have not left, without a status.
        status=number(row.get("status"), _ACTIVE),
        alias=text(row.get("alias")),
        position=text(row.get("position")),
    )


def tag_group_of(row: Json) -> TagGroupRecord:
    tags = [tag for tag in objects(row.get("tag")) if not tag.get("deleted")]
    return TagGroupRecord(
        wecom_id=text(row.get("group_id")),
        name=text(row.get("group_name")),
        order=number(row.get("order")),
        tags=tuple(
            TagRecord(text(tag.get("id")), text(tag.get("name")), number(tag.get("order")))
            for tag in tags
        ),
    )


def customer_of(row: Json) -> CustomerRecord:
    return CustomerRecord(
        external_userid=text(row.get("external_userid")),
        name=text(row.get("name")),
        type=number(row.get("type"), 1),
        gender=number(row.get("gender")),
        unionid=text(row.get("unionid")),
        avatar=text(row.get("avatar")),
        position=text(row.get("position")),
        company=text(row.get("corp_full_name")) or text(row.get("corp_name")),
    )


def follow_of(row: Json) -> FollowRecord:
    """One relation, from `follow_user` (with `tags`) or from `follow_info` (with `tag_id`)."""
    tags = [tag for tag in objects(row.get("tags")) if text(tag.get("tag_id"))]
    ids = (*texts(row.get("tag_id")), *(text(tag["tag_id"]) for tag in tags))
    return FollowRecord(
        userid=text(row.get("userid")),
        added_at=moment(row.get("createtime")),
        remark=text(row.get("remark")),
        description=text(row.get("description")),
        state=text(row.get("state")),
        add_way=number(row.get("add_way")),
        added_by=text(row.get("oper_userid")),
        tag_ids=tuple(dict.fromkeys(ids)),
        tag_names={
            text(tag["tag_id"]): (text(tag.get("group_name")), text(tag.get("tag_name")))
            for tag in tags
            if number(tag.get("type"), _CORP_TAG) != _CORP_TAG
        },
    )


def group_chat_of(row: Json) -> GroupChatRecord:
    return GroupChatRecord(
        chat_id=text(row.get("chat_id")),
        name=text(row.get("name")),
        owner=text(row.get("owner")),
        opened_at=moment(row.get("create_time")),
        notice=text(row.get("notice")),
        member_version=text(row.get("member_version")),
        members=tuple(member_of(member) for member in objects(row.get("member_list"))),
    )


def member_of(row: Json) -> MemberRecord:
    inviter = row.get("invitor")
    return MemberRecord(
        member_id=text(row.get("userid")),
        is_staff=number(row.get("type")) == _STAFF_MEMBER,
        joined_at=moment(row.get("join_time")),
        join_scene=number(row.get("join_scene")),
        inviter=text(inviter.get("userid")) if isinstance(inviter, Mapping) else "",
        name=text(row.get("name")) or text(row.get("group_nickname")),
        state=text(row.get("state")),
    )


def sender_state_of(row: Json) -> SenderState:
    return SenderState(
        userid=text(row.get("userid")),
        is_confirmed=number(row.get("status")) == _SENT,
        confirmed_at=find_moment(row.get("send_time")),
    )


def delivery_of(row: Json) -> Delivery:
    return Delivery(
        recipient_id=text(row.get("external_userid")) or text(row.get("chat_id")),
        status=number(row.get("status")),
        sent_at=find_moment(row.get("send_time")),
    )
