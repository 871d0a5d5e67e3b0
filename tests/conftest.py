"""Fixtures that every part of the suite shares: a corp of the sandbox, and the sandbox itself."""

from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace

import pytest

from groups.actions.sync import start_sync
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, connect_to, make_corp, make_staff


def pytest_configure(config: pytest.Config) -> None:
    """Give workers few tests at a time: by default one of them gets an eighth of all at once."""
    if getattr(config.option, "maxschedchunk", 0) is None:
        config.option.maxschedchunk = 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first: one that began last would run on while the other workers idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes within a run of a tick but what the test itself lets pass.

    On a busy machine a run would otherwise end before its work, or find due what it made itself.
    `tests/channels/test_pace.py` proves that the clock goes on and that a run ends in time.
    """
    monkeypatch.setattr("scrm.channels.pace.time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def corp(db: None) -> Corp:
    """A corp without a platform behind it: nothing may be asked of its address."""
    return make_corp()


@pytest.fixture
def alice(corp: Corp) -> Staff:
    return make_staff(corp, userid="alice", name="Alice")


@pytest.fixture
def bob(corp: Corp) -> Staff:
    return make_staff(corp, userid="bob", name="Bob")


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A small platform of its own for the test, whose clock starts at `NOW`."""
    world = build_world(
        1,
        staff=6,
        customers=40,
        groups=3,
        clock=VirtualClock(start=NOW.timestamp()),
        options=Options(callback_retry_spacing=0),
    )
    with SandboxServer(world) as server:
        yield server


@pytest.fixture
def brand(db: None, sandbox: SandboxServer) -> Corp:
    """The corp of the sandbox, connected and not yet synced."""
    return connect_to(sandbox)


@pytest.fixture
def synced_brand(brand: Corp) -> Corp:
    """The corp of the sandbox with its staff, tags, customers and groups."""
    start_sync(brand, now=NOW)
    run_due_jobs(clock=lambda: NOW)
    assert Job.objects.get(kind="sync").status == Job.Status.SUCCEEDED
    return brand


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures that a test has worked out (`record_property("figures", line)`), seen in every run."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [line for each in reports for name, line in each.user_properties if name == "figures"]
    if lines:
        terminalreporter.section("figures")
    for line in lines:
        terminalreporter.write_line(str(line))
