"""Workers as processes: several at once, and one that is killed while it asks."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.base import MassMessage
from scrm.channels.models import Operation
from scrm.channels.operations import ASK_MASS_MESSAGE, payload_of
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.processes import PATIENCE, finish, start_python
from tests.factories import NOW, connect_to

pytestmark = [
    pytest.mark.slow,
    pytest.mark.concurrency,
    pytest.mark.django_db(transaction=True),
]

PATH = "externalcontact/add_msg_template"
WORK = """
from scrm.channels import kinds
kinds._listeners.clear()  # the campaigns', whose keys these are not
from scrm.channels.actions.outbox import run_due_operations
# Until nothing is left: on a busy machine one run ends before its work.
while run_due_operations(now=datetime.fromisoformat(arguments[0])):
    pass
"""


@pytest.fixture
def connected(sandbox: SandboxServer) -> Corp:
    return connect_to(sandbox)


def wish_for_all(corp: Corp, sandbox: SandboxServer) -> int:
    """One operation for each customer, asked of the first member who follows them."""
    sender_of: dict[str, str] = {}
    with sandbox.world.lock:
        for relation in sandbox.world.relations():
            if sandbox.world.is_shown(relation):
                sender_of.setdefault(relation.external_userid, relation.userid)
    wishes = [
        Wish(customer, payload_of(MassMessage(sender, (customer,), "Good morning")))
        for customer, sender in sender_of.items()
    ]
    enqueue_operations(ASK_MASS_MESSAGE, corp=corp, wishes=wishes, now=NOW)
    return len(wishes)


def work(now: datetime) -> None:
    finish(start_python(WORK, now.isoformat()))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "It did not come to be in time."
        time.sleep(0.01)


def assert_each_asked_once(sandbox: SandboxServer, count: int) -> None:
    assert set(Operation.objects.values_list("status", flat=True)) == {"succeeded"}
    assert sandbox.summary()["asked_more_than_once"] == []
    assert sandbox.campaign()["asked"] == count
    msgids = {operation.result["msgid"] for operation in Operation.objects.all()}
    assert msgids == set(sandbox.world.messages)


def test_lets_workers_share_the_work(connected: Corp, sandbox: SandboxServer) -> None:
    count = wish_for_all(connected, sandbox)

    for worker in [start_python(WORK, NOW.isoformat()) for _ in range(3)]:
        finish(worker)

    assert_each_asked_once(sandbox, count)
    assert sandbox.calls()[PATH] == count


class Gate:
    """Stands in for the sandbox's clock of delays: a delay of a second ends when it is opened."""

    def __init__(self) -> None:
        self.is_reached, self.is_open = threading.Event(), threading.Event()

    def sleep(self, seconds: float) -> None:
        if seconds == 1:
            self.is_reached.set()
            assert self.is_open.wait(PATIENCE)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr("scrm.sandbox.gate.time", gate)
    return gate


@pytest.mark.parametrize("asked_before", [0, 1, 12])
def test_asks_everybody_once_although_a_worker_is_killed(
    connected: Corp, sandbox: SandboxServer, gate: Gate, asked_before: int
) -> None:
    count = wish_for_all(connected, sandbox)
    if asked_before:
        sandbox.faults.delay(PATH, 0, times=asked_before)
    sandbox.faults.delay(PATH, 1)
    worker = start_python(WORK, NOW.isoformat())
    assert gate.is_reached.wait(PATIENCE)

    worker.kill()
    worker.communicate()
    # The platform goes on with the request of the dead, which nobody waits for any more.
    gate.is_open.set()
    wait_until(lambda: sandbox.calls().get(PATH) == asked_before + 1)
    assert Operation.objects.filter(status="in_flight").exists()
    # The dead claimed by its own clock, so the lease ends some time after NOW and its length.
    work(NOW + timedelta(minutes=5))

    assert_each_asked_once(sandbox, count)
