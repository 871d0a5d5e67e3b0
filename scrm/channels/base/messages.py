"""What customers are told: mass messages, and welcomes."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

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
class Welcome:
    """What a new customer reads first: at most 4 000 bytes and nine attachments [doc 92137].

    Attachments as in `MassMessage`. One of the two must be given.
    """

    content: str
    attachments: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class GroupWelcomeWish:
    """What newcomers of a chat read: at most 3 000 bytes and one attachment [doc 92366].

    `%NICKNAME%` in the text becomes the newcomer's name. The platform only keeps it: a member
    has to choose it for a chat in the client.
    """

    content: str
    attachment: dict[str, Any] | None = None
    # Whether all owners of chats are told of the new one; looked at when it is made.
    is_announced: bool = True


@dataclass(frozen=True)
class GroupWelcomeRecord:
    template_id: str
    content: str
    # image, link, miniprogram, file, video; "" without an attachment.
    attachment_kind: str


class Messages(Protocol):
    def ask(self, message: MassMessage) -> AskedMessage: ...
    def find(
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
    def send_welcome(self, code: str, welcome: Welcome) -> None:
        """Answer the code of an added contact, within 20 seconds and once [doc 92137].

        41051 when somebody has welcomed her already, 41050 when the code is too old.
        """

    def create_group_welcome(self, wish: GroupWelcomeWish) -> str:
        """Return the template's id; nobody can list it again. A corp has at most 100 (41055)."""

    def group_welcome(self, template_id: str) -> GroupWelcomeRecord: ...
    def update_group_welcome(self, template_id: str, wish: GroupWelcomeWish) -> None: ...
    def delete_group_welcome(self, template_id: str) -> None: ...
