"""The names of group chats, for timelines."""

from collections.abc import Collection

from customers.actions.timeline_words import register_names
from groups.models import GroupChat
from scrm.tenancy.models import Corp


def register_chat_names() -> None:
    """Called once, when the app is ready."""
    register_names("chat", _names)


def _names(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    chats = GroupChat.objects.for_corp(corp).filter(chat_id__in=ids)
    return dict(chats.values_list("chat_id", "name"))
