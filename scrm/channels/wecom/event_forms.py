"""The forms of events, one builder each; a form that lacks what it is about raises UnreadableXml."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.events import (
    AcquisitionBalanceChanged,
    AcquisitionChatStarted,
    AcquisitionFriendRequested,
    AcquisitionLinkDeleted,
    AcquisitionLinkUnavailable,
    AcquisitionMessageReceived,
    AcquisitionProfileOpened,
    AcquisitionQuotaExpiring,
    AppUsed,
    ArchiveGrew,
    ArchivingAgreed,
    CardAnswered,
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    DepartmentChanged,
    DirectoryJobFinished,
    GroupChatChanged,
    GroupChatDismissed,
    GroupMembersChanged,
    MediaUploadFinished,
    ServiceAccountsChanged,
    ServiceMessagesArrived,
    StaffChanged,
    StaffCreated,
    StaffDeleted,
    StaffTagChanged,
    TagsChanged,
    TransferFailed,
)
from scrm.channels.wecom.parsing import find_moment, number, objects, texts
from scrm.channels.wecom.xml import UnreadableXml, text_in

Children = dict[str, Any]
Builder = Callable[[datetime, Children], ChannelEvent]

_BY_TRANSFER = "DELETE_BY_TRANSFER"
_MEMBER_CHANGES = {"add_member", "del_member"}
_REMOVED = "1"
# The longest the platform gives its ids; a longer text is no id, and would fit no column.
_ID_LENGTH = 64
_LONG_ID_LENGTH = 128
_LARGEST = 2**31 - 1


def _needed(children: Children, name: str, *, at_most: int = _ID_LENGTH) -> str:
    value = text_in(children, name)
    if not value:
        raise UnreadableXml(_("The event lacks its element %(name)s.") % {"name": name})
    if len(value) > at_most:
        raise UnreadableXml(_("The event's element %(name)s is too long.") % {"name": name})
    return value


def _needed_number(children: Children, name: str) -> int:
    value = _count(children, name)
    if not value:
        raise UnreadableXml(_("The event lacks its element %(name)s.") % {"name": name})
    return value


def _count(children: Children, name: str) -> int:
    """A number of an element; 0 for none, and for what no column holds."""
    value = number(text_in(children, name))
    return value if 0 <= value <= _LARGEST else 0


def _pair(children: Children) -> tuple[str, str]:
    return _needed(children, "UserID"), _needed(children, "ExternalUserID")


def _state(children: Children) -> str:
    return text_in(children, "State")[:_ID_LENGTH]


def _listed(children: Children, name: str) -> tuple[str, ...]:
    """A text of names with commas between them."""
    return tuple(filter(None, text_in(children, name).split(",")))


def _listed_numbers(children: Children, name: str) -> tuple[int, ...]:
    numbers = (number(one) for one in _listed(children, name))
    return tuple(one for one in numbers if 0 < one <= _LARGEST)


# Customers


def _contact_added(at: datetime, children: Children) -> ChannelEvent:
    return ContactAdded(
        at,
        *_pair(children),
        state=_state(children),
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


def _transfer_failed(at: datetime, children: Children) -> ChannelEvent:
    return TransferFailed(at, *_pair(children), reason=text_in(children, "FailReason"))


def _archiving_agreed(at: datetime, children: Children) -> ChannelEvent:
    welcome_code = text_in(children, "WelcomeCode")
    return ArchivingAgreed(at, *_pair(children), welcome_code=welcome_code)


# Group chats


def _chat_created(at: datetime, children: Children) -> ChannelEvent:
    return GroupChatChanged(at, _needed(children, "ChatId"), change="create")


def _chat_updated(at: datetime, children: Children) -> ChannelEvent:
    """Members with the versions of their list; everything else is read again."""
    detail, chat_id = text_in(children, "UpdateDetail"), _needed(children, "ChatId")
    before, after = text_in(children, "LastMemVer"), text_in(children, "CurMemVer")
    members = _member_ids(children)
    if detail not in _MEMBER_CHANGES or not (before and after and members):
        return GroupChatChanged(at, chat_id, change=detail)
    is_joining = detail == "add_member"
    return GroupMembersChanged(
        at,
        chat_id,
        joined=members if is_joining else (),
        left=() if is_joining else members,
        version_before=before,
        version=after,
        join_scene=_count(children, "JoinScene"),
        was_removed=text_in(children, "QuitScene") == _REMOVED,
    )


def _member_ids(children: Children) -> tuple[str, ...]:
    listed = children.get("MemChangeList")
    members = texts(listed.get("Item")) if isinstance(listed, dict) else ()
    # A list that is shorter than it says is not to be trusted, nor one of what is no id.
    is_whole = len(members) == number(text_in(children, "MemChangeCnt"))
    return members if is_whole and all(len(one) <= _ID_LENGTH for one in members) else ()


def _chat_dismissed(at: datetime, children: Children) -> ChannelEvent:
    return GroupChatDismissed(at, _needed(children, "ChatId"))


# Tags


def _tags_changed(at: datetime, children: Children) -> ChannelEvent:
    change = text_in(children, "ChangeType")
    return TagsChanged(
        at,
        change=change,
        tag_id=text_in(children, "Id"),
        is_group=change == "shuffle" or text_in(children, "TagType") == "tag_group",
        strategy_id=text_in(children, "StrategyId"),
    )


# The directory


def _staff_created(at: datetime, children: Children) -> ChannelEvent:
    return StaffCreated(
        at,
        _needed(children, "UserID"),
        department_ids=_listed_numbers(children, "Department"),
        name=text_in(children, "Name"),
    )


def _staff_changed(at: datetime, children: Children) -> ChannelEvent:
    return StaffChanged(
        at,
        _needed(children, "UserID"),
        new_userid=text_in(children, "NewUserID"),
        department_ids=_listed_numbers(children, "Department") or None,
    )


def _staff_deleted(at: datetime, children: Children) -> ChannelEvent:
    return StaffDeleted(at, _needed(children, "UserID"))


def _department_changed(at: datetime, children: Children) -> ChannelEvent:
    return DepartmentChanged(
        at,
        change=text_in(children, "ChangeType").removesuffix("_party"),
        department_id=_needed_number(children, "Id"),
        parent_id=_count(children, "ParentId"),
        name=text_in(children, "Name"),
    )


def _staff_tag_changed(at: datetime, children: Children) -> ChannelEvent:
    return StaffTagChanged(
        at,
        _needed(children, "TagId"),
        added_userids=_listed(children, "AddUserItems"),
        removed_userids=_listed(children, "DelUserItems"),
        added_department_ids=_listed_numbers(children, "AddPartyItems"),
        removed_department_ids=_listed_numbers(children, "DelPartyItems"),
    )


# Acquisition links


def _balance_changed(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionBalanceChanged(at, text_in(children, "ChangeType").removeprefix("balance_"))


def _quota_expiring(at: datetime, children: Children) -> ChannelEvent:
    expires_at = find_moment(text_in(children, "ExpireTime"))
    return AcquisitionQuotaExpiring(at, expires_at, _count(children, "ExpireQuotaNum"))


def _link_unavailable(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionLinkUnavailable(at, _needed(children, "LinkId"))


def _link_deleted(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionLinkDeleted(at, _needed(children, "LinkId"))


def _profile_opened(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionProfileOpened(at, _needed(children, "LinkId"), state=_state(children))


def _friend_requested(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionFriendRequested(at, _needed(children, "LinkId"), state=_state(children))


def _chat_started(at: datetime, children: Children) -> ChannelEvent:
    return AcquisitionChatStarted(at, *_pair(children), link_id=_needed(children, "LinkId"))


def _message_received(at: datetime, children: Children) -> ChannelEvent:
    chat_key = _needed(children, "ChatKey", at_most=_LONG_ID_LENGTH)
    return AcquisitionMessageReceived(at, _needed(children, "LinkId"), chat_key)


# The archive, long jobs, customer service, cards


def _archive_grew(at: datetime, _: Children) -> ChannelEvent:
    return ArchiveGrew(at)


def _directory_job_finished(at: datetime, children: Children) -> ChannelEvent:
    job = children.get("BatchJob")
    job = job if isinstance(job, dict) else {}
    return DirectoryJobFinished(
        at,
        _needed(job, "JobId", at_most=_LONG_ID_LENGTH),
        job_type=text_in(job, "JobType"),
        errcode=number(text_in(job, "ErrCode")),
        error=text_in(job, "ErrMsg"),
    )


def _media_upload_finished(at: datetime, children: Children) -> ChannelEvent:
    return MediaUploadFinished(at, _needed(children, "JobId", at_most=_LONG_ID_LENGTH))


def _service_messages_arrived(at: datetime, children: Children) -> ChannelEvent:
    return ServiceMessagesArrived(at, _needed(children, "OpenKfId"), text_in(children, "Token"))


def _service_accounts_changed(at: datetime, children: Children) -> ChannelEvent:
    return ServiceAccountsChanged(
        at,
        opened=texts(children.get("AuthAddOpenKfId")),
        closed=texts(children.get("AuthDelOpenKfId")),
    )


def _card_answered(at: datetime, children: Children) -> ChannelEvent:
    return CardAnswered(
        at,
        _needed(children, "FromUserName"),
        key=text_in(children, "EventKey"),
        task_id=_needed(children, "TaskId", at_most=_LONG_ID_LENGTH),
        card_type=text_in(children, "CardType"),
        response_code=text_in(children, "ResponseCode"),
        chosen=_chosen(children),
        is_menu=text_in(children, "Event") == "template_card_menu_event",
    )


def _chosen(children: Children) -> tuple[tuple[str, tuple[str, ...]], ...]:
    answers = children.get("SelectedItems")
    rows = objects(answers.get("SelectedItem")) if isinstance(answers, dict) else []
    return tuple(
        (text_in(dict(row), "QuestionKey"), _options(row.get("OptionIds"))) for row in rows
    )


def _options(listed: object) -> tuple[str, ...]:
    return texts(listed.get("OptionId")) if isinstance(listed, dict) else ()


def _app_used(at: datetime, children: Children) -> ChannelEvent:
    return AppUsed(
        at,
        _needed(children, "FromUserName"),
        how=text_in(children, "Event").lower(),
        key=text_in(children, "EventKey"),
    )


_CONTACT, _CHAT = "change_external_contact", "change_external_chat"
_TAG, _DIRECTORY = "change_external_tag", "change_contact"
_ACQUISITION = "customer_acquisition"

# By event and change; an event without changes has "" for one.
FORMS: dict[tuple[str, str], Builder] = {
    (_CONTACT, "add_external_contact"): _contact_added,
    (_CONTACT, "add_half_external_contact"): _contact_added,
    (_CONTACT, "edit_external_contact"): _contact_edited,
    (_CONTACT, "del_external_contact"): _deleted_by_staff,
    (_CONTACT, "del_follow_user"): _deleted_by_customer,
    (_CONTACT, "transfer_fail"): _transfer_failed,
    (_CONTACT, "msg_audit_approved"): _archiving_agreed,
    (_CHAT, "create"): _chat_created,
    (_CHAT, "update"): _chat_updated,
    (_CHAT, "dismiss"): _chat_dismissed,
    (_TAG, "create"): _tags_changed,
    (_TAG, "update"): _tags_changed,
    (_TAG, "delete"): _tags_changed,
    (_TAG, "shuffle"): _tags_changed,
    (_DIRECTORY, "create_user"): _staff_created,
    (_DIRECTORY, "update_user"): _staff_changed,
    (_DIRECTORY, "delete_user"): _staff_deleted,
    (_DIRECTORY, "create_party"): _department_changed,
    (_DIRECTORY, "update_party"): _department_changed,
    (_DIRECTORY, "delete_party"): _department_changed,
    (_DIRECTORY, "update_tag"): _staff_tag_changed,
    (_ACQUISITION, "balance_low"): _balance_changed,
    (_ACQUISITION, "balance_exhausted"): _balance_changed,
    (_ACQUISITION, "balance_increased"): _balance_changed,
    (_ACQUISITION, "quota_expire_soon"): _quota_expiring,
    (_ACQUISITION, "link_unavailable"): _link_unavailable,
    (_ACQUISITION, "delete_link"): _link_deleted,
    (_ACQUISITION, "open_profile"): _profile_opened,
    (_ACQUISITION, "friend_request"): _friend_requested,
    (_ACQUISITION, "customer_start_chat"): _chat_started,
    (_ACQUISITION, "message_from_customer"): _message_received,
    ("batch_job_result", ""): _directory_job_finished,
    ("msgaudit_notify", ""): _archive_grew,
    ("upload_media_job_finish", ""): _media_upload_finished,
    ("kf_msg_or_event", ""): _service_messages_arrived,
    ("kf_account_auth_change", ""): _service_accounts_changed,
    ("template_card_event", ""): _card_answered,
    ("template_card_menu_event", ""): _card_answered,
    ("enter_agent", ""): _app_used,
    ("subscribe", ""): _app_used,
    ("unsubscribe", ""): _app_used,
    ("click", ""): _app_used,
    ("view", ""): _app_used,
    ("location", ""): _app_used,
    ("LOCATION", ""): _app_used,
}
