"""The platform's JSON as our records.

Absent, empty and surplus fields are normal. What is not: an object without the id by which it is
known, and another type where a list or an object belongs. To read those as nothing would end
customers and tags that are there, so they raise AnswerLost, which names the field.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from django.utils.translation import gettext as _

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
from scrm.channels.errors import AnswerLost
from scrm.channels.wecom.checks import CHINA

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
_NO_NUMBER = -_TOO_LARGE + 1


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


def rows(answer: Json, name: str) -> list[Json]:
    """The objects of a list that may be missing."""
    found = items(answer.get(name))
    if not all(isinstance(item, Mapping) for item in found):
        raise unreadable(name)
    return found


def names(answer: Json, name: str) -> tuple[str, ...]:
    """The ids of a list that may be missing."""
    found = items(answer.get(name))
    if not all(isinstance(item, str | int) for item in found):
        raise unreadable(name)
    return texts(found)


def numbers(answer: Json, name: str) -> tuple[int, ...]:
    """The numbers of a list that may be missing."""
    return tuple(required_number({name: item}, name) for item in items(answer.get(name)))


def part(answer: Json, name: str) -> Json:
    """The object that an answer is about."""
    found = answer.get(name)
    if not isinstance(found, Mapping):
        raise unreadable(name)
    return found


def optional_part(answer: Json, name: str) -> Json:
    return part(answer, name) if answer.get(name) else {}


def cursor_of(answer: Json) -> str:
    """Where the next page begins; an empty or absent one is the end."""
    cursor = answer.get("next_cursor")
    if cursor is not None and not isinstance(cursor, str | int):
        # Not the end: the rest would be taken for gone.
        raise unreadable("next_cursor")
    return text(cursor)


def required_text(row: Json, name: str) -> str:
    found = text(row.get(name))
    if not found:
        raise unreadable(name)
    return found


def required_number(row: Json, name: str) -> int:
    found = number(row.get(name), _NO_NUMBER)
    if found == _NO_NUMBER:
        raise unreadable(name)
    return found


def required_moment(row: Json, name: str) -> datetime:
    found = find_moment(row.get(name))
    if found is None:
        raise unreadable(name)
    return found


def required_day(row: Json, name: str) -> date:
    """The day in China that begins with these seconds."""
    return required_moment(row, name).astimezone(CHINA).date()


def find_fraction(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def unreadable(name: str) -> AnswerLost:
    sentence = _("The platform answered, but its answer has no “%(name)s” that can be read.")
    return AnswerLost(sentence % {"name": name})


def moment(value: object) -> datetime:
    return find_moment(value) or datetime.fromtimestamp(0, UTC)


def find_moment(value: object) -> datetime | None:
    """Unix seconds as a time; None for 0, nonsense and what lies in no one's future."""
    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None


def department_of(row: Json) -> DepartmentRecord:
    return DepartmentRecord(
        department_id=required_number(row, "id"),
        name=text(row.get("name")),
        parent_id=number(row.get("parentid")),
        order=number(row.get("order")),
    )


def staff_of(row: Json) -> StaffRecord:
    return StaffRecord(
        userid=required_text(row, "userid"),
        name=text(row.get("name")) or text(row.get("userid")),
        department_ids=numbers(row, "department"),
        # user/simplelist names only those who have not left, without a status.
        status=number(row.get("status"), _ACTIVE),
        alias=text(row.get("alias")),
        position=text(row.get("position")),
    )


def tag_group_of(row: Json) -> TagGroupRecord:
    tags = [tag for tag in rows(row, "tag") if not tag.get("deleted")]
    return TagGroupRecord(
        wecom_id=required_text(row, "group_id"),
        name=text(row.get("group_name")),
        order=number(row.get("order")),
        tags=tuple(
            TagRecord(required_text(tag, "id"), text(tag.get("name")), number(tag.get("order")))
            for tag in tags
        ),
    )


def customer_of(row: Json) -> CustomerRecord:
    return CustomerRecord(
        external_userid=required_text(row, "external_userid"),
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
    tags = [tag for tag in rows(row, "tags") if text(tag.get("tag_id"))]
    ids = (*names(row, "tag_id"), *(text(tag["tag_id"]) for tag in tags))
    return FollowRecord(
        userid=required_text(row, "userid"),
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
        chat_id=required_text(row, "chat_id"),
        name=text(row.get("name")),
        owner=text(row.get("owner")),
        opened_at=moment(row.get("create_time")),
        notice=text(row.get("notice")),
        member_version=text(row.get("member_version")),
        members=tuple(member_of(member) for member in rows(row, "member_list")),
    )


def member_of(row: Json) -> MemberRecord:
    inviter = row.get("invitor")
    return MemberRecord(
        member_id=required_text(row, "userid"),
        is_staff=number(row.get("type")) == _STAFF_MEMBER,
        joined_at=moment(row.get("join_time")),
        join_scene=number(row.get("join_scene")),
        inviter=text(inviter.get("userid")) if isinstance(inviter, Mapping) else "",
        name=text(row.get("name")) or text(row.get("group_nickname")),
        state=text(row.get("state")),
    )


def sender_state_of(row: Json) -> SenderState:
    return SenderState(
        userid=required_text(row, "userid"),
        is_confirmed=number(row.get("status")) == _SENT,
        confirmed_at=find_moment(row.get("send_time")),
    )


def delivery_of(row: Json) -> Delivery:
    recipient = text(row.get("external_userid"))
    return Delivery(
        recipient_id=recipient or required_text(row, "chat_id"),
        status=number(row.get("status")),
        sent_at=find_moment(row.get("send_time")),
    )
