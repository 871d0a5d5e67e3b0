"""What the product asks of a channel, in its own words; `wecom/` is the one behind it today.

Records are what the platform says now, as plain values. Nothing here talks to the database.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol


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


# Fields of an attachment that name a media file of ours, and the platform's that take its id.
FILE_FIELDS = {"file": "media_id", "pic_file": "pic_media_id"}


@dataclass(frozen=True)
class MassMessage:
    """What a member of staff is asked to send, and to whom: customers or chats, not both.

    At most 10 000 customers or 2 000 chats a call.
    """

    sender: str
    external_userids: tuple[str, ...]
    content: str
    chat_ids: tuple[str, ...] = ()
    # `{"kind": "link", "title": …, "url": …}` and so on, as campaigns keep them; `file` and
    # `pic_file` name media files of ours.
    attachments: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class AskedMessage:
    msgid: str
    # Customers or chats the platform refused when it was asked.
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
    """What became of one recipient: 0 not sent, 1 sent, 2 not a friend, 3 quota used up.

    Of chats the platform lists only those it was sent to.
    """

    recipient_id: str  # external_userid or chat_id
    status: int
    sent_at: datetime | None


@dataclass(frozen=True)
class DeliveryPage:
    rows: tuple[Delivery, ...]
    next_cursor: str


@dataclass(frozen=True)
class ItemAnswer:
    """What the platform said of one item of a call that takes many; 0 means accepted."""

    item_id: str  # external_userid or chat_id
    errcode: int
    error: str = ""


@dataclass(frozen=True)
class TransferState:
    """Where one customer stands between two members of staff.

    `status`: 1 done, 2 waiting, 3 refused by the customer, 4 the taker is full, 5 never asked.
    """

    external_userid: str
    status: int
    takeover_at: datetime | None


@dataclass(frozen=True)
class TransferStatePage:
    rows: tuple[TransferState, ...]
    next_cursor: str


@dataclass(frozen=True)
class UnassignedCustomer:
    """A customer of somebody who has left, still to be given to a colleague."""

    handover_userid: str
    external_userid: str
    left_at: datetime


@dataclass(frozen=True)
class UnassignedPage:
    rows: tuple[UnassignedCustomer, ...]
    next_cursor: str


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
class Agreement:
    """Whether a customer agreed to have her chat archived: with a member of staff, or in a room.

    In a room `userid` is empty.
    """

    userid: str
    external_userid: str
    is_agreed: bool
    changed_at: datetime | None


@dataclass(frozen=True)
class ArchivedRecord:
    """One archived message, opened; of its content only what can be read as text.

    With `problem` the message could not be opened (its key is missing, say) and only `seq`,
    `msgid` and `key_version` are known.
    """

    seq: int
    msgid: str
    key_version: int
    action: str = "send"  # send, recall, switch
    sender: str = ""
    receivers: tuple[str, ...] = ()
    room_id: str = ""
    sent_at: datetime | None = None
    kind: str = ""
    # Every field of it that a person reads, one a line; empty for pictures, voices and the like.
    text: str = ""
    # The id of the message that this one takes back.
    recalls: str = ""
    # What the sender says about being archived.
    agreement: Agreement | None = None
    # The platform's own form of what `text` does not say all of; "" when there is no more to it.
    payload: str = ""
    # What a reviewer should know; the message was opened all the same.
    remark: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ArchivedFile:
    """A picture, voice or document in an archived message; the platform keeps it for 5 days."""

    file_id: str
    md5: str = ""
    size: int = 0
    name: str = ""


@dataclass(frozen=True)
class ArchivePage:
    """Messages after the given `seq`, in their order; empty when there are no more."""

    rows: tuple[ArchivedRecord, ...]


class ArchiveSource(Protocol):
    """The chat archive of one corp; raises `ChannelError` or a subclass."""

    def messages_after(self, seq: int, *, limit: int = 1000) -> ArchivePage: ...
    def agreements(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Agreement]:
        """What (userid, external_userid) pairs agreed to; pairs without an answer are left out."""

    def room_agreements(self, room_id: str) -> Sequence[Agreement]:
        """What the outsiders of a room agreed to; none for a room the platform does not know."""

    def files_in(self, payload: str) -> Sequence[ArchivedFile]:
        """The files that a message's payload names."""

    def fetch_media(self, file_id: str, *, md5: str, into: IO[bytes], most: int = 1 << 30) -> int:
        """Write a file piece by piece into `into`; returns its size.

        Raises `ChannelError` when it is forgotten, larger than `most` bytes, or not what `md5`
        says; what was written until then is worth nothing.
        """


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
    def add_tags(
        self, names: Sequence[str], *, group_id: str = "", group_name: str = "", order: int = 0
    ) -> TagGroupRecord:
        """Make tags in a group, by its id or its name; returns it with the tags that were made."""

    def edit_tag(self, wecom_id: str, *, name: str = "", order: int | None = None) -> None:
        """Rename or move a tag or a group; only what this app made can be changed (81011)."""

    def delete_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """A group goes with its last tag, and tags with their group."""

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
    def unassigned_page(self, cursor: str) -> UnassignedPage: ...
    def transfer_customers(
        self,
        from_userid: str,
        to_userid: str,
        external_userids: Sequence[str],
        *,
        is_resigned: bool,
        message: str = "",
    ) -> Sequence[ItemAnswer]:
        """Ask to hand over at most 100 customers; each has an answer of its own.

        `message` (≤ 200 characters, in service only) is what the customer reads.
        """

    def transfer_states(
        self, from_userid: str, to_userid: str, cursor: str, *, is_resigned: bool
    ) -> TransferStatePage: ...
    def transfer_chats(
        self, chat_ids: Sequence[str], to_userid: str, *, is_resigned: bool
    ) -> Sequence[ItemAnswer]:
        """Give at most 100 chats a new owner, at once; each has an answer of its own."""

    def change_remark(
        self, userid: str, external_userid: str, *, remark: str, description: str
    ) -> None: ...
    def create_join_code(self, wish: JoinCodeWish) -> str:
        """Return the config id; nobody can list it again, so it must be kept."""

    def join_code(self, config_id: str) -> JoinCodeRecord: ...
    def update_join_code(self, config_id: str, wish: JoinCodeWish) -> None: ...
    def delete_join_code(self, config_id: str) -> None: ...
    def picture(self, url: str) -> tuple[str, bytes]:
        """Fetch a picture the platform made (media type, content of at most 1 MB)."""

    def send_app_message(self, userids: Sequence[str], text: str) -> Sequence[str]:
        """Tell staff something through the app; returns the userids it did not reach."""

    def upload_media(self, kind: str, name: str, content: bytes) -> str:
        """Give the platform an image, voice, video or file; the id it knows it by for 3 days."""

    def check_credentials(self) -> None:
        """Fetch a token; raises `ChannelError` that names the setting to change."""
