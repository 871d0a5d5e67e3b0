"""What the product asks of a channel, in its own words; `wecom/` is the one behind it today.

Records are what the platform says now, as plain values. Nothing here talks to the database.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class DepartmentRecord:
    department_id: int
    name: str
    parent_id: int
    order: int


@dataclass(frozen=True)
class StaffRecord:
    userid: str
    name: str
    department_ids: tuple[int, ...]
    status: int  # 1 active, 2 disabled, 4 not activated, 5 left [doc 90196]
    alias: str = ""
    position: str = ""


@dataclass(frozen=True)
class TagRecord:
    wecom_id: str
    name: str
    order: int


@dataclass(frozen=True)
class TagGroupRecord:
    wecom_id: str
    name: str
    order: int
    tags: tuple[TagRecord, ...]


@dataclass(frozen=True)
class FollowRecord:
    userid: str
    added_at: datetime
    remark: str = ""
    description: str = ""
    state: str = ""
    add_way: int = 0
    added_by: str = ""
    # Platform ids of corp and rule-group tags; a member's personal tags have none.
    tag_ids: tuple[str, ...] = ()
    # Names for ids that no list can give (rule groups): id → (group name, tag name).
    tag_names: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class CustomerRecord:
    external_userid: str
    name: str
    type: int
    gender: int
    unionid: str = ""
    avatar: str = ""
    position: str = ""
    company: str = ""


@dataclass(frozen=True)
class CustomerPage:
    """A page of relations of some staff; a customer appears once for each who follows them."""

    rows: tuple[tuple[CustomerRecord, FollowRecord], ...]
    next_cursor: str


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
class MassMessage:
    """What a member of staff is asked to send, and to whom (≤ 10 000 customers a call)."""

    sender: str
    external_userids: tuple[str, ...]
    content: str
    # `{"kind": "link", "title": …, "url": …}` and so on, as campaigns keep them.
    attachments: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class AskedMessage:
    msgid: str
    # Customers the platform refused when it was asked.
    refused: tuple[str, ...]


@dataclass(frozen=True)
class SenderState:
    """Whether a member of staff has confirmed a mass message, and when."""

    userid: str
    is_confirmed: bool
    confirmed_at: datetime | None


@dataclass(frozen=True)
class SenderStatePage:
    rows: tuple[SenderState, ...]
    next_cursor: str


@dataclass(frozen=True)
class Delivery:
    """What became of one customer: 0 not sent, 1 sent, 2 not a friend, 3 quota used up."""

    external_userid: str
    status: int
    sent_at: datetime | None


@dataclass(frozen=True)
class DeliveryPage:
    rows: tuple[Delivery, ...]
    next_cursor: str


class Channel(Protocol):
    """The platform as one corp sees it. Every method raises `ChannelError` or a subclass."""

    def departments(self) -> Sequence[DepartmentRecord]: ...
    def staff(self, department_ids: Iterable[int]) -> Sequence[StaffRecord]: ...
    def staff_with_customer_contact(self) -> Sequence[str]: ...
    def tag_groups(self) -> Sequence[TagGroupRecord]: ...
    def customer_page(self, userids: Sequence[str], cursor: str) -> CustomerPage: ...
    def customer(self, external_userid: str) -> tuple[CustomerRecord, tuple[FollowRecord, ...]]: ...
    def group_chat_page(self, owners: Sequence[str], cursor: str) -> GroupChatPage: ...
    def group_chat(self, chat_id: str) -> GroupChatRecord: ...
    def mark_tags(
        self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]
    ) -> None: ...
    def ask_mass_message(self, message: MassMessage) -> AskedMessage: ...
    def find_mass_message(
        self, message: MassMessage, *, since: datetime, until: datetime, known: Container[str]
    ) -> AskedMessage | None:
        """Look for `message` among what was created in the span; None when it never was.

        `known` are msgids that belong to other operations. Raises `NotReady` while the platform
        is still dispatching something that could be it.
        """

    def sender_states(self, msgid: str, cursor: str) -> SenderStatePage: ...
    def deliveries(self, msgid: str, userid: str, cursor: str) -> DeliveryPage: ...
    def remind(self, msgid: str) -> None: ...
    def cancel(self, msgid: str) -> None: ...
    def check_credentials(self) -> None:
        """Fetch a token; raises `ChannelError` that names the setting to change."""
