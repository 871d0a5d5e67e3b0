"""A process of its own around Tencent's library: a program, run by `archive_sdk.py`.

The library is closed, written in C and fed with what strangers send: when it breaks down or never
comes back, this process dies and nothing else. It knows only the standard library, starts in some
ten milliseconds, and serves one corp: one handle, one call at a time.

Requests come on the standard input and are answered on the standard output, both as frames: the
lengths of a header (JSON) and of a body (bytes), then the two.
"""

import ctypes
import json
import os
import queue
import resource
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from typing import Any, BinaryIO

Header = dict[str, Any]
Answer = tuple[Header, bytes]

LENGTHS = struct.Struct("!II")
# Whoever was not asked anything for so long is not needed any more; he who asks starts another.
IDLE_SECONDS = 60.0
FAREWELL_SECONDS = 1.0
NO_HANDLE = -1

# What WeWorkFinanceSdk_C.h declares. Pointers to texts with a length of their own are `c_void_p`:
# as `c_char_p` they would end at the first NUL.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "NewSdk": (c_void_p, []),
    "Init": (c_int, [c_void_p, c_char_p, c_char_p]),
    "GetChatData": (
        c_int,
        [c_void_p, c_ulonglong, c_uint, c_char_p, c_char_p, c_int, c_void_p],
    ),
    "DecryptData": (c_int, [c_char_p, c_char_p, c_void_p]),
    "GetMediaData": (
        c_int,
        [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_int, c_void_p],
    ),
    "DestroySdk": (None, [c_void_p]),
    "NewSlice": (c_void_p, []),
    "FreeSlice": (None, [c_void_p]),
    "GetContentFromSlice": (c_void_p, [c_void_p]),
    "GetSliceLen": (c_int, [c_void_p]),
    "NewMediaData": (c_void_p, []),
    "FreeMediaData": (None, [c_void_p]),
    "GetOutIndexBuf": (c_void_p, [c_void_p]),
    "GetData": (c_void_p, [c_void_p]),
    "GetIndexLen": (c_int, [c_void_p]),
    "GetDataLen": (c_int, [c_void_p]),
    "IsMediaDataFinish": (c_int, [c_void_p]),
}


class Library:
    """The library with one handle; each call returns the library's own code, 0 for success."""

    def __init__(self, path: str) -> None:
        """Load it; raises OSError or AttributeError when it is not there or not the one."""
        self._c = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments
        self._handle: int | None = None

    def open(self, corp_id: str, secret: bytes) -> int:
        self._handle = self._c.NewSdk()
        if not self._handle:
            return NO_HANDLE
        return int(self._c.Init(self._handle, corp_id.encode(), secret))

    def close(self) -> None:
        if self._handle:
            self._c.DestroySdk(self._handle)
            self._handle = None

    def pull(self, request: Header) -> Answer:
        with self._slice() as out:
            code = self._c.GetChatData(
                self._handle, request["seq"], request["limit"], *_way(request), out
            )
            return {"code": code}, b"" if code else self._content_of(out)

    def unseal(self, key: bytes, sealed: bytes) -> Answer:
        with self._slice() as out:
            code = self._c.DecryptData(key, sealed, out)
            return {"code": code}, b"" if code else self._content_of(out)

    def chunk(self, request: Header) -> Answer:
        """A part of a file; `index` of the answer asks for the next one."""
        with self._media() as out:
            index, file_id = request["index"].encode("latin-1"), request["file_id"].encode()
            code = self._c.GetMediaData(self._handle, index, file_id, *_way(request), out)
            if code:
                return {"code": code}, b""
            following = _bytes_at(self._c.GetOutIndexBuf(out), self._c.GetIndexLen(out))
            data = _bytes_at(self._c.GetData(out), self._c.GetDataLen(out))
            is_last = bool(self._c.IsMediaDataFinish(out))
        return {"code": 0, "index": following.decode("latin-1"), "is_last": is_last}, data

    def _content_of(self, out: int) -> bytes:
        return _bytes_at(self._c.GetContentFromSlice(out), self._c.GetSliceLen(out))

    @contextmanager
    def _slice(self) -> Iterator[int]:
        out = self._c.NewSlice()
        if not out:
            raise MemoryError("NewSlice")
        try:
            yield out
        finally:
            self._c.FreeSlice(out)

    @contextmanager
    def _media(self) -> Iterator[int]:
        out = self._c.NewMediaData()
        if not out:
            raise MemoryError("NewMediaData")
        try:
            yield out
        finally:
            self._c.FreeMediaData(out)


def _way(request: Header) -> tuple[bytes, bytes, int]:
    """By which proxy, with which password, for how many seconds at most."""
    return request["proxy"].encode(), request["password"].encode(), request["timeout"]


def _bytes_at(address: int | None, length: int) -> bytes:
    return ctypes.string_at(address, length) if address and length > 0 else b""


class Server:
    """Answers requests until nobody asks any more."""

    def __init__(self) -> None:
        self._library: Library | None = None

    def answer(self, request: Header, body: bytes) -> Answer:
        calls: dict[str, Callable[[Header, bytes], Answer]] = {
            "open": self._open,
            "pull": lambda request, _: self._opened.pull(request),
            "unseal": self._unseal,
            "chunk": lambda request, _: self._opened.chunk(request),
        }
        try:
            return calls[request["call"]](request, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked has to know
            return {"failed": f"{type(error).__name__}: {error}"}, b""

    def close(self) -> None:
        if self._library is not None:
            self._library.close()

    @property
    def _opened(self) -> Library:
        if self._library is None:
            raise LookupError("the library is not open")
        return self._library

    def _open(self, request: Header, body: bytes) -> Answer:
        try:
            self._library = Library(request["library"])
        except (OSError, AttributeError) as error:
            return {"unloadable": str(error)}, b""
        return {"code": self._library.open(request["corp_id"], body)}, b""

    def _unseal(self, request: Header, body: bytes) -> Answer:
        length = request["key_length"]
        return self._opened.unseal(body[:length], body[length:])


def read_frame(stream: BinaryIO) -> Answer | None:
    """The next request; None when whoever asks is gone."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_length, body_length = LENGTHS.unpack(lengths)
    header, body = stream.read(header_length), stream.read(body_length)
    if len(header) < header_length or len(body) < body_length:
        return None
    return json.loads(header), body


def frame_of(header: Header, body: bytes) -> bytes:
    head = json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(body)) + head + body


def _listen(stream: BinaryIO, requests: "queue.SimpleQueue[Answer | None]") -> None:
    while (request := read_frame(stream)) is not None:
        requests.put(request)
    requests.put(None)
    # Also out of a call that never comes back: nobody waits for its answer.
    time.sleep(FAREWELL_SECONDS)
    os._exit(0)


def _own_standard_output() -> BinaryIO:
    """The pipe for answers; what the library itself prints goes where errors go."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(answers, "wb")


def main() -> None:
    # A dump of memory would leave what customers say on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = _own_standard_output()
    requests: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
    arguments = (sys.stdin.buffer, requests)
    threading.Thread(target=_listen, args=arguments, daemon=True).start()
    server = Server()
    while (request := _next(requests)) is not None:
        answers.write(frame_of(*server.answer(*request)))
        answers.flush()
    server.close()
    # Not by returning: the listener still reads, and cannot be interrupted.
    os._exit(0)


def _next(requests: "queue.SimpleQueue[Answer | None]") -> Answer | None:
    try:
        return requests.get(timeout=IDLE_SECONDS)
    except queue.Empty:
        return None


if __name__ == "__main__":
    main()
