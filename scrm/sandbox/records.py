"""The things a corp consists of, as the platform knows them."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class MemberStatus(IntEnum):
    ACTIVE = 1
    DISABLED = 2
    NOT_ACTIVATED = 4
    LEFT = 5


class ContactType(IntEnum):
    WECHAT = 1
    WECOM = 2


class ReceiptStatus(IntEnum):
    """How a mass message ended for one recipient."""

    NOT_SENT = 0
    SENT = 1
    NOT_FRIEND = 2
    OVER_QUOTA = 3


class TaskStatus(IntEnum):
    NOT_SENT = 0
    SENT = 2


@dataclass(slots=True)
class Department:
    id: int
    name: str
    parent_id: int
    order: int
    name_en: str = ""
    leaders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Member:
    userid: str
    name: str
    departments: list[int]
    position: str = ""
    status: MemberStatus = MemberStatus.ACTIVE
    customer_contact: bool = True
    leads: set[int] = field(default_factory=set)
    direct_leader: str = ""
    alias: str = ""
    telephone: str = ""
    external_position: str = ""
    # Further documented fields: what everybody sees on the card, and what only old apps may see.
    extra: dict[str, Any] = field(default_factory=dict)
    # What decides whether customers can be handed to or from the member: None is no matter.
    capacity: int | None = None
    is_verified: bool = True
    last_login_at: float | None = None
    left_at: float | None = None
    # Orders those who left by when they did.
    left_number: int = 0
    # Whether the chat archive is on for the member.
    is_archived: bool = True
    # Whether the console greets new customers of the member, so that no app may.
    has_console_welcome: bool = False

    @property
    def has_left(self) -> bool:
        return self.status == MemberStatus.LEFT

    @property
    def can_follow(self) -> bool:
        """Whether the member is inside the customer-contact usage range."""
        return self.customer_contact and not self.has_left


@dataclass(slots=True)
class Person:
    """Someone outside the corp; `extra` holds further documented fields of a WeCom contact."""

    external_userid: str
    name: str
    type: ContactType = ContactType.WECHAT
    gender: int = 0
    unionid: str = ""
    avatar: str = ""
    corp_name: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Relation:
    """One member's view of one person; `number` orders relations by the time they began."""

    userid: str
    external_userid: str
    number: int
    createtime: int
    remark: str = ""
    description: str = ""
    state: str = ""
    add_way: int = 1
    oper_userid: str = ""
    tag_ids: set[str] = field(default_factory=set)
    personal_tags: list[tuple[str, str]] = field(default_factory=list)
    remark_corp_name: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    wechat_channels: dict[str, Any] | None = None
    last_chat_at: float = 0
    is_half: bool = False
    # Whether the member has not even been told to confirm: it waits like any friend request.
    is_requested: bool = False
    deleted_by_member_at: float | None = None
    deleted_by_customer_at: float | None = None

    @property
    def is_known_to_member(self) -> bool:
        """Whether the member still has the customer (who may have deleted him, one-way)."""
        return self.deleted_by_member_at is None and not self.is_half

    @property
    def is_friendship(self) -> bool:
        return self.is_known_to_member and self.deleted_by_customer_at is None


@dataclass(slots=True)
class CorpTag:
    id: str
    name: str
    group_id: str
    create_time: int
    order: int = 0
    is_deleted: bool = False
    made_by_app: bool = True


@dataclass(slots=True)
class CorpTagGroup:
    id: str
    name: str
    create_time: int
    order: int = 0
    tag_ids: list[str] = field(default_factory=list)
    is_deleted: bool = False
    made_by_app: bool = True


@dataclass(slots=True)
class RuleTag:
    """A tag of a customer-contact rule group; the corp-tag endpoints do not list it."""

    id: str
    name: str
    group_name: str


@dataclass(slots=True)
class ChatMember:
    id: str
    type: int
    join_time: int
    join_scene: int = 1
    invitor: str = ""
    state: str = ""
    group_nickname: str = ""


@dataclass(slots=True)
class Chat:
    chat_id: str
    name: str
    owner: str
    create_time: int
    number: int
    notice: str = ""
    members: dict[str, ChatMember] = field(default_factory=dict)
    admins: list[str] = field(default_factory=list)
    member_version: str = ""
    status: int = 0
    dismissed_at: float | None = None


@dataclass(slots=True)
class Receipt:
    recipient: str
    status: ReceiptStatus = ReceiptStatus.NOT_SENT
    send_time: int | None = None


@dataclass(slots=True)
class SendTask:
    """What one member was asked to send; recipients keep the order of the request."""

    userid: str
    receipts: dict[str, Receipt]
    status: TaskStatus = TaskStatus.NOT_SENT
    send_time: int | None = None


@dataclass(slots=True)
class MassMessage:
    msgid: str
    chat_type: str
    created_at: float
    text: str
    attachments: list[dict[str, Any]]
    tasks: dict[str, SendTask]
    fail_list: list[str] = field(default_factory=list)
    creator: str = ""
    cancelled_at: float | None = None
    reminded_at: list[float] = field(default_factory=list)

    @property
    def is_personal(self) -> bool:
        """Whether a member made it in the client rather than an app through the API."""
        return bool(self.creator)

    @property
    def recipients(self) -> list[str]:
        return [recipient for task in self.tasks.values() for recipient in task.receipts]


@dataclass(frozen=True, slots=True)
class AppMessage:
    """What members were told through the app; `receivers` is who truly got it."""

    msgid: str
    at: float
    kind: str
    text: str
    receivers: tuple[str, ...]


@dataclass(slots=True)
class JoinWay:
    """A code through which customers enter one of its groups, or one that it grows."""

    config_id: str
    scene: int
    chat_ids: list[str]
    remark: str = ""
    state: str = ""
    auto_create_room: bool = True
    room_base_name: str = ""
    room_base_id: int = 1
    mark_source: bool = False
    # Groups that were made because the others were full; no answer lists them.
    grown_chat_ids: list[str] = field(default_factory=list)
