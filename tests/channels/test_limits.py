"""The platform's limits, kept by all processes together."""

import random
import threading
import time
from datetime import timedelta

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from pytest_django import Settings

from scrm.channels import counters, limits
from scrm.channels.actions.outbox import Wish, enqueue_operation, enqueue_operations
from scrm.channels.actions.outbox import run_due_operations as run
from scrm.channels.base import Channel
from scrm.channels.counters import DatabaseStorage
from scrm.channels.limits import BudgetUsed, ReceiverBusy, RecordBusy, limits_of
from scrm.channels.metering import admitted, errand
from scrm.channels.models import ApiUsage, ApiWindow, EndpointPause, Operation
from scrm.channels.operations import CANCEL_MASS_MESSAGE, CHANGE_REMARK
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.processes import finish, start_python
from tests.factories import NOW, connect_to, make_corp

TAGS = "externalcontact/get_corp_tag_list"
MARK = "externalcontact/mark_tag"
REMARK = "externalcontact/remark"
Priority = Operation.Priority


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten calls a minute of all that these tests call: nine with the margin, eight for bulk."""
    for path in (TAGS, MARK, REMARK):
        monkeypatch.setitem(limits.CALLS_PER_MINUTE, path, 10)


def make(calls: int, path: str = TAGS, *, corp: Corp, priority: int = Priority.CLICK) -> int:
    """How many of the calls were admitted."""
    for made in range(calls):
        try:
            with errand(priority=priority), admitted(corp.pk, path):
                pass
        except BudgetUsed:
            return made
    return calls


def regain(seconds: float) -> None:
    """Let time pass for all counters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_apiwindow SET until = until - %s * interval '1 second'", [seconds]
        )


def make_together(calls: int, path: str = TAGS, *, corp: Corp, priority: int) -> int:
    """The same as the calls of one batch."""
    made = 0
    with errand(priority=priority, calls=calls):
        for _call in range(calls):
            try:
                with admitted(corp.pk, path):
                    made += 1
            except BudgetUsed:
                return made
    return made


def test_admits_all_that_the_platform_takes_in_a_minute(corp: Corp, scarce: None) -> None:
    assert make(20, corp=corp) == 9

    regain(60)
    assert make(20, corp=corp) == 0
    regain(2)
    assert make(20, corp=corp) == 9


def test_admits_in_no_minute_more_than_the_platform_takes(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.CALLS_PER_MINUTE, TAGS, 600)
    dice, gone, moments = random.Random(7), 0.0, []  # noqa: S311
    for _turn in range(60):
        seconds = dice.choice([0, 0.3, 1, 5, 20, 59])
        regain(seconds)
        gone += seconds
        priority = dice.choice([Priority.BULK, Priority.CLICK])
        # What was made is dated from before it was counted: at most too early by the while.
        at = gone + time.monotonic()
        made = make_together(dice.choice([3, 40, 300]), corp=corp, priority=priority)
        moments += [at] * made

    busiest = max(sum(0 <= at - first < 60 for at in moments) for first in set(moments))
    assert 550 < busiest <= 600


def test_bulk_uses_all_but_a_reserve_that_urgent_calls_have_left(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.CALLS_PER_MINUTE, TAGS, 600)

    assert make_together(999, corp=corp, priority=Priority.CLICK) == 590
    regain(62)
    assert make_together(100, corp=corp, priority=Priority.CLICK) == 100
    assert make_together(999, corp=corp, priority=Priority.BULK) == 460
    assert make_together(1, corp=corp, priority=Priority.BULK) == 0
    assert make_together(999, corp=corp, priority=Priority.WELCOME) == 30


def test_what_a_dead_worker_had_counted_comes_back(corp: Corp, settings: Settings) -> None:
    settings.CHANNEL_CALLS_PER_MINUTE = 1000
    with errand(calls=20, priority=Priority.CLICK) as dead, admitted(corp.pk, TAGS):
        assert dead.credits[corp.pk, TAGS].calls == 19
    assert make_together(2000, corp=corp, priority=Priority.CLICK) == 990 - 20

    regain(62)

    assert make_together(2000, corp=corp, priority=Priority.CLICK) == 990


def test_what_was_counted_is_not_used_later(
    corp: Corp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHANNEL_CALLS_PER_MINUTE = 1000
    with errand(calls=30, priority=Priority.CLICK) as slow:
        with admitted(corp.pk, TAGS):
            assert slow.credits[corp.pk, TAGS].calls == 19
        slow.credits[corp.pk, TAGS].until -= limits.CREDIT_IS_GOOD_FOR
        with admitted(corp.pk, TAGS):
            assert slow.credits[corp.pk, TAGS].calls == 19

    assert make_together(2000, corp=corp, priority=Priority.CLICK) == 990 - 40


def test_all_corps_share_what_an_address_may_call(corp: Corp, settings: Settings) -> None:
    settings.CHANNEL_CALLS_PER_MINUTE = 600

    made = [
        make_together(999, corp=one, priority=Priority.CLICK)
        for one in (corp, make_corp(), make_corp())
    ]

    assert made == [590, 590, 0]


def test_a_receiver_gets_no_more_than_the_platform_lets_through(corp: Corp) -> None:
    def tell(names: str) -> None:
        with admitted(corp.pk, "message/send", {"touser": names}):
            pass

    for _message in range(30):
        tell("alice")
    with pytest.raises(ReceiverBusy) as raised:
        tell("bob|Alice")
    tell("bob")

    assert timedelta(seconds=55) <= raised.value.delay <= timedelta(seconds=61)
    assert ApiUsage.objects.get().calls == 31
    regain(61)
    tell("alice")


def test_counts_each_endpoint_and_each_corp_for_itself(
    corp: Corp, brand: Corp, scarce: None
) -> None:
    make(10, corp=corp)

    assert make(1, corp=corp) == 0
    assert make(1, MARK, corp=corp) == 1
    assert make(1, corp=brand) == 1


def test_keeps_the_hour_as_well(corp: Corp, settings: Settings) -> None:
    settings.CHANNEL_CALLS_PER_HOUR = 1000
    made = make(5000, corp=corp)
    for _minute in range(59):
        regain(60)
        made += make(5000, corp=corp)

    assert 700 < made <= 1000


def test_says_when_it_goes_on(corp: Corp, scarce: None) -> None:
    make(10, corp=corp)

    with pytest.raises(BudgetUsed) as raised, admitted(corp.pk, TAGS):
        pass

    assert timedelta(seconds=59) <= raised.value.delay <= timedelta(seconds=62)
    assert raised.value.errcode is None
    regain(raised.value.delay.total_seconds())
    assert make(1, corp=corp) == 1


def test_holds_so_many_places_and_no_more(corp: Corp, settings: Settings) -> None:
    settings.CHANNEL_CONCURRENCY = 4

    with errand(), admitted(corp.pk, TAGS), errand(), admitted(corp.pk, TAGS):
        with pytest.raises(BudgetUsed, match="under way"), errand(), admitted(corp.pk, TAGS):
            pass
        # Two are left for what somebody waits for.
        assert make(1, corp=corp) == 1
    assert make(1, corp=corp, priority=Priority.BULK) == 1


def test_gets_the_place_of_a_dead_worker_back(corp: Corp, scarce: None) -> None:
    with admitted(corp.pk, TAGS):
        assert make(1, corp=corp) == 0
        regain(31)
        assert make(1, corp=corp) == 1


def test_lets_one_writer_at_a_record(corp: Corp) -> None:
    body = {"userid": "Alice", "external_userid": "wm1", "add_tag": ["a"]}
    same = {"userid": "alice", "external_userid": "wm1", "remark": "b"}
    other = {"userid": "alice", "external_userid": "wm2"}

    with errand(), admitted(corp.pk, MARK, body):
        with pytest.raises(RecordBusy), errand(), admitted(corp.pk, REMARK, same):
            pass
        with errand(), admitted(corp.pk, MARK, other):
            pass
    with admitted(corp.pk, REMARK, same):
        pass


def test_forgets_records_and_places_when_the_call_is_over(corp: Corp) -> None:
    with pytest.raises(ValueError, match="gone"), admitted(corp.pk, MARK, {"userid": "alice"}):
        raise ValueError("gone")

    assert not ApiWindow.objects.filter(key__contains="record:").exists()
    assert not ApiWindow.objects.filter(key__contains="place:").exists()


def test_counts_what_was_called_for_people_to_see(channel: Channel, brand: Corp) -> None:
    channel.tags.groups()
    channel.tags.groups()

    usage = ApiUsage.objects.get(endpoint=TAGS)
    assert (usage.corp_id, usage.calls, usage.minute_calls) == (brand.pk, 2, 2)


def test_counts_in_the_database_while_redis_is_silent(
    corp: Corp, scarce: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": redis, "LOCATION": "redis://127.0.0.1:9/0"}}
    monkeypatch.setattr(counters, "_silent_until", 0.0)
    counters._redis.cache_clear()

    try:
        assert 1 <= make(20, corp=corp) < 10
    finally:
        counters._redis.cache_clear()
    assert ApiWindow.objects.exists()


def test_needs_no_redis(settings: Settings) -> None:
    backend = f"{LocMemCache.__module__}.{LocMemCache.__name__}"

    assert settings.CACHES["default"]["BACKEND"] == backend
    assert counters.count(lambda storage: isinstance(storage, DatabaseStorage))


def remarks(corp: Corp, count: int) -> None:
    wishes = [
        Wish(f"r{number}", {"userid": "nobody", "external_userid": f"wm{number}", "remark": "x"})
        for number in range(count)
    ]
    enqueue_operations(CHANGE_REMARK, corp=corp, wishes=wishes, now=NOW)


def test_puts_back_what_the_budget_does_not_cover_and_goes_on_elsewhere(
    brand: Corp, sandbox: SandboxServer, scarce: None
) -> None:
    remarks(brand, 9)
    payload = {"msgid": "unknown"}
    enqueue_operation(CANCEL_MASS_MESSAGE, corp=brand, key="c", payload=payload, now=NOW)

    counts = run(now=NOW)

    waiting = Operation.objects.filter(kind=CHANGE_REMARK, status="pending")
    assert sandbox.calls()[REMARK] == 8
    assert waiting.count() == counts["postponed"] == 1
    assert set(waiting.values_list("attempts", "called_at", "lease_until")) == {(0, None, None)}
    assert all(one.next_attempt_at > NOW for one in waiting)
    assert Operation.objects.get(kind=CANCEL_MASS_MESSAGE).status == "failed"
    assert not EndpointPause.objects.exists()


def test_asks_all_of_them_in_the_end(brand: Corp, sandbox: SandboxServer, scarce: None) -> None:
    remarks(brand, 20)

    for minute in range(3):
        run(now=NOW + timedelta(minutes=2 * minute))
        assert sandbox.calls()[REMARK] == min(8 * (minute + 1), 20)
        regain(62)

    assert set(Operation.objects.values_list("attempts", flat=True)) == {1}


def test_a_click_goes_on_although_bulk_has_used_its_share(
    brand: Corp, sandbox: SandboxServer, scarce: None
) -> None:
    make(10, REMARK, corp=brand, priority=Priority.BULK)
    remarks(brand, 3)
    payload = {"userid": "nobody", "external_userid": "wm", "remark": "x"}
    click = enqueue_operation(
        CHANGE_REMARK, corp=brand, key="c", payload=payload, now=NOW, priority=Priority.CLICK
    )

    run(now=NOW)

    click.refresh_from_db()
    assert click.status == "failed"
    assert Operation.objects.filter(status="pending", attempts=0).count() == 3


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_threads_share_one_budget(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    corp = connect_to(sandbox)
    monkeypatch.setitem(limits.CALLS_PER_MINUTE, TAGS, 600)
    made: list[int] = []

    def work() -> None:
        made.append(make_together(200, corp=corp, priority=Priority.CLICK))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(made) == 590


COUNT = """
from django.conf import settings
from scrm.channels.limits import BudgetUsed
from scrm.channels.metering import admitted
settings.CHANNEL_CALLS_PER_MINUTE = 600
corp, made = Corp.objects.get(), 0
for _ in range(200):
    try:
        with admitted(corp.pk, "externalcontact/get"):
            made += 1
    except BudgetUsed:
        pass
print(made)
"""


@pytest.mark.concurrency
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_processes_share_one_budget(sandbox: SandboxServer, settings: Settings) -> None:
    connect_to(sandbox)
    settings.CHANNEL_CALLS_PER_MINUTE = 600
    path = "externalcontact/get"

    workers = [start_python(COUNT) for _ in range(5)]
    made = sum(int(finish(worker)) for worker in workers)

    assert made == limits_of(path).windows[0].of_bulk.calls == 560
    assert ApiUsage.objects.get(endpoint=path).calls == made
