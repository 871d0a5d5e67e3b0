"""Typed inbound events, and who listens to them.

`scrm.channels` may not import the apps above it, so it publishes; each app subscribes in its
`AppConfig.ready()`. Handlers stay inside the database: what must be asked of the platform is
wished with `request_refresh`.

Every form of callback the platform documents has its type here, whether or not somebody listens
today; numbers in brackets are the pages that describe it. Texts are "" where the platform sent
nothing. A handler of a type hears its subtypes, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class ChannelEvent:
    """Something happened on the platform at `happened_at`."""

    happened_at: datetime


# Customers


@dataclass(frozen=True)
class ContactAdded(ChannelEvent):
    """A member of staff and a customer became friends [92130].

    `state` tells the code or link she came by. The `welcome_code` is good for one greeting within
    20 seconds; there is none when somebody may not or need not greet.
    """

    userid: str
    external_userid: str
    state: str = ""
    welcome_code: str = ""
    # The customer came by a code that skips verification; the member has not confirmed yet.
    is_half: bool = False


@dataclass(frozen=True)
class ContactEdited(ChannelEvent):
    """A member of staff changed a customer's remark, mobile or tags in the client [92130]."""

    userid: str
    external_userid: str


@dataclass(frozen=True)
class ContactDeletedByStaff(ChannelEvent):
    """A member of staff deleted a customer, or lost her by a handover in service [92130]."""

    userid: str
    external_userid: str
    by_transfer: bool = False


@dataclass(frozen=True)
class ContactDeletedByCustomer(ChannelEvent):
    """A customer deleted a member of staff, who still sees her in the list [92130]."""

    userid: str
    external_userid: str


@dataclass(frozen=True)
class TransferFailed(ChannelEvent):
    """`userid` could not take a customer over; a hint only, the result is polled [92130]."""

    userid: str
    external_userid: str
    reason: str  # customer_refused, customer_limit_exceed


@dataclass(frozen=True)
class ArchivingAgreed(ChannelEvent):
    """A customer agreed to have the chat with a member of staff archived [92005]."""

    userid: str
    external_userid: str
    welcome_code: str = ""


# Group chats


@dataclass(frozen=True)
class GroupChatChanged(ChannelEvent):
    """Created, or changed in a way that only reading it again tells [92130].

    `change` is create, change_owner, change_name, change_notice; or add_member and del_member
    when the lists cannot be applied as they came.
    """

    chat_id: str
    change: str = ""


@dataclass(frozen=True)
class GroupMembersChanged(ChannelEvent):
    """People entered or left a chat, from one version of its member list to the next [92130].

    Only who holds `version_before` may apply the lists; everybody else reads the chat again.
    """

    chat_id: str
    joined: tuple[str, ...]
    left: tuple[str, ...]
    version_before: str
    version: str
    join_scene: int = 0  # 0 invited, directly or by a link; 3 by a code
    was_removed: bool = False


@dataclass(frozen=True)
class GroupChatDismissed(ChannelEvent):
    """A chat does not exist any more [92130]."""

    chat_id: str


# Tags


@dataclass(frozen=True)
class TagsChanged(ChannelEvent):
    """Corp tags or their groups were changed in the console [92130].

    `change` is create, update, delete (of a group: its tags go without events of their own) or
    shuffle (`tag_id` is the group, "" for all groups). `strategy_id` names the rule group they
    belong to, as only the platform's own customer app is told.
    """

    change: str = ""
    tag_id: str = ""
    is_group: bool = False
    strategy_id: str = ""


# The directory: told to the contact-sync helper and to delegated apps


@dataclass(frozen=True)
class DirectoryChanged(ChannelEvent):
    """Staff, departments or tags of staff changed [90970, 90971, 90972]."""


@dataclass(frozen=True)
class StaffCreated(DirectoryChanged):
    """Somebody joined [90970]; old set-ups send the name, too."""

    userid: str
    department_ids: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class StaffChanged(DirectoryChanged):
    """A member's departments changed, or the userid itself (then `new_userid`) [90970]."""

    userid: str
    new_userid: str = ""
    # None when the platform did not say.
    department_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StaffDeleted(ChannelEvent):
    """A member of staff left; the customers wait to be given to colleagues [90970]."""

    userid: str


@dataclass(frozen=True)
class DepartmentChanged(DirectoryChanged):
    """A department was created, moved or deleted [90971]: create, update, delete."""

    change: str
    department_id: int
    parent_id: int = 0
    name: str = ""


@dataclass(frozen=True)
class StaffTagChanged(DirectoryChanged):
    """Members or departments were put under a tag of staff, or taken from it [90972]."""

    tag_id: str
    added_userids: tuple[str, ...] = ()
    removed_userids: tuple[str, ...] = ()
    added_department_ids: tuple[int, ...] = ()
    removed_department_ids: tuple[int, ...] = ()


# Acquisition links


@dataclass(frozen=True)
class AcquisitionBalanceChanged(ChannelEvent):
    """The customers that links may still bring: low (under 20), exhausted, increased [97299]."""

    level: str


@dataclass(frozen=True)
class AcquisitionQuotaExpiring(ChannelEvent):
    """A part of the balance expires in 14, 7, 3, 2 or 1 days [97299]."""

    expires_at: datetime | None
    count: int


@dataclass(frozen=True)
class AcquisitionLinkUnavailable(ChannelEvent):
    """None of a link's members can add customers [97299]."""

    link_id: str


@dataclass(frozen=True)
class AcquisitionLinkDeleted(ChannelEvent):
    """A link was deleted in the console; deleting it by the API is not told [97299]."""

    link_id: str


@dataclass(frozen=True)
class AcquisitionProfileOpened(ChannelEvent):
    """Somebody opened the member's card through a link; in some industries only [97299]."""

    link_id: str
    state: str = ""


@dataclass(frozen=True)
class AcquisitionFriendRequested(ChannelEvent):
    """Somebody asked through a link to be added [97299]."""

    link_id: str
    state: str = ""


@dataclass(frozen=True)
class AcquisitionChatStarted(ChannelEvent):
    """A customer who came by a link wrote for the first time [97299]."""

    userid: str
    external_userid: str
    link_id: str


@dataclass(frozen=True)
class AcquisitionMessageReceived(ChannelEvent):
    """A customer of a link wrote the 3rd, 5th or 10th message [97299].

    Who it was is asked with `chat_key`, which is good for 30 minutes.
    """

    link_id: str
    chat_key: str


# The archive, long jobs, customer service, cards


@dataclass(frozen=True)
class ArchiveGrew(ChannelEvent):
    """There are new messages to pull; told every 15 seconds at most [95039]."""


@dataclass(frozen=True)
class DirectoryJobFinished(ChannelEvent):
    """A job on the directory is done [90973].

    `job_type` is sync_user, replace_user, invite_user, replace_party, or that of an export.
    """

    job_id: str
    job_type: str
    errcode: int = 0
    error: str = ""


@dataclass(frozen=True)
class MediaUploadFinished(ChannelEvent):
    """The platform has fetched a file from its address, or given up: ask for the job [96219]."""

    job_id: str


@dataclass(frozen=True)
class ServiceMessagesArrived(ChannelEvent):
    """A customer service account has something new; `token` is good for 10 minutes [94670]."""

    open_kfid: str
    token: str = ""


@dataclass(frozen=True)
class ServiceAccountsChanged(ChannelEvent):
    """Customer service accounts were opened to the app, or closed to it [97712]."""

    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardAnswered(ChannelEvent):
    """A member of staff pressed a button of a card, or chose in its menu [90240].

    `response_code` lets the card be changed once within 72 hours. `chosen` are the answers to
    its questions: (question, options).
    """

    userid: str
    key: str
    task_id: str
    card_type: str = ""
    response_code: str = ""
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_menu: bool = False


@dataclass(frozen=True)
class AppUsed(ChannelEvent):
    """A member of staff opened the app, pressed a key of its menu, joined or left it [90240].

    `how` is the platform's word: enter_agent, subscribe, unsubscribe, click, view, location.
    """

    userid: str
    how: str
    key: str = ""


E_ = TypeVar("E_", bound=ChannelEvent)
Handler = Callable[[E_, Corp, datetime], None]

_handlers: dict[type[ChannelEvent], list[Handler[ChannelEvent]]] = {}


def subscribe(event_type: type[E_], handler: Handler[E_]) -> None:
    """Call `handler(event, corp, now)` for each event of the type, in the inbox's transaction."""
    listeners = _handlers.setdefault(event_type, [])
    if handler not in listeners:
        listeners.append(handler)  # type: ignore[arg-type]


def handlers_of(event: ChannelEvent) -> Sequence[Handler[ChannelEvent]]:
    """Who listens to the event's type or to a wider one; each once, the narrower first."""
    found = (handler for kind in type(event).__mro__ for handler in _handlers.get(kind, ()))
    return tuple(dict.fromkeys(found))
