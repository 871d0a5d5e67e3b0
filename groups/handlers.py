"""What group chats do when something happens on the platform."""

from datetime import datetime

from groups.actions.chats import dismiss_chat, link_customers
from groups.actions.refreshing import refresh_group_chat
from scrm.channels.actions.refreshes import register_refresher, request_refresh
from scrm.channels.events import ContactAdded, GroupChatChanged, GroupChatDismissed, subscribe
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp


def subscribe_all() -> None:
    """Listen; called once, when the app is ready, after the handlers of the apps below."""
    subscribe(ContactAdded, link_added_contact)
    subscribe(GroupChatChanged, note_changed_chat)
    subscribe(GroupChatDismissed, note_dismissed_chat)
    register_refresher(Refresh.Kind.GROUP_CHAT, refresh_group_chat)


def link_added_contact(event: ContactAdded, corp: Corp, now: datetime) -> None:
    link_customers(corp=corp, external_userids=[event.external_userid])


def note_changed_chat(event: GroupChatChanged, corp: Corp, now: datetime) -> None:
    request_refresh(Refresh.Kind.GROUP_CHAT, corp=corp, now=now, key=event.chat_id)


def note_dismissed_chat(event: GroupChatDismissed, corp: Corp, now: datetime) -> None:
    dismiss_chat(event.chat_id, corp=corp, dismissed_at=event.happened_at, now=now)
