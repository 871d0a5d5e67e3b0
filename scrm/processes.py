"""Web, worker and beat as children of one foreground process, for a laptop and for the demo.

Production runs them apart, under systemd or in containers. Honcho and its like end all when one
dies; here the dead one is started again.
"""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from scrm import embedded
from scrm.operations.children import Child
from scrm.operations.leftovers import MARK, clear_leftovers, mark_of
from scrm.operations.ports import PortInUse, refuse_busy_port

QUEUES = "callbacks,delivery,sync,default"
TERM_SECONDS = 3.0
HOPELESS_FAILURES = 3
DATABASE_SECONDS = 2.0


class SupervisorError(Exception):
    """The processes cannot run; the message is one sentence that says what to change."""


def print_to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Supervisor:
    """Keeps web, worker and beat running until it is stopped.

    `say` gets every line the children print. On embedded services, use it inside
    `embedded.running()`: the children expect the database to be there. Further workers are called
    `worker-2` and so on.
    """

    def __init__(
        self,
        *,
        port: int = 8000,
        host: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print_to_stderr,
        workers: int = 1,
    ) -> None:
        self.port, self.host, self.say = port, host, say
        self._environment = os.environ | dict(env or {}) | {MARK: mark_of(psutil.Process())}
        self._children = [
            Child("web", web_arguments(host, port)),
            *(Child(name, worker_arguments(name)) for name in _worker_names(workers)),
            Child("beat", beat_arguments()),
        ]
        self._database_due_at = 0.0
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._ended = threading.Event()
        # Linux ends a child with the thread that made it, so one thread makes and outlives them all.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in {"", "0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def processes(self) -> dict[str, int]:
        return {child.name: child.process.pid for child in self._children if child.process}

    def start(self) -> None:
        """Start the children and return at once."""
        self.make_room()
        self._thread.start()
        try:
            self._started.wait()
        except BaseException:
            self.stop()
            raise

    def make_room(self) -> None:
        """Clear what a killed predecessor left, and refuse a port that somebody else uses."""
        clear_leftovers()
        try:
            refuse_busy_port(self.host, self.port)
        except PortInUse as error:
            raise SupervisorError(str(error)) from None

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return when the web server answers its health check."""
        deadline = time.monotonic() + timeout
        while not _is_healthy(f"{self.url}/healthz"):
            if time.monotonic() > deadline or self._gave_up():
                raise SupervisorError(
                    f"The web server does not answer at {self.url}/healthz: see what was printed "
                    "above."
                )
            time.sleep(0.1)

    def wait(self) -> None:
        """Block until somebody stops the supervisor."""
        # Not Thread.join: interrupted by a signal, it takes the thread for ended (Python 3.11).
        self._ended.wait()

    def stop(self) -> None:
        """End all children: politely, and after three seconds by force."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._ended.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _gave_up(self) -> bool:
        web = self._children[0]
        return self._ended.is_set() or web.failures >= HOPELESS_FAILURES

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._tend_database()
                self._tend()
                self._started.set()
                self._stopping.wait(0.2)
        finally:
            self._end_children()
            self._started.set()
            self._ended.set()

    def _tend(self) -> None:
        for child in self._children:
            if (code := child.exit_code()) is not None:
                self.say(child.bury(code))
            if child.process is None and time.monotonic() >= child.due_at:
                child.start(self._environment, self.say)

    def _tend_database(self) -> None:
        if time.monotonic() < self._database_due_at:
            return
        self._database_due_at = time.monotonic() + DATABASE_SECONDS
        try:
            embedded.ensure_running()
        except embedded.EmbeddedError as error:
            self.say(f"{error}")

    def _end_children(self) -> None:
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + TERM_SECONDS
        for child in self._children:
            if child.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                child.kill()
                child.process.wait()


def web_arguments(host: str, port: int) -> list[str]:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return [
        *("-m", "gunicorn", "scrm.wsgi", "--bind", address, "--log-level", "warning"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", "8", "--keep-alive", "75"),
        *("--graceful-timeout", "2", "--no-control-socket"),
    ]


def _worker_names(count: int) -> list[str]:
    return ["worker", *(f"worker-{number}" for number in range(2, count + 1))]


def worker_arguments(name: str = "worker") -> list[str]:
    # Threads: tasks wait for the platform and the database, a long one must not hold up callbacks,
    # and a worker that is killed leaves no pool of processes behind.
    return [
        *("-m", "celery", "--quiet", "--app", "scrm", "worker", "--loglevel", "WARNING"),
        *("--queues", QUEUES, "--pool", "threads", "--concurrency", "8"),
        *("--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def beat_arguments() -> list[str]:
    return [
        *("-m", "celery", "--quiet", "--app", "scrm", "beat", "--loglevel", "WARNING"),
        *("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--pidfile", ""),
    ]


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 — http, our own
            return True
    except urllib.error.HTTPError as error:
        # Refused for its host name, say: it listens and answers.
        return error.code < 500
    except OSError:
        return False
