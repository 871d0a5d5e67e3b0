"""One process under supervision."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from scrm import embedded

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 30.0

# True, and no news to who tries the product as root, without collected static files.
QUIET = ["-W", "ignore:You're running the worker", "-W", "ignore:No directory at"]

# A child ends with its supervisor, even when that gets SIGKILL (Linux; elsewhere the next start
# clears what is left). Run before the child's program, because a preexec_fn is not safe here: the
# supervisor has threads.
PROLOGUE = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit()
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass
class Child:
    """One supervised process and its history."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0

    def start(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        python = sys.executable
        self.process = subprocess.Popen(  # noqa: S603 — our own programs
            [python, "-c", PROLOGUE, str(os.getpid()), python, *QUIET, *self.arguments],
            cwd=embedded.PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C reaches the supervisor alone, which ends its children in order.
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        threading.Thread(target=self._pass_on, args=(self.process.stdout, say), daemon=True).start()

    def _pass_on(self, output: IO[str], say: Callable[[str], None]) -> None:
        with output:
            for line in output:
                say(f"{self.name:>6} | {line.rstrip()}")

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def bury(self, code: int) -> str:
        """Clear what the dead process left, put off the next start, and say how it died."""
        self.kill()
        self.process = None
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived > STEADY_SECONDS else self.failures + 1
        pause = min(0.25 * 2**self.failures, LONGEST_PAUSE)
        self.due_at = time.monotonic() + pause
        how = f"ended with code {code}" if code >= 0 else f"was {signal.strsignal(-code)}".lower()
        return f"{self.name} {how}; starting it again in {pause:.1f} s"

    def terminate(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        # The whole group: a killed worker leaves its pool behind.
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
