"""Chats with customers, the codes that lead into them, and their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True)
class GroupChatPage:
    """Chat ids with the platform's status (0 normal, 1 owner left, 2 inheriting, 3 inherited)."""

    rows: tuple[tuple[str, int], ...]
    next_cursor: str


@dataclass(frozen=True)
class MemberRecord:
    member_id: str
    is_staff: bool
    joined_at: datetime
    join_scene: int = 0
    inviter: str = ""
    name: str = ""
    state: str = ""


@dataclass(frozen=True)
class GroupChatRecord:
    chat_id: str
    name: str
    owner: str
    opened_at: datetime
    notice: str
    member_version: str
    members: tuple[MemberRecord, ...]


@dataclass(frozen=True)
class JoinCodeWish:
    """A code through which customers enter one of at most five chats."""

    chat_ids: tuple[str, ...]
    state: str  # ≤ 30 bytes; comes back with everybody who entered through the code
    remark: str = ""
    # When all chats are full the platform opens another, named `base_name` and a number.
    is_growing: bool = False
    base_name: str = ""
    base_id: int = 1


@dataclass(frozen=True)
class JoinCodeRecord:
    config_id: str
    chat_ids: tuple[str, ...]
    state: str
    qr_url: str


@dataclass(frozen=True)
class GroupFigures:
    """Chats and their members, staff among them [doc 92133].

    `new_…` are of the span, `chats` and `members` of its last day. `talking_…` said something.
    """

    new_chats: int
    chats: int
    talking_chats: int
    new_members: int
    members: int
    talking_members: int
    messages: int


@dataclass(frozen=True)
class OwnerFigures:
    owner: str
    figures: GroupFigures


@dataclass(frozen=True)
class OwnerFiguresPage:
    """`next_offset` is None on the last page."""

    rows: tuple[OwnerFigures, ...]
    total: int
    next_offset: int | None


@dataclass(frozen=True)
class GroupDay:
    day: date
    figures: GroupFigures


class GroupChats(Protocol):
    def chat_page(self, owners: Sequence[str], cursor: str) -> GroupChatPage: ...
    def chat(self, chat_id: str) -> GroupChatRecord: ...
    def chat_of_opengid(self, opengid: str) -> str:
        """The chat in which a mini-program was opened [doc 94822]; 90511 for an unknown one."""

    def figures_page(
        self, owners: Sequence[str], first: date, last: date, *, offset: int = 0
    ) -> OwnerFiguresPage:
        """Figures of at most 100 owners over some days of China, not today, none older than 180.

        Raises InputRefused.
        """

    def figures_by_day(self, owners: Sequence[str], first: date, last: date) -> Sequence[GroupDay]:
        """The same of all owners together, day by day; at most 30 days."""

    def create_join_code(self, wish: JoinCodeWish) -> str:
        """Return the config id; nobody can list it again, so it must be kept."""

    def join_code(self, config_id: str) -> JoinCodeRecord: ...
    def update_join_code(self, config_id: str, wish: JoinCodeWish) -> None: ...
    def delete_join_code(self, config_id: str) -> None: ...
