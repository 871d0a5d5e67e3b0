"""Typed inbound events, and who listens to them.

`scrm.channels` may not import the apps above it, so it publishes; each app subscribes in its
`AppConfig.ready()`. Handlers stay inside the database: what must be asked of the platform is
wished with `request_refresh`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class ChannelEvent:
    """Something happened on the platform at `happened_at`."""

    happened_at: datetime


@dataclass(frozen=True)
class ContactAdded(ChannelEvent):
    userid: str
    external_userid: str
    state: str = ""
    welcome_code: str = ""
    # The customer came by a code that skips verification; the member has not confirmed yet.
    is_half: bool = False


@dataclass(frozen=True)
class ContactEdited(ChannelEvent):
    userid: str
    external_userid: str


@dataclass(frozen=True)
class ContactDeletedByStaff(ChannelEvent):
    userid: str
    external_userid: str
    by_transfer: bool = False


@dataclass(frozen=True)
class ContactDeletedByCustomer(ChannelEvent):
    userid: str
    external_userid: str


@dataclass(frozen=True)
class GroupChatChanged(ChannelEvent):
    """Created, or changed in a way that only reading it again tells."""

    chat_id: str


@dataclass(frozen=True)
class GroupMembersChanged(ChannelEvent):
    """People entered or left a chat, from one version of its member list to the next.

    Only who holds `version_before` may apply the lists; everybody else reads the chat again.
    """

    chat_id: str
    joined: tuple[str, ...]
    left: tuple[str, ...]
    version_before: str
    version: str
    join_scene: int = 0  # 0 invited, directly or by a link; 3 by a code [callbacks.md 7]
    was_removed: bool = False


@dataclass(frozen=True)
class GroupChatDismissed(ChannelEvent):
    chat_id: str


@dataclass(frozen=True)
class TransferFailed(ChannelEvent):
    """`userid` could not take a customer over; a hint only, the result is polled."""

    userid: str
    external_userid: str
    reason: str  # customer_refused, customer_limit_exceed


@dataclass(frozen=True)
class ArchivingAgreed(ChannelEvent):
    """A customer agreed to have the chat with a member of staff archived."""

    userid: str
    external_userid: str
    welcome_code: str = ""


@dataclass(frozen=True)
class ArchiveGrew(ChannelEvent):
    """There are new messages to pull."""


@dataclass(frozen=True)
class TagsChanged(ChannelEvent):
    """Corp tags or their groups were created, changed, deleted or reordered in the console."""


@dataclass(frozen=True)
class DirectoryChanged(ChannelEvent):
    """Staff or departments changed."""


@dataclass(frozen=True)
class StaffDeleted(ChannelEvent):
    userid: str


E_ = TypeVar("E_", bound=ChannelEvent)
Handler = Callable[[E_, Corp, datetime], None]

_handlers: dict[type[ChannelEvent], list[Handler[ChannelEvent]]] = {}


def subscribe(event_type: type[E_], handler: Handler[E_]) -> None:
    """Call `handler(event, corp, now)` for each event of the type, in the inbox's transaction."""
    listeners = _handlers.setdefault(event_type, [])
    if handler not in listeners:
        listeners.append(handler)  # type: ignore[arg-type]


def handlers_of(event: ChannelEvent) -> Iterable[Handler[ChannelEvent]]:
    return tuple(_handlers.get(type(event), ()))
