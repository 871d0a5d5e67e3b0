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
class GroupChatDismissed(ChannelEvent):
    chat_id: str


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
