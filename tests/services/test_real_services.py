"""That the runs on given services really use them, and not what stands in for them."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from kombu import Connection
from limits.storage import RedisStorage

from scrm.channels import counters, tasks, waking
from scrm.processes import QUEUES
from scrm.tenancy.models import Corp

pytestmark = pytest.mark.services


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The given broker, with our queues empty, and tasks sent to it."""
    url = os.environ["SCRM_BROKER_URL"]
    conf = tasks.wake_inbox.app.conf
    before = {name: conf[name] for name in ("task_always_eager", "broker_write_url")}
    conf.update(task_always_eager=False, broker_write_url=url)
    monkeypatch.setattr(waking, "_next_at", 0.0)
    with Connection(url) as connected:
        for queue in QUEUES.split(","):
            connected.SimpleQueue(queue).clear()
        yield connected
    conf.update(before)


def test_a_wake_up_goes_through_the_broker(broker: Connection) -> None:
    assert os.environ["SCRM_BROKER_URL"] == settings.CELERY_BROKER_URL

    waking.wake_inbox_worker()

    message = broker.SimpleQueue("callbacks").get(timeout=5)
    message.ack()
    assert message.headers["task"] == "scrm.channels.tasks.wake_inbox"


def test_calls_are_counted_in_redis() -> None:
    assert counters.count(lambda storage: isinstance(storage, RedisStorage))


def test_redis_holds_what_is_cached() -> None:
    cache.set("services", "here", timeout=60)

    assert settings.CACHES["default"]["LOCATION"] == os.environ["SCRM_CACHE_URL"]
    assert cache.get("services") == "here"


def test_rows_are_on_the_given_server(corp: Corp) -> None:
    assert connection.settings_dict["NAME"].startswith("test_")
    assert str(connection.settings_dict["PORT"]) in os.environ["SCRM_DATABASE_URL"]
