"""The chat archive: what was said, sealed with keys whose versions follow each other."""

import base64
import functools
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from scrm.sandbox.world import World

DAY = 24 * 3600
KEY_BITS = 2048
KEY_BYTES = 32


@functools.lru_cache(maxsize=64)
def make_key(seed: int, version: int) -> rsa.RSAPrivateKey:
    """Return the pair of one version; within a process the same seed has the same."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


@dataclass(slots=True)
class ArchivedMessage:
    """One message as the archive keeps it; `plain` is what opening it gives."""

    seq: int
    msgid: str
    at: float
    key_version: int
    plain: dict[str, Any]
    sealed: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        return str(self.plain.get("msgtype", ""))


class Archive:
    """Messages in the order in which they were archived, keys, and who agreed to it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.key_version = 1
        self.messages: list[ArchivedMessage] = []
        self._by_msgid: dict[str, ArchivedMessage] = {}
        # (userid or chat_id, external_userid) → (whether agreed, when); absent = never asked
        self.agreements: dict[tuple[str, str], tuple[bool, float]] = {}
        self.notified_at: float | None = None
        self.is_notice_waiting = False

    def append(self, msgid: str, at: float, plain: dict[str, Any]) -> ArchivedMessage:
        message = ArchivedMessage(len(self.messages) + 1, msgid, at, self.key_version, plain)
        self.messages.append(message)
        self._by_msgid[msgid] = message
        return message

    def find(self, msgid: str) -> ArchivedMessage | None:
        return self._by_msgid.get(msgid)

    def keeps(self, message: ArchivedMessage, world: "World") -> bool:
        return world.clock.now() - message.at <= world.options.archive_keep_days * DAY

    def after(self, seq: int, limit: int, world: "World") -> list[ArchivedMessage]:
        """Return what is kept and has a larger number, the oldest first."""
        # Numbers count from 1 without gaps, so one is also a place in the list.
        later = (m for m in self.messages[seq:] if self.keeps(m, world))
        return [message for message, _ in zip(later, range(limit), strict=False)]

    def has_agreed(self, where: str, external_userid: str, *, default: bool) -> bool:
        """Whether a customer agreed, in the chat with a member or in a group."""
        agreed, _ = self.agreements.get((where, external_userid), (default, 0.0))
        return agreed

    def seal(self, message: ArchivedMessage) -> dict[str, Any]:
        """Return the message as it travels; asked for again, the same."""
        if message.sealed is None:
            public_key = make_key(self._seed, message.key_version).public_key()
            key = secrets.token_bytes(KEY_BYTES)
            message.sealed = {
                "seq": message.seq,
                "msgid": message.msgid,
                "publickey_ver": message.key_version,
                "encrypt_random_key": _encode(public_key.encrypt(key, padding.PKCS1v15())),
                "encrypt_chat_msg": _encode(_encrypt(message.plain, key)),
            }
        return message.sealed

    def private_keys(self) -> dict[int, str]:
        """Return the private half of every version so far, as PEM."""
        return {
            version: _as_pem(make_key(self._seed, version))
            for version in range(1, self.key_version + 1)
        }


def _encrypt(plain: dict[str, Any], key: bytes) -> bytes:
    """Encrypt in a scheme of our own: the platform's is not published."""
    padder = block_padding.PKCS7(algorithms.AES.block_size).padder()
    text = json.dumps(plain, ensure_ascii=False).encode()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _as_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
