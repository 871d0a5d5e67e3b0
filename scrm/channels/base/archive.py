"""The chat archive of a corp: what was said, and who agreed to its being kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol


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
