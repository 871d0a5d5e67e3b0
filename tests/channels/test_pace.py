"""The clock of a tick goes on while it works, and a run leaves the rest to the next one."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from scrm.channels.actions import refreshes
from scrm.channels.actions.refreshes import request_refreshes, run_due_refreshes
from scrm.channels.base import Channel
from scrm.channels.models import Refresh
from scrm.channels.pace import BUDGET, clock_from
from scrm.tenancy.models import Corp

SECOND = timedelta(seconds=1)


class Watch:
    """Stands in for the module `time`: shows what a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr("scrm.channels.pace.time", SimpleNamespace(monotonic=watch.monotonic))
    return watch


def test_the_clock_shows_the_time_of_the_run_and_goes_on(watch: Watch, now: datetime) -> None:
    clock = clock_from(now)
    assert clock() == now

    watch.seconds += 2.5

    assert clock() == now + 2.5 * SECOND


def test_a_run_stamps_what_it_does_with_its_own_time_and_ends_after_its_budget(
    corp: Corp, now: datetime, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[datetime] = []

    def read_for_a_second(channel: Channel, corp: Corp, key: str, at: datetime) -> None:
        read.append(at)
        watch.seconds += 1

    monkeypatch.setitem(refreshes._refreshers, Refresh.Kind.CUSTOMER, read_for_a_second)
    wished = [f"wm{n:02}" for n in range(25)]
    request_refreshes(Refresh.Kind.CUSTOMER, corp=corp, now=now, keys=wished)

    run_due_refreshes(now=now)

    # Batches of ten: the one in which the time runs out is finished.
    assert read == [now + n * SECOND for n in range(10)]
    assert BUDGET < 10 * SECOND
    assert list(Refresh.objects.order_by("key").values_list("key", flat=True)) == wished[10:]
