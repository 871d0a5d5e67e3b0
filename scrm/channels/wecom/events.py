"""The inner XML of callbacks as typed events [doc 92130, 90970]."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.events import (
    ArchiveGrew,
    ArchivingAgreed,
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    DirectoryChanged,
    GroupChatChanged,
    GroupChatDismissed,
    GroupMembersChanged,
    StaffDeleted,
    TagsChanged,
    TransferFailed,
)
from scrm.channels.wecom.parsing import find_moment, number, texts
from scrm.channels.wecom.xml import UnreadableXml, read_xml, text_in

_BY_TRANSFER = "DELETE_BY_TRANSFER"
_MEMBER_CHANGES = {"add_member", "del_member"}
_REMOVED = "1"

Children = dict[str, Any]


@dataclass(frozen=True)
class Callback:
    """What a callback says: for the inbox's columns, and typed when we know its kind."""

    event: str
    change_type: str
    order_key: str
    happened_at: datetime
    typed: ChannelEvent | None


def read_event(content: bytes, *, received_at: datetime) -> Callback:
    """Read the inner XML; raises UnreadableXml for what no handler could make sense of."""
    children = read_xml(content)
    event, change_type = text_in(children, "Event"), text_in(children, "ChangeType")
    happened_at = find_moment(text_in(children, "CreateTime")) or received_at
    build = _BUILDERS.get((event, change_type))
    return Callback(
        event=event,
        change_type=change_type,
        order_key=_order_key(event, children),
        happened_at=happened_at,
        typed=build(happened_at, children) if build else None,
    )


def _order_key(event: str, children: Children) -> str:
    """The subject whose events are handled one after the other."""
    match event:
        case "change_external_contact":
            return f"customer:{text_in(children, 'ExternalUserID')}"
        case "change_external_chat":
            return f"chat:{text_in(children, 'ChatId')}"
        case "change_external_tag":
            return "tags"
        case "change_contact":
            return "staff"
        case _:
            return ""


def _needed(children: Children, name: str) -> str:
    value = text_in(children, name)
    if not value:
        raise UnreadableXml(_("The event lacks its element %(name)s.") % {"name": name})
    return value


def _pair(children: Children) -> tuple[str, str]:
    return _needed(children, "UserID"), _needed(children, "ExternalUserID")


def _contact_added(at: datetime, children: Children) -> ChannelEvent:
    return ContactAdded(
        at,
        *_pair(children),
        state=text_in(children, "State"),
        welcome_code=text_in(children, "WelcomeCode"),
        is_half=text_in(children, "ChangeType") == "add_half_external_contact",
    )


def _contact_edited(at: datetime, children: Children) -> ChannelEvent:
    return ContactEdited(at, *_pair(children))


def _deleted_by_staff(at: datetime, children: Children) -> ChannelEvent:
    by_transfer = text_in(children, "Source") == _BY_TRANSFER
    return ContactDeletedByStaff(at, *_pair(children), by_transfer=by_transfer)


def _deleted_by_customer(at: datetime, children: Children) -> ChannelEvent:
    return ContactDeletedByCustomer(at, *_pair(children))


def _chat_changed(at: datetime, children: Children) -> ChannelEvent:
    return GroupChatChanged(at, _needed(children, "ChatId"))


def _chat_updated(at: datetime, children: Children) -> ChannelEvent:
    """Members with the versions of their list; everything else is read again."""
    detail, chat_id = text_in(children, "UpdateDetail"), _needed(children, "ChatId")
    before, after = text_in(children, "LastMemVer"), text_in(children, "CurMemVer")
    members = _member_ids(children)
    if detail not in _MEMBER_CHANGES or not (before and after and members):
        return GroupChatChanged(at, chat_id)
    is_joining = detail == "add_member"
    return GroupMembersChanged(
        at,
        chat_id,
        joined=members if is_joining else (),
        left=() if is_joining else members,
        version_before=before,
        version=after,
        join_scene=number(text_in(children, "JoinScene")),
        was_removed=text_in(children, "QuitScene") == _REMOVED,
    )


def _member_ids(children: Children) -> tuple[str, ...]:
    listed = children.get("MemChangeList")
    members = texts(listed.get("Item")) if isinstance(listed, dict) else ()
    # A list that is shorter than it says is not to be trusted.
    return members if len(members) == number(text_in(children, "MemChangeCnt")) else ()


def _chat_dismissed(at: datetime, children: Children) -> ChannelEvent:
    return GroupChatDismissed(at, _needed(children, "ChatId"))


def _transfer_failed(at: datetime, children: Children) -> ChannelEvent:
    return TransferFailed(at, *_pair(children), reason=text_in(children, "FailReason"))


def _archiving_agreed(at: datetime, children: Children) -> ChannelEvent:
    welcome_code = text_in(children, "WelcomeCode")
    return ArchivingAgreed(at, *_pair(children), welcome_code=welcome_code)


def _archive_grew(at: datetime, _: Children) -> ChannelEvent:
    return ArchiveGrew(at)


def _tags_changed(at: datetime, _: Children) -> ChannelEvent:
    return TagsChanged(at)


def _directory_changed(at: datetime, _: Children) -> ChannelEvent:
    return DirectoryChanged(at)


def _staff_deleted(at: datetime, children: Children) -> ChannelEvent:
    return StaffDeleted(at, _needed(children, "UserID"))


_CONTACT, _CHAT = "change_external_contact", "change_external_chat"
_TAG, _DIRECTORY = "change_external_tag", "change_contact"

_BUILDERS: dict[tuple[str, str], Callable[[datetime, Children], ChannelEvent]] = {
    (_CONTACT, "add_external_contact"): _contact_added,
    (_CONTACT, "add_half_external_contact"): _contact_added,
    (_CONTACT, "edit_external_contact"): _contact_edited,
    (_CONTACT, "del_external_contact"): _deleted_by_staff,
    (_CONTACT, "del_follow_user"): _deleted_by_customer,
    (_CONTACT, "transfer_fail"): _transfer_failed,
    (_CONTACT, "msg_audit_approved"): _archiving_agreed,
    ("msgaudit_notify", ""): _archive_grew,
    (_CHAT, "create"): _chat_changed,
    (_CHAT, "update"): _chat_updated,
    (_CHAT, "dismiss"): _chat_dismissed,
    (_TAG, "create"): _tags_changed,
    (_TAG, "update"): _tags_changed,
    (_TAG, "delete"): _tags_changed,
    (_TAG, "shuffle"): _tags_changed,
    (_DIRECTORY, "create_user"): _directory_changed,
    (_DIRECTORY, "update_user"): _directory_changed,
    (_DIRECTORY, "delete_user"): _staff_deleted,
    (_DIRECTORY, "create_party"): _directory_changed,
    (_DIRECTORY, "update_party"): _directory_changed,
    (_DIRECTORY, "delete_party"): _directory_changed,
    (_DIRECTORY, "update_tag"): _directory_changed,
}
