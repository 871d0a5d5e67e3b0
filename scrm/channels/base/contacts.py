"""Customers, who follows them, and what staff do with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from scrm.channels.base.paging import Page


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
class IdMatch:
    """Whom a unionid belongs to: a customer, or somebody who has not been added yet.

    `pending_id` is good for 90 days and becomes a customer's once she is added [doc 97108].
    """

    external_userid: str = ""
    pending_id: str = ""


@dataclass(frozen=True)
class ServedContact:
    """Somebody whom a member or a chat serves [doc 99434].

    `temporary_id` is the same for one person within one walk and is good for four hours;
    `external_userid` is empty for who is no customer. Of the chat a customer group has its id,
    others have only a name.
    """

    temporary_id: str
    is_customer: bool
    external_userid: str = ""
    name: str = ""
    userid: str = ""
    chat_id: str = ""
    chat_name: str = ""
    added_at: datetime | None = None


@dataclass(frozen=True)
class BehaviourDay:
    """What some staff did on one day of China, together [doc 92132].

    The two figures about replies are None on days without a chat; `reply_minutes` is the mean.
    """

    day: date
    chats: int
    messages: int
    applications: int
    new_customers: int
    # Customers who deleted or blocked somebody.
    lost: int
    reply_percentage: float | None
    reply_minutes: float | None


@dataclass(frozen=True)
class StrategyRecord:
    """A rule group of customer contact (规则组) [doc 94883]; `parent_id` 0 for the first level."""

    strategy_id: int
    parent_id: int
    name: str
    created_at: datetime
    admins: tuple[str, ...]
    # What is allowed, by the platform's names: `send_customer_msg`, `contact_me` …
    privileges: frozenset[str]


@dataclass(frozen=True)
class StrategyNode:
    """Somebody or some department that a rule group is about: one of the two is set."""

    userid: str = ""
    department_id: int = 0


class Contacts(Protocol):
    def staff_with_customer_contact(self) -> Sequence[str]: ...
    def customer_page(self, userids: Sequence[str], cursor: str) -> CustomerPage:
        """Customers of at most 100 staff, 100 relations a page."""

    def external_userids_of(self, userid: str) -> Sequence[str]:
        """All customers of one member; none where the platform says “no relation”."""

    def customer(self, external_userid: str) -> tuple[CustomerRecord, tuple[FollowRecord, ...]]: ...
    def served_page(self, cursor: str) -> Page[ServedContact]:
        """Everybody whom staff and chats serve, 1 000 a page."""

    def change_remark(
        self,
        userid: str,
        external_userid: str,
        *,
        remark: str = "",
        description: str = "",
        company: str = "",
        mobiles: Sequence[str] | None = None,
    ) -> None:
        """Change what is given: an empty text and None leave what is there.

        `remark` and `company` are cut to 20 characters, `description` to 150 [doc 92115];
        `mobiles` replaces all numbers, and an empty list takes them away.
        """

    def find_by_unionid(self, unionid: str, openid: str, *, is_of_provider: bool) -> IdMatch:
        """Who a visitor of an official account or mini-program is [doc 97108].

        Open to delegated apps only (48002 for others), and limited to 100 000 calls an hour.
        `is_of_provider`: whose account the ids belong to, the service provider's or the corp's.
        """

    def id_from_provider(self, external_userid: str, *, agent_id: int) -> str:
        """The corp's own id of a customer for the one that a provider's app uses [doc 95884]."""

    def behaviour(
        self,
        first: date,
        last: date,
        *,
        userids: Sequence[str] = (),
        department_ids: Sequence[int] = (),
    ) -> Sequence[BehaviourDay]:
        """Figures a day, of all who are named together: ask one by one to tell them apart.

        At most 100 staff and 100 departments; at most 30 days, none older than 180 and not
        today. Raises InputRefused.
        """

    def strategy_page(self, cursor: str) -> Page[int]:
        """The ids of the rule groups that the app made."""

    def strategy(self, strategy_id: int) -> StrategyRecord: ...
    def strategy_range_page(self, strategy_id: int, cursor: str) -> Page[StrategyNode]: ...
