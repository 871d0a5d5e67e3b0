"""The platform's limits, kept by all processes together."""

import threading
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
from scrm.channels.limits import BudgetUsed, RecordBusy, limits_of
from scrm.channels.metering import admitted, errand
from scrm.channels.models import ApiUsage, ApiWindow, EndpointPause, Operation
from scrm.channels.operations import CANCEL_MASS_MESSAGE, CHANGE_REMARK
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.processes import finish, start_python
from tests.factories import NOW, connect_to

TAGS = "externalcontact/get_corp_tag_list"
MARK = "externalcontact/mark_tag"
REMARK = "externalcontact/remark"
Priority = Operation.Priority


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten calls a minute of all that these tests call: nine with the margin, three at once."""
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


def test_admits_in_a_minute_no_more_than_the_platform_takes(corp: Corp, scarce: None) -> None:
    admitted_in_all = make(20, corp=corp)
    for _second in range(60):
        regain(1)
        admitted_in_all += make(20, corp=corp)

    assert 8 <= admitted_in_all <= 10


def test_leaves_room_for_what_somebody_waits_for(corp: Corp, scarce: None) -> None:
    assert make(10, corp=corp, priority=Priority.BULK) == 2

    assert make(1, corp=corp, priority=Priority.BULK) == 0
    assert make(10, corp=corp) == 1


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

    assert timedelta(seconds=1) <= raised.value.delay <= timedelta(minutes=1)
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
    channel.tag_groups()
    channel.tag_groups()

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
    remarks(brand, 8)
    payload = {"msgid": "unknown"}
    enqueue_operation(CANCEL_MASS_MESSAGE, corp=brand, key="c", payload=payload, now=NOW)

    counts = run(now=NOW)

    made = sandbox.calls()[REMARK]
    waiting = Operation.objects.filter(kind=CHANGE_REMARK, status="pending")
    assert 0 < made < 8
    assert waiting.count() == 8 - made == counts["postponed"]
    assert set(waiting.values_list("attempts", "called_at", "lease_until")) == {(0, None, None)}
    assert all(one.next_attempt_at > NOW for one in waiting)
    assert Operation.objects.get(kind=CANCEL_MASS_MESSAGE).status == "failed"
    assert not EndpointPause.objects.exists()


def test_asks_all_of_them_in_the_end(brand: Corp, sandbox: SandboxServer, scarce: None) -> None:
    remarks(brand, 8)

    for minute in range(12):
        run(now=NOW + timedelta(minutes=minute))
        regain(30)

    assert sandbox.calls()[REMARK] == 8
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


@pytest.mark.django_db(transaction=True)
def test_threads_share_one_budget(sandbox: SandboxServer, scarce: None) -> None:
    corp = connect_to(sandbox)
    made: list[int] = []

    def work() -> None:
        made.append(make(9, corp=corp))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= sum(made) <= 4


COUNT = """
from scrm.channels.limits import BudgetUsed
from scrm.channels.metering import admitted
corp, made = Corp.objects.get(), 0
for _ in range(400):
    try:
        with admitted(corp.pk, "externalcontact/get"):
            made += 1
    except BudgetUsed:
        pass
print(made)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_processes_share_one_budget(sandbox: SandboxServer) -> None:
    connect_to(sandbox)
    path = "externalcontact/get"
    burst = limits_of(path).windows[0].of_bulk.calls // 4

    workers = [start_python(COUNT) for _ in range(5)]
    made = sum(int(finish(worker)) for worker in workers)

    assert made <= 5 * 400
    assert ApiUsage.objects.get(endpoint=path).calls == made
    # What is regained while they work, at most 132 a second, comes on top.
    assert made >= min(burst, 5 * 400) // 2
