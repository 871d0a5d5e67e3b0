"""A handover whose worker is killed in the middle: everybody is asked for once."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from customers.actions.handover.executing import execute_plan
from customers.actions.handover.sending import send_due_items
from customers.models import HandoverItem, HandoverPlan
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.models import ApiWindow, Operation, Refresh
from scrm.jobs.actions.running import run_due_jobs
from scrm.sandbox.server import SandboxServer
from tests.channels.processes import PATIENCE, start_python
from tests.customers.handovers import busiest, plan_of, run_rounds, statuses
from tests.embedded_plugin import forget_redis
from tests.factories import NOW, connect_to

pytestmark = [
    pytest.mark.slow,
    pytest.mark.concurrency,
    pytest.mark.django_db(transaction=True),
]

ASKING = "externalcontact/resigned/transfer_customer"
WORK = """
from scrm.channels.actions.outbox import run_due_operations
run_due_operations(now=datetime.fromisoformat(arguments[0]))
"""
SEND = """
from customers.actions.handover import sending
def die(*_, **__):
    import os
    os.kill(os.getpid(), 9)
sending.update_progress = die
sending.send_due_items(now=datetime.fromisoformat(arguments[0]))
"""


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "It did not come to be in time."
        time.sleep(0.01)


def executed_plan(sandbox: SandboxServer) -> HandoverPlan:
    """Of the busiest member of staff, who has left, to the next three."""
    corp = connect_to(sandbox)
    start_sync(corp, now=NOW)
    run_due_jobs(clock=lambda: NOW)
    leaver, *takers = busiest(corp)[:4]
    sandbox.people.member_leaves(leaver.userid)
    request_refresh(Refresh.Kind.STAFF, corp=corp, now=NOW)
    run_rounds(NOW, rounds=2)
    plan = plan_of(corp, leaver, *takers, now=NOW)
    execute_plan(plan, actor=SYSTEM, now=NOW)
    return plan


def test_killed_while_it_asks(sandbox: SandboxServer) -> None:
    plan = executed_plan(sandbox)

    # Killed between the requests and their commit: nothing has left.
    worker = start_python(SEND, NOW.isoformat())
    _output, errors = worker.communicate()
    assert worker.returncode == -9, errors
    assert set(statuses(plan)) == {HandoverItem.Status.PLANNED}
    assert not Operation.objects.exists()

    # Killed while the platform is at it: the answer has no reader.
    send_due_items(now=NOW)
    sandbox.faults.delay(ASKING, 1)
    worker = start_python(WORK, NOW.isoformat())
    wait_until(lambda: len(sandbox.entries("fault.delay")) > 0)
    worker.kill()
    worker.communicate()
    wait_until(lambda: sandbox.calls().get(ASKING) == 1)
    assert Operation.objects.filter(status="in_flight").exists()

    # Half a minute passes, for the places and records that the dead worker held as well.
    ApiWindow.objects.all().delete()
    forget_redis()
    now = run_rounds(NOW + timedelta(seconds=31), rounds=8)
    sandbox.clock.advance(timedelta(hours=25).total_seconds())
    run_rounds(now + timedelta(hours=25))

    asked = Counter(entry.data["external_userid"] for entry in sandbox.entries("handover.asked"))
    assert set(asked.values()) == {1}
    assert len(asked) == plan.items.of_customers().count()
    assert set(statuses(plan)) == {HandoverItem.Status.SUCCEEDED}
    assert sandbox.handover(plan.from_staff.userid)["asked_more_than_once"] == 0
