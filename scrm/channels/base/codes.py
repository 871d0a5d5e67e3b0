"""Codes and links through which customers add staff."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from scrm.channels.base.paging import Page


@dataclass(frozen=True)
class TemporaryChat:
    """A conversation that ends by itself; for corps of the medical trade only [doc 92228].

    Both spans are at most 14 days.
    """

    code_lives: timedelta = timedelta(days=7)
    chat_lives: timedelta = timedelta(hours=24)
    # Who may use the code; empty for anybody.
    unionid: str = ""


@dataclass(frozen=True)
class ContactCodeWish:
    """A code (联系我) that leads to one of at most 100 staff, departments counted out [doc 92228].

    Whether it is for one member or several, for a mini-program or to be scanned, cannot be
    changed later: `is_single` only where it always stays one (temporary chats have to).
    """

    userids: tuple[str, ...]
    department_ids: tuple[int, ...] = ()
    state: str = ""  # ≤ 30 characters; comes back with everybody who was added through it
    remark: str = ""  # ≤ 30 characters
    # Whether customers are friends without being confirmed by the member.
    skip_verify: bool = True
    # Whether one customer is always led to the same member.
    is_exclusive: bool = False
    is_single: bool = False
    is_for_mini_program: bool = False
    temporary: TemporaryChat | None = None


@dataclass(frozen=True)
class MadeContactCode:
    config_id: str
    qr_url: str  # empty for mini-programs


@dataclass(frozen=True)
class ContactCodeRecord:
    config_id: str
    userids: tuple[str, ...]
    department_ids: tuple[int, ...]
    state: str
    remark: str
    skip_verify: bool
    is_single: bool
    is_temporary: bool
    qr_url: str


@dataclass(frozen=True)
class LinkWish:
    """An acquisition link (获客链接) that leads to at most 500 staff [doc 97297]."""

    name: str  # ≤ 30 characters
    userids: tuple[str, ...] = ()
    department_ids: tuple[int, ...] = ()
    skip_verify: bool = True
    # Who is preferred when a customer knows somebody already; some trades only.
    preferred_userids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkRecord:
    """What of a link `create_link` answers; `link` knows the range as well."""

    link_id: str
    name: str
    url: str
    created_at: datetime
    skip_verify: bool = True
    userids: tuple[str, ...] = ()
    department_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class LinkCustomer:
    """Somebody who was added through a link; `has_talked` is None where nobody knows."""

    external_userid: str
    userid: str
    has_talked: bool | None
    state: str


@dataclass(frozen=True)
class LinkQuotaLot:
    expires_at: datetime
    balance: int


@dataclass(frozen=True)
class LinkQuota:
    """How many customers can still be won: every new friend costs one, and they are paid for."""

    used: int
    balance: int
    lots: tuple[LinkQuotaLot, ...]


@dataclass(frozen=True)
class LinkFigures:
    clicked: int
    added: int


@dataclass(frozen=True)
class LinkChat:
    """Who began to talk through a link, and how many messages she has written."""

    userid: str
    external_userid: str
    messages: int
    link_id: str
    state: str


class Codes(Protocol):
    def create_contact_code(self, wish: ContactCodeWish) -> MadeContactCode:
        """Codes and join codes together: at most 500 000 a corp (41045)."""

    def contact_code(self, config_id: str) -> ContactCodeRecord: ...
    def contact_code_page(self, since: datetime, until: datetime, cursor: str) -> Page[str]:
        """Config ids of the codes made in the span; temporary ones are not listed."""

    def update_contact_code(self, config_id: str, wish: ContactCodeWish) -> None: ...
    def delete_contact_code(self, config_id: str) -> None: ...
    def close_temporary_chat(self, userid: str, external_userid: str) -> None: ...

    def create_link(self, wish: LinkWish) -> LinkRecord: ...
    def link(self, link_id: str) -> LinkRecord: ...
    def link_page(self, cursor: str) -> Page[str]:
        """The ids of the links that the app made and that are valid."""

    def update_link(self, link_id: str, wish: LinkWish) -> None: ...
    def delete_link(self, link_id: str) -> None: ...
    def link_customer_page(self, link_id: str, cursor: str) -> Page[LinkCustomer]: ...
    def link_figures(self, link_id: str, first: date, last: date) -> LinkFigures:
        """Of at most 30 days of China, none older than 180 [doc 97375]. Raises InputRefused."""

    def link_quota(self) -> LinkQuota: ...
    def link_chat(self, chat_key: str) -> LinkChat:
        """What an event's key stands for, within 30 minutes [doc 100130]."""
