"""`manage.py up` as a real process: what it starts, what it survives, what it leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scrm import embedded
from scrm.operations.leftovers import MARK

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


class Up:
    """A running `manage.py up` and what it prints."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        with log.open("w") as output:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "manage.py", "up", "--port", str(port)],
                cwd=embedded.PROJECT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        assert eventually(lambda: "ready  http" in self.printed or self.process.poll() is not None)
        assert "ready  http" in self.printed, self.printed

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def child(self, name: str) -> psutil.Process | None:
        for process in family():
            if process.ppid() == self.process.pid and name in process.cmdline():
                return process
        return None

    def end(self, number: signal.Signals) -> float:
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        return time.monotonic() - started


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="scrm-test-"))
    monkeypatch.setenv("SCRM_DATA_DIR", str(path))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "scrm.settings")
    for name in ("SCRM_DATABASE_URL", "SCRM_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    yield path
    embedded.remove_data()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(port: int, tmp_path: Path, data_dir: Path) -> Iterator[Callable[[], Up]]:
    started: list[Up] = []

    def start_up() -> Up:
        started.append(Up(port, tmp_path / f"up-{len(started)}.log"))
        return started[-1]

    yield start_up
    for up in started:
        if up.process.poll() is None:
            up.end(signal.SIGTERM)


def family() -> list[psutil.Process]:
    """Return the web, worker and beat processes of this data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").endswith(f" {embedded.data_dir()}"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def database_runs() -> bool:
    return any(
        process.info["cwd"] == str(embedded.data_dir() / "postgres" / "pgdata")
        for process in psutil.process_iter(["cwd"])
    )


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_serves_until_it_is_told_to_end_and_leaves_nothing(start: Callable[[], Up]) -> None:
    up = start()
    up.wait_ready()

    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/healthz") as answer:
        assert answer.status == 200
    assert sum(p.memory_full_info().pss for p in family()) < 500_000_000
    assert up.end(signal.SIGTERM) < 5
    assert up.process.returncode == 0
    assert family() == []
    assert not database_runs()


def test_starts_a_killed_worker_again(start: Callable[[], Up]) -> None:
    up = start()
    up.wait_ready()
    assert eventually(lambda: up.child("worker"))
    killed = up.child("worker")
    assert killed is not None

    killed.kill()

    assert eventually(lambda: up.child("worker") not in {None, killed})
    assert "worker was killed; starting it again" in up.printed
    assert up.end(signal.SIGINT) < 5
    assert family() == []


def test_starts_beside_what_a_killed_one_left(start: Callable[[], Up]) -> None:
    killed = start()
    killed.wait_ready()
    killed.end(signal.SIGKILL)

    up = start()
    up.wait_ready()

    parents = {process.ppid() for process in family()}
    assert parents <= {up.process.pid, *(process.pid for process in family())}
    assert up.end(signal.SIGTERM) < 5
    assert family() == []
    assert not database_runs()


def test_other_commands_run_beside_it_and_leave_the_database_running(
    start: Callable[[], Up],
) -> None:
    up = start()
    up.wait_ready()

    command = [sys.executable, "manage.py", "migrate", "--check"]
    done = subprocess.run(command, cwd=embedded.PROJECT, check=False)  # noqa: S603

    assert done.returncode == 0
    assert database_runs()


def test_names_who_holds_the_port(start: Callable[[], Up], port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        up = start()
        up.process.wait(timeout=60)

    assert up.process.returncode == 1
    assert up.printed.count("\n") == 1
    assert f"Port {port} on 127.0.0.1 is in use" in up.printed
    assert f"process {os.getpid()}" in up.printed


def test_names_the_variable_when_the_database_cannot_be_reached(
    start: Callable[[], Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/scrm")
    monkeypatch.setenv("SCRM_SECRET_KEY", "secret")
    monkeypatch.setenv("SCRM_FIELD_KEYS", embedded.field_keys())

    up = start()
    up.process.wait(timeout=60)

    assert up.process.returncode == 1
    assert "correct SCRM_DATABASE_URL" in up.printed
    assert "Traceback" not in up.printed
