"""Reading one group chat from the platform again."""

from datetime import datetime

from groups.actions.chats import apply_group_chat, dismiss_chat
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import Channel
from scrm.channels.errors import Stale
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp


def refresh_group_chat(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read one chat with its members; raises Stale when it does not exist any more."""
    try:
        record = channel.groups.chat(key)
    except Stale:
        dismiss_chat(key, corp=corp, dismissed_at=now, now=now)
        raise
    if apply_group_chat(record, corp=corp, asked_at=now, now=now).is_stale:
        # Something happened in the chat while, or shortly before, the platform was asked.
        request_refresh(Refresh.Kind.GROUP_CHAT, corp=corp, now=now, key=key)
