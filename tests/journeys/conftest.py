"""The product as real processes on the test's database, with the sandbox beside it."""

import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from scrm.jobs.actions.installing import install_ticks
from scrm.processes import Supervisor
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer


@pytest.fixture
def platform() -> Iterator[SandboxServer]:
    """A sandbox that lives by the clock on the wall, as the processes do."""
    world = build_world(1, staff=10, customers=120, groups=4, options=Options())
    with SandboxServer(world) as server:
        yield server


@pytest.fixture
def product(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Web, worker and beat, with leases short enough that a test can outwait them."""
    install_ticks()
    environment = {
        "SCRM_DATABASE_URL": _url_of_the_test_database(),
        "SCRM_SECRET_KEY": settings.SECRET_KEY,
        "SCRM_FIELD_KEYS": ",".join(settings.FIELD_KEYS),
        "SCRM_CHANNEL_TIMEOUT": "3",
        "SCRM_OUTBOX_LEASE": "10",
        "DJANGO_SETTINGS_MODULE": "scrm.settings",
    }
    with Supervisor(port=_free_port(), env=environment) as supervisor:
        supervisor.wait_ready()
        yield supervisor


def wait_until(done: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _url_of_the_test_database() -> str:
    given = connection.settings_dict
    name, user = given["NAME"], given["USER"]
    host = given["OPTIONS"].get("host") or given["HOST"]
    port = given["OPTIONS"].get("port") or given["PORT"] or 5432
    password = f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else ""
    return f"postgresql://{user}{password}@/{name}?host={quote(str(host), safe='')}&port={port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
