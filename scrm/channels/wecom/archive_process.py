"""The child process in which Tencent's library runs: started, watched, ended, started again."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from django.utils.translation import gettext as _

from scrm.channels.errors import ChannelError, Misconfigured, RetryLater
from scrm.channels.wecom.archive_child import IDLE_SECONDS, LENGTHS, frame_of

Answer = tuple[Mapping[str, Any], bytes]

_PROGRAM = Path(__file__).with_name("archive_child.py")
# The library's own work, and starting it; asking the platform takes the time it was given besides.
WORK_SECONDS = 15.0
_FAREWELL = 1.5
_PIECE = 1 << 20


class SdkBroke(RetryLater):
    """The library broke down or never came back; its process is gone, the next call has another."""

    code = "archive_sdk_broke"


class SdkUnloadable(Misconfigured):
    """What the setting names is not the library, or it misses something it needs."""

    code = "archive_sdk_unloadable"


@dataclass(frozen=True)
class Opening:
    """What the library is opened with."""

    library: str
    corp_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    # A forked process inherits the pipes of its parent's child: they are not its own.
    owner: int

    def is_alive(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None


class SdkProcess:
    """The library with one handle in a process of its own, for one caller at a time.

    Any number of threads may call. The process is started by the first call, and again when it is
    gone; what has not been asked for a while ends by itself.
    """

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._asked_at = 0.0

    def ask(self, call: str, body: bytes = b"", *, seconds: float = 0, **fields: Any) -> Answer:
        """Make a call, which may take `seconds` longer than the library's own work.

        Returns the header, whose `code` is the library's, and the body of the answer.
        """
        with self._lock:
            return self._exchange(self._usable(), {"call": call, **fields}, body, seconds)

    def close(self) -> None:
        with self._lock:
            self._end(patience=_FAREWELL)

    @property
    def pid(self) -> int | None:
        return self._child.process.pid if self._child else None

    def _usable(self) -> _Child:
        """A child of ours that is not about to leave for want of work."""
        is_awake = time.monotonic() - self._asked_at < IDLE_SECONDS / 2
        if is_awake and self._child and self._child.is_alive():
            return self._child
        self._end(patience=_FAREWELL)
        self._child = child = _start()
        try:
            self._open(child)
        except Exception:
            self._end(patience=_FAREWELL)
            raise
        return child

    def _open(self, child: _Child) -> None:
        opening = self.opening
        header, _body = self._exchange(
            child,
            {"call": "open", "library": opening.library, "corp_id": opening.corp_id},
            opening.secret.encode(),
            seconds=0,
        )
        if "unloadable" in header:
            sentence = _("The archive's library cannot be loaded from %(path)s (%(why)s): check SCRM_ARCHIVE_SDK, and that the library is the one for this machine.")  # fmt: skip
            where = {"path": opening.library, "why": header["unloadable"]}
            raise SdkUnloadable(sentence % where)
        if header["code"]:
            raise SdkRefused(header["code"])

    def _exchange(
        self, child: _Child, header: Mapping[str, Any], body: bytes, seconds: float
    ) -> Answer:
        deadline = time.monotonic() + seconds + WORK_SECONDS
        try:
            _write(child.requests.fileno(), frame_of(dict(header), body), deadline)
            out = child.answers.fileno()
            head_length, body_length = LENGTHS.unpack(_read(out, LENGTHS.size, deadline))
            head = json.loads(_read(out, head_length, deadline))
            answer = head, _read(out, body_length, deadline)
        except (OSError, EOFError) as error:
            # TimeoutError is an OSError too.
            self._give_up(str(header["call"]), is_silent=isinstance(error, TimeoutError))
        except BaseException:
            # Interrupted: the answer that still comes must not be taken for another's.
            self._end(patience=0)
            raise
        self._asked_at = time.monotonic()
        if "failed" in head:
            raise ChannelError(_("The archive's library: %(why)s") % {"why": head["failed"]})
        return answer

    def _give_up(self, call: str, *, is_silent: bool) -> NoReturn:
        if is_silent:
            self._end(patience=0)
            sentence = _("The archive's library did not come back from «%(call)s»: it was stopped and is started again.")  # fmt: skip
            raise SdkBroke(sentence % {"call": call})
        how = _how(self._end(patience=_FAREWELL))
        sentence = _("The archive's library broke down in «%(call)s» (%(how)s): it is started again.")  # fmt: skip
        raise SdkBroke(sentence % {"call": call, "how": how})

    def _end(self, *, patience: float) -> int:
        """End the child, if we have one, by force when it takes longer; returns how it ended."""
        child, self._child = self._child, None
        if child is None or child.owner != os.getpid():
            return 0
        child.requests.close()
        code = None
        with suppress(subprocess.TimeoutExpired):
            code = child.process.wait(patience) if patience else None
        if code is None:
            child.process.kill()
            code = child.process.wait()
        child.answers.close()
        return code


class SdkRefused(Exception):
    """The library refused to be opened, with a code of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _start() -> _Child:
    process = subprocess.Popen(  # noqa: S603 — this Python and a program of ours
        # Nothing but the standard library, whatever the environment says.
        [sys.executable, "-I", "-S", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # None of our keys and passwords are the library's business.
        env={name: value for name, value in os.environ.items() if not name.startswith("SCRM_")},
        start_new_session=True,  # Ctrl-C is for us: we end it
    )
    pipes = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    for pipe in pipes:
        os.set_blocking(pipe.fileno(), False)
    return _Child(process, *pipes, owner=os.getpid())


def _write(pipe: int, data: bytes, deadline: float) -> None:
    left = memoryview(data)
    while left:
        _wait_for(pipe, select.POLLOUT, deadline)
        left = left[os.write(pipe, left[:_PIECE]) :]


def _read(pipe: int, length: int, deadline: float) -> bytes:
    """Exactly so many bytes; raises EOFError when the other side is gone."""
    pieces = bytearray()
    while len(pieces) < length:
        _wait_for(pipe, select.POLLIN, deadline)
        piece = os.read(pipe, min(length - len(pieces), _PIECE))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)


def _wait_for(pipe: int, event: int, deadline: float) -> None:
    """Wait until the pipe can be used; raises TimeoutError."""
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _how(code: int) -> str:
    """How a process ended, in words of the system."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return _("exit code %(code)d") % {"code": code}
