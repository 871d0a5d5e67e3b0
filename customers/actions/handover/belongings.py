"""Chats of members of staff, which `groups` keeps above us and lends to handover."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scrm.tenancy.models import Corp, Staff


@dataclass(frozen=True)
class Belonging:
    """A chat somebody owns."""

    chat_id: str
    name: str
    staff_id: int
    member_count: int


class Belongings(Protocol):
    def owned_by(self, staff_ids: Collection[int], *, corp: Corp) -> Sequence[Belonging]:
        """The chats these members of staff own and that still exist."""

    def named(self, chat_ids: Collection[str], *, corp: Corp) -> Sequence[Belonging]:
        """What is known of these chats; unknown ids are left out."""

    def note_new_owner(
        self, chat_ids: Sequence[str], owner: Staff, *, corp: Corp, now: datetime
    ) -> None:
        """The platform has given the chats to `owner`; in the transaction that settles them."""


_providers: list[Belongings] = []


def register_belongings(provider: Belongings) -> None:
    _providers[:] = [provider]


def chats_of(staff_ids: Collection[int], *, corp: Corp) -> list[Belonging]:
    return [chat for each in _providers for chat in each.owned_by(staff_ids, corp=corp)]


def chats_named(chat_ids: Collection[str], *, corp: Corp) -> dict[str, Belonging]:
    if not chat_ids:
        return {}
    found = (chat for each in _providers for chat in each.named(chat_ids, corp=corp))
    return {chat.chat_id: chat for chat in found}


def note_new_owner(chat_ids: Sequence[str], owner: Staff, *, corp: Corp, now: datetime) -> None:
    for each in _providers:
        each.note_new_owner(chat_ids, owner, corp=corp, now=now)
