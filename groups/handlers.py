"""What group chats do when something happens on the platform."""

from datetime import datetime

from customers.actions.leaving import subscribe_leaving
from groups.actions.chats import dismiss_chat, link_customers
from groups.actions.join_code_chats import leave_out_chats_of
from groups.actions.join_code_outcomes import (
    note_created_code,
    note_updated_code,
    refresh_join_code,
)
from groups.actions.member_news import apply_member_change
from groups.actions.refreshing import refresh_group_chat
from scrm.channels.actions.refreshes import register_refresher, request_refresh
from scrm.channels.events import (
    ContactAdded,
    GroupChatChanged,
    GroupChatDismissed,
    GroupMembersChanged,
    subscribe,
)
from scrm.channels.kinds import subscribe_outcome
from scrm.channels.models import Refresh
from scrm.channels.operations import CREATE_JOIN_CODE, UPDATE_JOIN_CODE
from scrm.tenancy.models import Corp


def subscribe_all() -> None:
    """Listen; called once, when the app is ready, after the handlers of the apps below."""
    subscribe(ContactAdded, link_added_contact)
    subscribe(GroupChatChanged, note_changed_chat)
    subscribe(GroupMembersChanged, note_changed_members)
    subscribe(GroupChatDismissed, note_dismissed_chat)
    subscribe_leaving(leave_out_chats_of)
    subscribe_outcome(CREATE_JOIN_CODE, note_created_code)
    subscribe_outcome(UPDATE_JOIN_CODE, note_updated_code)
    register_refresher(Refresh.Kind.GROUP_CHAT, refresh_group_chat)
    register_refresher(Refresh.Kind.JOIN_CODE, refresh_join_code)


def link_added_contact(event: ContactAdded, corp: Corp, now: datetime) -> None:
    link_customers(corp=corp, now=now, external_userids=[event.external_userid])


def note_changed_chat(event: GroupChatChanged, corp: Corp, now: datetime) -> None:
    _wish_chat(event.chat_id, corp, now)


def note_changed_members(event: GroupMembersChanged, corp: Corp, now: datetime) -> None:
    is_applied = apply_member_change(event, corp=corp, now=now)
    # Who enters is in the chat at once; the name, who invited and by which code are read.
    if not is_applied or event.joined:
        _wish_chat(event.chat_id, corp, now)


def note_dismissed_chat(event: GroupChatDismissed, corp: Corp, now: datetime) -> None:
    dismiss_chat(event.chat_id, corp=corp, dismissed_at=event.happened_at, now=now)


def _wish_chat(chat_id: str, corp: Corp, now: datetime) -> None:
    request_refresh(Refresh.Kind.GROUP_CHAT, corp=corp, now=now, key=chat_id)
