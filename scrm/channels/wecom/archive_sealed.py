"""What a place that hands out sealed messages has to offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scrm.channels.wecom import parsing


@dataclass(frozen=True)
class SealedMessage:
    """A message as the archive hands it out."""

    seq: int
    msgid: str
    key_version: int
    sealed_key: str  # base64 of the message's key under the RSA key of `key_version`
    sealed: str


@dataclass(frozen=True)
class Chunk:
    """A part of a file, and what asks for the next one."""

    data: bytes
    index: str
    is_last: bool


class Unsealable(ValueError):
    """A message that cannot be opened for a reason of its own; the text says which."""


class SealedMessages(Protocol):
    """Where sealed messages come from, and the cipher under their own keys."""

    def after(self, seq: int, limit: int) -> Sequence[SealedMessage]: ...
    def unseal(self, key: bytes, sealed: str) -> bytes:
        """The plain JSON; raises ValueError when `key` is not the right one."""

    def chunk(self, file_id: str, index: str) -> Chunk:
        """The part of a file that `index` asks for; "" asks for the first."""


def sealed_of(row: parsing.Json) -> SealedMessage:
    return SealedMessage(
        seq=parsing.number(row.get("seq")),
        msgid=parsing.text(row.get("msgid")),
        key_version=parsing.number(row.get("publickey_ver")),
        sealed_key=parsing.text(row.get("encrypt_random_key")),
        sealed=parsing.text(row.get("encrypt_chat_msg")),
    )
