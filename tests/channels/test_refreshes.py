from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from scrm.channels.actions import refreshes
from scrm.channels.actions.refreshes import (
    register_refresher,
    request_refresh,
    request_refreshes,
    run_due_refreshes,
)
from scrm.channels.base import Channel
from scrm.channels.errors import BackOff, Misconfigured, Stale
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp
from tests.factories import NOW

CUSTOMER, GROUP_CHAT = Refresh.Kind.CUSTOMER, Refresh.Kind.GROUP_CHAT


class Reader:
    """Notes what it reads; fails as it is told to, or makes a wish while it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.error: Exception | None = None
        self.wishes: list[str] = []

    def __call__(self, channel: Channel, corp: Corp, key: str, now: datetime) -> None:
        self.read.append(key)
        if self.wishes:
            request_refresh(CUSTOMER, corp=corp, key=self.wishes.pop(), now=now)
        if self.error:
            raise self.error


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """The only refresher there is."""
    monkeypatch.setattr(refreshes, "_refreshers", {})
    reader = Reader()
    register_refresher(CUSTOMER, reader)
    register_refresher(GROUP_CHAT, reader)
    return reader


def test_reads_once_for_many_wishes(corp: Corp, reader: Reader) -> None:
    for second in range(3):
        request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW + timedelta(seconds=second))
    request_refresh(CUSTOMER, corp=corp, key="wm2", now=NOW)

    assert run_due_refreshes(now=NOW + timedelta(seconds=3)) == {"read": 2}

    assert sorted(reader.read) == ["wm1", "wm2"]
    assert not Refresh.objects.exists()


def test_wishes_for_many_things_at_once(
    corp: Corp, reader: Reader, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)

    with django_assert_num_queries(1):
        request_refreshes(CUSTOMER, corp=corp, keys=["wm2", "wm1", "wm2"], now=NOW)
    with django_assert_num_queries(0):
        request_refreshes(CUSTOMER, corp=corp, keys=[], now=NOW)

    # Known already, and moved all the same: whoever reads it now sees that.
    assert Refresh.objects.get(key="wm1").wished_at == NOW + timedelta(microseconds=1)
    assert run_due_refreshes(now=NOW + timedelta(seconds=1)) == {"read": 2}
    assert sorted(reader.read) == ["wm1", "wm2"]


def test_reads_again_what_was_wished_during_the_reading(corp: Corp, reader: Reader) -> None:
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)
    reader.wishes = ["wm1"]

    run_due_refreshes(now=NOW)
    run_due_refreshes(now=NOW + timedelta(seconds=1))

    assert reader.read == ["wm1", "wm1"]
    assert not Refresh.objects.exists()


def test_sends_no_second_reader_after_the_first(corp: Corp, reader: Reader) -> None:
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)
    Refresh.objects.update(lease_until=NOW + timedelta(minutes=5))
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)

    assert run_due_refreshes(now=NOW) == {}
    assert run_due_refreshes(now=NOW + timedelta(minutes=6)) == {"read": 1}


def test_lets_a_group_settle_before_it_is_read(corp: Corp, reader: Reader) -> None:
    request_refresh(GROUP_CHAT, corp=corp, key="wr1", now=NOW)
    request_refresh(GROUP_CHAT, corp=corp, key="wr1", now=NOW + timedelta(seconds=1.5))

    assert run_due_refreshes(now=NOW + timedelta(seconds=1)) == {}
    assert run_due_refreshes(now=NOW + timedelta(seconds=2)) == {"read": 1}
    # Read half a second after the second change: too early to show it.
    assert run_due_refreshes(now=NOW + timedelta(seconds=3)) == {}
    assert run_due_refreshes(now=NOW + timedelta(seconds=4)) == {"read": 1}
    assert not Refresh.objects.exists()


def test_forgets_what_is_gone(corp: Corp, reader: Reader) -> None:
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)
    reader.error = Stale("gone")

    assert run_due_refreshes(now=NOW) == {"dropped": 1}
    assert not Refresh.objects.exists()


@pytest.mark.parametrize("error", [Misconfigured("no right"), RuntimeError("a bug")])
def test_backs_off_and_keeps_the_error(corp: Corp, reader: Reader, error: Exception) -> None:
    request_refresh(CUSTOMER, corp=corp, key="wm1", now=NOW)
    request_refresh(CUSTOMER, corp=corp, key="wm2", now=NOW)
    reader.error = error

    assert run_due_refreshes(now=NOW) == {"failed": 2}
    assert run_due_refreshes(now=NOW) == {}
    wish = Refresh.objects.get(key="wm1")
    assert str(error) in wish.error
    assert wish.attempts == 1

    reader.error = None
    assert run_due_refreshes(now=NOW + timedelta(minutes=2)) == {"read": 2}
    assert not Refresh.objects.exists()


def test_leaves_the_kind_alone_at_the_limit_of_calls(corp: Corp, reader: Reader) -> None:
    for number in range(30):
        request_refresh(CUSTOMER, corp=corp, key=f"wm{number}", now=NOW)
    reader.error = BackOff("limit", errcode=45009, delay=timedelta(seconds=60))

    assert run_due_refreshes(now=NOW) == {"postponed": 10}
    assert len(reader.read) == 1
    reader.error = None
    assert run_due_refreshes(now=NOW + timedelta(seconds=59)) == {}
    assert run_due_refreshes(now=NOW + timedelta(seconds=62)) == {"read": 30}


def test_leaves_what_nobody_can_read(corp: Corp, reader: Reader) -> None:
    request_refresh(Refresh.Kind.TAGS, corp=corp, now=NOW)

    assert run_due_refreshes(now=NOW) == {}
    assert Refresh.objects.count() == 1
