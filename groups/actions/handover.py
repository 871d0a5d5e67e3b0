"""Chats in a handover: who owns them, and what becomes of them when somebody takes them over."""

from collections.abc import Collection, Sequence
from datetime import datetime

from customers.actions.handover.belongings import Belonging
from groups.actions.chats import SETTLING
from groups.models import GroupChat, GroupChatQuerySet
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp, Staff


class OwnedChats:
    """The chats of members of staff, as `customers.actions.handover` asks for them."""

    def owned_by(self, staff_ids: Collection[int], *, corp: Corp) -> Sequence[Belonging]:
        return _described(GroupChat.objects.for_corp(corp).filter(owner__in=staff_ids))

    def named(self, chat_ids: Collection[str], *, corp: Corp) -> Sequence[Belonging]:
        return _described(GroupChat.objects.for_corp(corp).filter(chat_id__in=chat_ids))

    def note_new_owner(
        self, chat_ids: Sequence[str], owner: Staff, *, corp: Corp, now: datetime
    ) -> None:
        """The platform said that it is done; a page asked for before does not undo it."""
        chats = GroupChat.objects.for_corp(corp).existing().filter(chat_id__in=chat_ids)
        rows = chats.select_related("owner").order_by("pk")
        locked = list(rows.select_for_update(of=["self"], no_key=True))
        resigned = [chat.pk for chat in locked if _was_orphaned(chat)]
        mine = GroupChat.objects.filter(pk__in=[chat.pk for chat in locked])
        mine.update(owner=owner, read_at=now + SETTLING, updated_at=now)
        # A chat given on by somebody who is still there stays a normal one [doc 95703].
        mine.filter(pk__in=resigned).update(status=GroupChat.Status.INHERITED)
        for chat in locked:
            request_refresh(Refresh.Kind.GROUP_CHAT, corp=corp, now=now, key=chat.chat_id)


def _was_orphaned(chat: GroupChat) -> bool:
    has_left = chat.owner is not None and chat.owner.status == Staff.Status.LEFT
    return has_left or chat.status != GroupChat.Status.NORMAL


def _described(chats: GroupChatQuerySet) -> list[Belonging]:
    owned = chats.existing().filter(owner__isnull=False).order_by("pk")
    return [
        Belonging(chat.chat_id, chat.name, chat.owner_id, chat.member_count)
        for chat in owned
        if chat.owner_id is not None
    ]
