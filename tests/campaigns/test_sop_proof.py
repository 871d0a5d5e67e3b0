"""Thirty days, five hundred customers, two outages: everything once, or missed for a reason."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from campaigns.actions.sops import dispatching
from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.triggers import enrol_from_facts
from campaigns.models import Campaign, Enrolment, Recipient, Sop, StepRun
from customers.actions.tagging import tag_customers
from customers.models import Customer
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Operation
from scrm.jobs.actions.running import run_due_jobs
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.server import SandboxServer
from tests.campaigns.sops import make_sop, message, tick
from tests.factories import NOW, connect_to, make_corp, make_customer, make_staff, make_tag

DAYS, CUSTOMERS = 30, 500
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Midnight in New York of the day that follows NOW; clocks there are put back on 1 November and
# forward in March, so the run of days begins in October.
START = datetime(2026, 10, 12, 16, tzinfo=UTC)
SHORT = (START + 9 * DAY + 20 * HOUR, START + 9 * DAY + 26 * HOUR)
LONG = (START + 19 * DAY + 2 * HOUR, START + 22 * DAY + 2 * HOUR)


@pytest.fixture
def large_sandbox() -> Iterator[SandboxServer]:
    clock = VirtualClock(start=START.timestamp())
    world = build_world(1, staff=10, customers=CUSTOMERS, groups=0, clock=clock)
    with SandboxServer(world) as server:
        yield server


def beats() -> Iterator[datetime]:
    """When beat fires: every four hours, around each due time, and more often after an outage."""
    for day in range(DAYS + 3):
        for hours in range(0, 24, 4):
            yield START + day * DAY + hours * HOUR
        # 10:00 in New York is 14:00 or, once clocks are put back, 15:00 UTC.
        yield START + day * DAY + 22 * HOUR + timedelta(minutes=1)
        yield START + day * DAY + 23 * HOUR + timedelta(minutes=1)
    for minutes in (5, 16, 27, 38):
        yield LONG[1] + timedelta(minutes=minutes)


def is_down(now: datetime) -> bool:
    return any(start <= now < end for start, end in (SHORT, LONG))


@pytest.mark.slow
# In one transaction PostgreSQL keeps every version of every row: queues get slower with each tick.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy", ["skip", "catch_up"])
def test_thirty_days_with_outages(large_sandbox: SandboxServer, policy: str) -> None:
    corp = connect_to(large_sandbox)
    corp.time_zone = "America/New_York"
    corp.save(update_fields=["time_zone"])
    start_sync(corp, now=START)
    run_due_jobs(clock=lambda: START)
    newborn = make_tag(corp)
    steps = [message(f"Day {day}", days=day, at="10:00") for day in range(1, DAYS + 1)]
    trigger = {"type": "tag_added", "tag": newborn.pk}
    sop = make_sop(corp, steps, now=START, trigger=trigger, late_policy=policy)
    tag_customers(
        Customer.objects.for_corp(corp), corp=corp, actor=SYSTEM, now=START, add=[newborn]
    )

    for now in sorted(beats()):
        if not is_down(now):
            large_sandbox.clock.set(max(now.timestamp(), large_sandbox.clock.now()))
            tick(now=now)

    lost = set(due_in_outages()) if policy == "skip" else set()
    # Six hours miss one day, three days three.
    assert len(set(due_in_outages())) == 4
    counts = Counter(StepRun.objects.values_list("step__action__content", "status", "reason"))
    assert counts == {
        (text, "missed", "too_late") if text in lost else (text, "done", ""): CUSTOMERS
        for text in (f"Day {day}" for day in range(1, DAYS + 1))
    }
    assert_the_platform_agrees(large_sandbox, counts)
    assert Enrolment.objects.filter(sop=sop, status="finished").count() == CUSTOMERS


def due_in_outages() -> Iterator[str]:
    for step in StepRun.objects.values_list("step__action__content", "due_at").distinct():
        if is_down(step[1]):
            yield step[0]


def assert_the_platform_agrees(
    sandbox: SandboxServer, counts: Counter[tuple[str, str, str]]
) -> None:
    """Who was asked which text, by the platform's own ledger: each once, and nobody else."""
    asked = Counter(
        (mass.text, recipient)
        for mass in sandbox.world.messages.values()
        for recipient in mass.recipients
    )
    assert set(asked.values()) == {1}
    by_text = Counter(text for text, _recipient in asked)
    assert by_text == {text: n for (text, status, _reason), n in counts.items() if status == "done"}
    # Staff confirm one message a day each.
    assert (
        len(sandbox.world.messages)
        == len(by_text) * Recipient.objects.values("staff").distinct().count()
    )


def run_together(*works: Callable[[], None]) -> None:
    workers = [Thread(target=work) for work in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_workers_share_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "BATCH", 20)
    corp = make_corp()
    staff = [make_staff(corp) for _ in range(4)]
    vip = make_tag(corp)
    trigger = {"type": "tag_added", "tag": vip.pk}
    make_sop(corp, [message("A"), message("B")], now=NOW, trigger=trigger)
    customers = [make_customer(corp, staff=staff[n % 4]) for n in range(150)]
    tag_customers(customers, corp=corp, actor=SYSTEM, now=NOW, add=[vip])
    barrier = Barrier(2)

    def work() -> None:
        barrier.wait()
        try:
            enrol_from_facts(now=NOW)
            for seconds in range(4):
                run_due_steps(now=NOW + timedelta(seconds=seconds))
        finally:
            connection.close()

    run_together(work, work)
    run_due_steps(now=NOW + timedelta(minutes=5))

    assert Enrolment.objects.count() == 150
    told = Counter(Recipient.objects.values_list("campaign__content", "customer"))
    assert len(told) == 300
    assert set(told.values()) == {1}
    assert not StepRun.objects.filter(taken_at__isnull=True).exists()
    assert not Campaign.objects.filter(planned_at__isnull=True).exists()
    in_requests = sum(len(each.payload["external_userids"]) for each in Operation.objects.all())
    assert in_requests == 300
    assert Sop.objects.count() == 1
