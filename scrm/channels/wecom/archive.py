"""The chat archive (会话内容存档): sealed messages, the keys that open them, and agreements.

Who agreed is asked over the platform's HTTP API. The messages are not: the platform hands them out
only through a native library of Tencent's, whose cipher is not published. What differs is one class,
a `SealedMessages`: the library's is in archive_sdk.py, here is the one of our sandbox, which serves
the same rows over HTTP with a cipher of its own.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.utils.translation import gettext as _

from scrm.channels.base import Agreement, ArchivedFile, ArchivedRecord, ArchivePage
from scrm.channels.errors import InputRefused, Misconfigured, RetryLater, Stale
from scrm.channels.wecom import parsing
from scrm.channels.wecom.archive_files import files_in
from scrm.channels.wecom.archive_sdk import SdkMessages, sdk_messages
from scrm.channels.wecom.archive_sealed import (
    Chunk,
    SealedMessage,
    SealedMessages,
    Unsealable,
    sealed_of,
)
from scrm.channels.wecom.archive_texts import is_known, payload_of, text_of
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.client import WeComClient

_PAIRS_A_CALL = 100  # more are refused (301060) [doc 91782]
_AGREED = "Agree"
_FILE = 1 << 30
# Of Tencent's own; a proxy in front of it shows itself by not knowing the archive's address.
_REAL_PLATFORM = "weixin.qq.com"


class ArchiveMissing(Misconfigured):
    """The corp has no archive, or we have not been told its secret."""

    code = "archive_not_set_up"


class SdkMissing(Misconfigured):
    """The real platform's archive needs a library that is not part of this product."""

    code = "archive_sdk_missing"


class WeComArchive:
    """An `ArchiveSource`: any `SealedMessages`, opened with the corp's keys."""

    def __init__(
        self, messages: SealedMessages, *, client: WeComClient, keys: Mapping[int, str]
    ) -> None:
        self._messages = messages
        self._asker = Asker(client)
        self._pems = dict(keys)
        self._keys: dict[int, RSAPrivateKey] = {}

    def messages_after(self, seq: int, *, limit: int = 1000) -> ArchivePage:
        sealed = self._messages.after(seq, limit)
        return ArchivePage(tuple(self._open(row) for row in sorted(sealed, key=_by_seq)))

    def agreements(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Agreement]:
        found: list[Agreement] = []
        for start in range(0, len(pairs), _PAIRS_A_CALL):
            found += self._agreements_of(pairs[start : start + _PAIRS_A_CALL])
        return found

    def room_agreements(self, room_id: str) -> Sequence[Agreement]:
        try:
            answer = self._asker.post("msgaudit/check_room_agree", {"roomid": room_id})
        except (Stale, InputRefused):
            # Not a room with outsiders, or none the platform knows: nobody has agreed.
            return []
        return [_agreement_of(row) for row in parsing.rows(answer, "agreeinfo")]

    def files_in(self, payload: str) -> Sequence[ArchivedFile]:
        return files_in(payload)

    def fetch_media(self, file_id: str, *, md5: str, into: IO[bytes], most: int = _FILE) -> int:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        chunk = self._messages.chunk(file_id, "")
        while True:
            size += into.write(chunk.data)
            digest.update(chunk.data)
            if size > most:
                raise InputRefused(_("The file is larger than %(most)d bytes.") % {"most": most})
            if chunk.is_last:
                break
            if not chunk.data or not chunk.index:
                raise RetryLater(_("The archive stopped in the middle of the file."))
            chunk = self._messages.chunk(file_id, chunk.index)
        if md5 and digest.hexdigest() != md5.lower():
            raise RetryLater(_("The file came damaged: its check sum is not the message's."))
        return size

    def _agreements_of(self, pairs: Sequence[tuple[str, str]]) -> list[Agreement]:
        # The field really is spelled so [doc 91782].
        info = [{"userid": userid, "exteranalopenid": outsider} for userid, outsider in pairs]
        try:
            answer = self._asker.post("msgaudit/check_single_agree", {"info": info})
        except (Stale, InputRefused):
            # One unknown member spoils a whole call (301061): she has agreed to nothing.
            if len(pairs) == 1:
                return []
            half = len(pairs) // 2
            return self._agreements_of(pairs[:half]) + self._agreements_of(pairs[half:])
        return [_agreement_of(row) for row in parsing.rows(answer, "agreeinfo")]

    def _open(self, row: SealedMessage) -> ArchivedRecord:
        """Open one message; what cannot be opened says why and does not stop the others."""
        if row.key_version not in self._pems:
            return _unopened(
                row, _("The private key of version %(version)d is missing: add it to the corp.")
            )
        try:
            key = self._key(row.key_version).decrypt(b64decode(row.sealed_key), PKCS1v15())
            message = json.loads(self._messages.unseal(key, row.sealed))
        except Unsealable as error:
            return ArchivedRecord(row.seq, row.msgid, row.key_version, problem=str(error))
        except (ValueError, RecursionError):
            return _unopened(
                row, _("The private key of version %(version)d does not open it: is it the right one?")
            )  # fmt: skip
        if not isinstance(message, dict):
            return _unopened(row, _("It is no message (key version %(version)d)."))
        return record_of(message, row)

    def _key(self, version: int) -> RSAPrivateKey:
        if version not in self._keys:
            self._keys[version] = read_private_key(self._pems[version])
        return self._keys[version]


class HttpMessages:
    """The archive of our sandbox: the platform's rows over HTTP, AES-256-CBC inside."""

    def __init__(self, client: WeComClient, *, base_url: str, secret: str) -> None:
        self._client = client
        self._base_url = base_url
        self._secret = secret

    def after(self, seq: int, limit: int) -> Sequence[SealedMessage]:
        answer = self._ask("getchatdata", seq=seq, limit=limit)
        return [sealed_of(row) for row in parsing.objects(answer.get("chatdata"))]

    def chunk(self, file_id: str, index: str) -> Chunk:
        answer = self._ask("getmediadata", sdkfileid=file_id, indexbuf=index)
        data = b64decode(parsing.text(answer.get("data")))
        following = parsing.text(answer.get("outindexbuf"))
        return Chunk(data, following, is_last=bool(answer.get("is_finish")))

    def unseal(self, key: bytes, sealed: str) -> bytes:
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        padded = decryptor.update(b64decode(sealed, validate=True)) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()

    def _ask(self, name: str, **fields: Any) -> dict[str, Any]:
        body = {"corpid": self._client.corp_id, "archive_secret": self._secret, **fields}
        address = urljoin(self._base_url, f"../archive/{name}")
        try:
            return self._client.post_openly(address, body)
        except Misconfigured as error:
            # Nobody but our sandbox knows this address: a proxy leads to the real platform.
            if error.errcode is None:
                raise SdkMissing(_sdk_is_missing()) from None
            raise


class ProxiedMessages:
    """Those of an address that is not WeCom's: of our sandbox, else of WeCom behind a proxy.

    The library goes its own way to WeCom, whatever the address.
    """

    def __init__(self, sandbox: HttpMessages, sdk: SdkMessages) -> None:
        self._sdk = sdk
        self._found: SealedMessages = sandbox

    def after(self, seq: int, limit: int) -> Sequence[SealedMessage]:
        try:
            return self._found.after(seq, limit)
        except SdkMissing:
            self._found = self._sdk
            return self._found.after(seq, limit)

    def unseal(self, key: bytes, sealed: str) -> bytes:
        return self._found.unseal(key, sealed)

    def chunk(self, file_id: str, index: str) -> Chunk:
        try:
            return self._found.chunk(file_id, index)
        except SdkMissing:
            self._found = self._sdk
            return self._found.chunk(file_id, index)


def open_archive_of(
    client: WeComClient, *, base_url: str, secret: str, keys: Mapping[int, str]
) -> WeComArchive:
    """The archive behind an address; raises SdkMissing at WeCom when no library is set up."""
    messages = _messages_of(client, base_url=base_url, secret=secret)
    return WeComArchive(messages, client=client, keys=keys)


def _messages_of(client: WeComClient, *, base_url: str, secret: str) -> SealedMessages:
    sdk = sdk_messages(corp_id=client.corp_id, secret=secret)
    host = urlsplit(base_url).hostname or ""
    if host == _REAL_PLATFORM or host.endswith(f".{_REAL_PLATFORM}"):
        if sdk is None:
            raise SdkMissing(_sdk_is_missing())
        return sdk
    sandbox = HttpMessages(client, base_url=base_url, secret=secret)
    return ProxiedMessages(sandbox, sdk) if sdk else sandbox


def read_private_key(pem: str) -> RSAPrivateKey:
    """An RSA key from PEM; raises ValueError that says what is wrong with it."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError(_("The key is locked with a password: give it without.")) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(_("This is no private key in PEM form.")) from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(_("This is no RSA key: the archive takes RSA-2048 only."))  # noqa: TRY004
    return key


def record_of(message: Mapping[str, Any], row: SealedMessage) -> ArchivedRecord:
    """The platform's plain message as our record."""
    action = parsing.text(message.get("action")) or "send"
    sender = _id_of(message.get("from")) or _id_of(message.get("user"))
    room_id = _id_of(message.get("roomid"))
    sent_at = _moment(message.get("msgtime") or message.get("time"))
    receivers = tuple(filter(None, map(_id_of, parsing.items(message.get("tolist")))))
    kind = parsing.text(message.get("msgtype"))
    revoked = message.get("revoke")
    return ArchivedRecord(
        seq=row.seq,
        # The outer one: it is known of unopened messages too, which are opened later.
        msgid=row.msgid or parsing.text(message.get("msgid")),
        key_version=row.key_version,
        action=action,
        sender=sender,
        receivers=receivers,
        room_id=room_id,
        sent_at=sent_at,
        kind=kind,
        text=text_of(message),
        payload=payload_of(message),
        remark=""
        if is_known(message)
        else _("Unknown kind %(kind)s: its words are not checked.") % {"kind": kind},
        recalls=parsing.text(revoked.get("pre_msgid")) if isinstance(revoked, Mapping) else "",
        agreement=_agreement_said(message, kind, sender, receivers, room_id, sent_at),
    )


def _agreement_said(
    message: Mapping[str, Any],
    kind: str,
    sender: str,
    receivers: Sequence[str],
    room_id: str,
    sent_at: datetime | None,
) -> Agreement | None:
    if kind not in {"agree", "disagree"}:
        return None
    body = message.get(kind)
    body = body if isinstance(body, Mapping) else {}
    userid = "" if room_id or not receivers else receivers[0]
    who = _id_of(body.get("userid")) or sender
    at = _moment(body.get(f"{kind}_time")) or sent_at
    return Agreement(userid, who, is_agreed=kind == "agree", changed_at=at)


def _agreement_of(row: parsing.Json) -> Agreement:
    return Agreement(
        userid=_id_of(row.get("userid")),
        external_userid=_id_of(row.get("exteranalopenid")),
        # A third word, Default_Agree, is on no page of the platform: only what is sure counts.
        is_agreed=row.get("agree_status") == _AGREED,
        changed_at=parsing.find_moment(row.get("status_change_time")),
    )


def _unopened(row: SealedMessage, why: str) -> ArchivedRecord:
    problem = why % {"version": row.key_version}
    return ArchivedRecord(row.seq, row.msgid, row.key_version, problem=problem)


def _id_of(value: object) -> str:
    """An id as far as one can be; 64 bytes is the longest the platform gives."""
    return parsing.text(value)[:64]


def _moment(value: object) -> datetime | None:
    """Unix milliseconds as a time; None for 0 and nonsense."""
    milliseconds = parsing.number(value)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
    except (OverflowError, OSError, ValueError):
        return None


def _by_seq(row: SealedMessage) -> int:
    return row.seq


def _sdk_is_missing() -> str:
    return _("WeCom hands out archived messages only through its native library libWeWorkFinanceSdk_C, which is not part of this product: put it on this server and name its path in SCRM_ARCHIVE_SDK. Until then messages are not taken in; everything else works without it.")  # fmt: skip


__all__ = [
    "ArchiveMissing",
    "HttpMessages",
    "SdkMissing",
    "SealedMessage",
    "SealedMessages",
    "WeComArchive",
    "open_archive_of",
    "read_private_key",
]
