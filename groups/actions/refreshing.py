"""Reading one group chat from the platform again."""

from datetime import datetime

from groups.actions.chats import apply_group_chat, dismiss_chat
from scrm.channels.base import Channel
from scrm.channels.errors import Stale
from scrm.tenancy.models import Corp


def refresh_group_chat(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read one chat with its members; raises Stale when it does not exist any more."""
    try:
        record = channel.group_chat(key)
    except Stale:
        dismiss_chat(key, corp=corp, dismissed_at=now, now=now)
        raise
    apply_group_chat(record, corp=corp, now=now)
