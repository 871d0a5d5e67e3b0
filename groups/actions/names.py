"""What group chats are called, for the apps below that know only their ids."""

from collections.abc import Collection

from groups.models import GroupChat
from scrm.tenancy.models import Corp


def names_of_chats(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    rows = GroupChat.objects.for_corp(corp).filter(chat_id__in=ids)
    return dict(rows.values_list("chat_id", "name"))
