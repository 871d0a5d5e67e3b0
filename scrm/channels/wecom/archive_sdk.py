"""The archive of WeCom itself, through Tencent's library (`libWeWorkFinanceSdk_C`) [doc 91774].

The library is the operator's: it may not be shipped with this product. It is loaded by a process
of its own (docs/adr/0011), from the path in the settings.
"""

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from scrm.channels.errors import (
    ChannelError,
    InputRefused,
    Misconfigured,
    RetryLater,
    Stale,
    Unreachable,
)
from scrm.channels.wecom import parsing
from scrm.channels.wecom.archive_process import Answer, Opening, SdkBroke, SdkProcess, SdkRefused
from scrm.channels.wecom.archive_sealed import Chunk, SealedMessage, Unsealable, sealed_of
from scrm.channels.wecom.errcodes import error_of

_TOO_MUCH = 301058
_TRIES = 3
# A message that breaks the library is put aside; more of them in a pull, and it is the library.
_MOST_BREAKS = 3
# With as many messages that it hangs at, a page is still done within the lease of its pull.
_MOST_SECONDS = 60
# The same arguments may succeed the next time.
_PASSING = (10001, 10002, 10003)
# The message's key is not what DecryptData expects: most often the private key is another one.
_WRONG_KEY = (10004, 10006, 10007, 10008)


class Forgotten(Stale):
    """Older than the five days for which the platform keeps messages and files."""


_CODES: dict[int, tuple[type[ChannelError], Any]] = {
    -1: (RetryLater, _("The archive's library has no memory for a handle.")),
    10000: (Misconfigured, _("The archive's library refuses what it was given: check the corp id, the archive's secret and the proxy.")),
    10001: (Unreachable, _("The archive's library cannot reach the platform: check this server's network and SCRM_ARCHIVE_PROXY.")),
    10002: (RetryLater, _("The archive's library could not read what the platform answered.")),
    10003: (RetryLater, _("The archive's library failed; it is asked again.")),
    10004: (Misconfigured, _("The archive's library refuses the key.")),
    10005: (InputRefused, _("The archive does not know this file.")),
    10006: (Misconfigured, _("The archive's library could not decrypt.")),
    10007: (Misconfigured, _("The archive has no public key of this version: enter one in the console.")),
    10008: (Misconfigured, _("The archive's library could not read the message's key.")),
    10009: (Misconfigured, _("This server's address is not on the archive's list: add it in the console.")),
    10010: (Forgotten, _("The archive keeps messages and files for 5 days only.")),
    10011: (Misconfigured, _("The archive's library does not trust the platform's certificate: check the clock, the proxy and the library's version.")),
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How the library gets to the platform."""

    proxy: str  # http://host:port or socks5://host:port; "" goes straight
    password: str  # user:password of the proxy
    seconds: int

    def as_fields(self) -> dict[str, Any]:
        return {"proxy": self.proxy, "password": self.password, "timeout": self.seconds}


class SdkMessages:
    """A `SealedMessages`: the library's own. One serves one pull."""

    def __init__(self, process: SdkProcess, way: Way) -> None:
        self._process = process
        self._way = way
        self._most = 1000
        self._breaks = 0

    def after(self, seq: int, limit: int) -> Sequence[SealedMessage]:
        try:
            rows = self._pull(seq, limit)
        except Forgotten:
            if not seq:
                raise
            # From the beginning means: from the oldest that is kept.
            rows = self._pull(0, limit)
        return [sealed_of(row) for row in rows]

    def unseal(self, key: bytes, sealed: str) -> bytes:
        if b"\0" in key:
            # It is a text in C. Opening with a wrong RSA key gives random bytes.
            raise ValueError("a key with a NUL")
        header, plain = self._unseal(key, sealed)
        for _attempt in range(_TRIES - 1):
            if header["code"] in _PASSING:
                header, plain = self._unseal(key, sealed)
        code = header["code"]
        if code in _WRONG_KEY:
            raise ValueError(code)
        if code:
            raise Unsealable(_error_of(code).detail)
        return plain

    def chunk(self, file_id: str, index: str) -> Chunk:
        for _attempt in range(_TRIES - 1):
            with suppress(RetryLater):
                return self._chunk(file_id, index)
        return self._chunk(file_id, index)

    def _chunk(self, file_id: str, index: str) -> Chunk:
        asked = {"file_id": file_id, "index": index, **self._way.as_fields()}
        header, data = self._ask("chunk", seconds=self._way.seconds, **asked)
        return Chunk(data, header["index"], is_last=header["is_last"])

    def _pull(self, seq: int, limit: int) -> Sequence[parsing.Json]:
        while True:
            asked = {"seq": seq, "limit": min(limit, self._most), **self._way.as_fields()}
            _header, body = self._ask("pull", seconds=self._way.seconds, **asked)
            answer = _read(body)
            errcode = parsing.number(answer.get("errcode"))
            if not errcode:
                return parsing.objects(answer.get("chatdata"))
            if errcode != _TOO_MUCH or self._most == 1:
                raise error_of(errcode, parsing.text(answer.get("errmsg")), "GetChatData")
            self._most = max(1, self._most // 2)

    def _unseal(self, key: bytes, sealed: str) -> Answer:
        try:
            return self._process.ask("unseal", key + sealed.encode(), key_length=len(key))
        except SdkBroke as error:
            # The same message would break it again, and hold up all that follow.
            self._breaks += 1
            if self._breaks > _MOST_BREAKS:
                raise
            raise Unsealable(error.detail) from error
        except SdkRefused as error:
            raise _error_of(error.code) from None

    def _ask(self, call: str, *, seconds: float, **fields: Any) -> Answer:
        try:
            header, body = self._process.ask(call, seconds=seconds, **fields)
        except SdkRefused as error:
            raise _error_of(error.code) from None
        if header["code"]:
            raise _error_of(header["code"])
        return header, body


_processes: dict[str, SdkProcess] = {}
_processes_lock = threading.Lock()


def sdk_messages(*, corp_id: str, secret: str) -> SdkMessages | None:
    """The library's messages of a corp; None when no library is set up."""
    if not settings.ARCHIVE_SDK:
        return None
    opening = Opening(settings.ARCHIVE_SDK, corp_id, secret)
    seconds = min(max(settings.ARCHIVE_TIMEOUT, 1), _MOST_SECONDS)
    way = Way(settings.ARCHIVE_PROXY, settings.ARCHIVE_PROXY_LOGIN, seconds)
    return SdkMessages(_process_of(opening), way)


def close_processes() -> None:
    """End the library's processes of this process; the next call starts its own."""
    with _processes_lock:
        while _processes:
            _processes.popitem()[1].close()


def _process_of(opening: Opening) -> SdkProcess:
    """The one process of a corp; a new secret or library gets a new one."""
    with _processes_lock:
        known = _processes.get(opening.corp_id)
        if known is not None and known.opening == opening:
            return known
        process = _processes[opening.corp_id] = SdkProcess(opening)
    if known is not None:
        known.close()
    return process


def _read(body: bytes) -> parsing.Json:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise _error_of(10002)
    return answer


def _error_of(code: int) -> ChannelError:
    kind, sentence = _CODES.get(code, (ChannelError, _("The archive's library refused.")))
    return kind(f"{sentence} ({code})", errcode=code)
