"""A chat archive in memory, sealed as the platform seals: RSA-2048 keys around AES ones.

It stands in for the platform where a test needs a say in every message; the sandbox's own archive
is in tests/risk/test_archive_journey.py.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from risk.models import ArchivedMessage
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.channels.base import ArchiveSource
from scrm.channels.models import ArchiveKey
from scrm.channels.wecom.archive import HttpMessages, SealedMessage, WeComArchive
from scrm.tenancy.models import Corp
from tests.factories import NOW

KEPT = timedelta(days=5)


@cache
def private_key(version: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def pem(version: int) -> str:
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private_key(version).private_bytes(*form).decode()


def give_key(corp: Corp, version: int, *, pem_of: int | None = None, now: datetime = NOW) -> None:
    text = pem(pem_of or version)
    add_archive_key(corp, version=version, private_key=text, actor=SYSTEM, now=now)


def seal(plain: bytes, *, version: int) -> tuple[str, str]:
    key = secrets.token_bytes(32)
    sealed_key = private_key(version).public_key().encrypt(key, PKCS1v15())
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    return b64encode(sealed_key).decode(), b64encode(sealed).decode()


@dataclass
class FakeArchive:
    """Holds messages and agreements; `answers` may be raised instead of an answer."""

    now: datetime = NOW
    version: int = 1
    rows: list[tuple[datetime, SealedMessage]] = field(default_factory=list)
    agreed: dict[tuple[str, str], tuple[bool, datetime | None]] = field(default_factory=dict)
    rooms: dict[str, dict[str, tuple[bool, datetime | None]]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    on_page: Callable[[], None] | None = None

    def say(self, sender: str, to: str | Sequence[str], text: str = "", **fields: Any) -> str:
        """One message more; returns its id."""
        kind = fields.pop("msgtype", "text")
        number = len(self.rows) + 1
        message = {
            "msgid": f"m{number}_external",
            "action": "send",
            "from": sender,
            "tolist": [to] if isinstance(to, str) else list(to),
            "roomid": "",
            "msgtime": int(self.now.timestamp() * 1000) + number,
            "msgtype": kind,
        }
        message |= {"text": {"content": text}} if kind == "text" else {}
        return self.put(message | fields)

    def put(self, message: dict[str, Any], *, plain: bytes | None = None) -> str:
        sealed_key, sealed = seal(plain or json.dumps(message).encode(), version=self.version)
        seq = len(self.rows) + 1
        row = SealedMessage(seq, message["msgid"], self.version, sealed_key, sealed)
        self.rows.append((self.now, row))
        return str(message["msgid"])

    def agrees(self, userid: str, outsider: str, *, is_so: bool = True) -> None:
        """A second ago: what is said from now on comes after it."""
        self.agreed[userid, outsider] = (is_so, self.now - timedelta(seconds=1))

    def agrees_in(self, room_id: str, outsider: str, *, is_so: bool = True) -> None:
        self.rooms.setdefault(room_id, {})[outsider] = (is_so, self.now - timedelta(seconds=1))

    def open(self, corp: Corp) -> ArchiveSource:
        keys = {key.version: key.private_key for key in ArchiveKey.objects.for_corp(corp)}
        return WeComArchive(self, client=self, keys=keys)  # type: ignore[arg-type]

    # What a `SealedMessages` does.
    def after(self, seq: int, limit: int) -> Sequence[SealedMessage]:
        if self.on_page:
            self.on_page()
        if self.trouble:
            raise self.trouble.pop(0)
        kept = [row for at, row in self.rows if at > self.now - KEPT and row.seq > seq]
        return kept[:limit]

    def unseal(self, key: bytes, sealed: str) -> bytes:
        return HttpMessages.unseal(self, key, sealed)  # type: ignore[arg-type]

    # What a `WeComClient` does.
    def post(self, path: str, *, data: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, data))
        if self.trouble:
            raise self.trouble.pop(0)
        if path == "msgaudit/check_room_agree":
            said = self.rooms.get(data["roomid"], {})
            return {
                "errcode": 0,
                "agreeinfo": [_agreement(who, *what) for who, what in said.items()],
            }
        answers = []
        for pair in data["info"]:
            key = (pair["userid"], pair["exteranalopenid"])
            if key in self.agreed:
                answers.append(_agreement(key[1], *self.agreed[key], userid=key[0]))
        return {"errcode": 0, "agreeinfo": answers}


def _agreement(
    outsider: str, is_agreed: bool, at: datetime | None, **fields: str
) -> dict[str, Any]:
    word = "Agree" if is_agreed else "Disagree"
    seconds = int(at.timestamp()) if at else 0
    return {
        "exteranalopenid": outsider,
        "agree_status": word,
        "status_change_time": seconds,
    } | fields


def texts(corp: Corp) -> list[tuple[str, str]]:
    rows = ArchivedMessage.objects.for_corp(corp).order_by("seq")
    return [(row.text_state, row.text) for row in rows]
