"""Everybody in turn: no corp and no kind of operation waits for another's hundred thousand."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from scrm.channels.actions.claiming import CLAIM, Lane, claim_due
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.kinds import kind_names
from scrm.channels.models import EndpointPause, Operation
from scrm.channels.operations import CANCEL_MASS_MESSAGE, CHANGE_REMARK, TAG_CUSTOMER
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp

Priority = Operation.Priority


def wish(
    corp: Corp, kind: str, count: int, *, priority: Priority = Priority.BULK, serial_key: str = ""
) -> None:
    first = Operation.objects.count()
    wishes = [Wish(f"k{first + number}", {}, serial_key) for number in range(count)]
    enqueue_operations(kind, corp=corp, wishes=wishes, now=NOW, priority=priority)


def test_gives_every_corp_its_turn(corp: Corp) -> None:
    late = make_corp()
    wish(corp, TAG_CUSTOMER, 100)
    wish(late, TAG_CUSTOMER, 5)

    batch = claim_due(now=NOW, at_most=10)

    assert Counter(one.corp_id for one in batch) == {corp.pk: 5, late.pk: 5}


def test_gives_a_corp_with_many_kinds_no_more_than_others(corp: Corp) -> None:
    other = make_corp()
    for kind in (TAG_CUSTOMER, CHANGE_REMARK, CANCEL_MASS_MESSAGE):
        wish(corp, kind, 20)
    wish(other, TAG_CUSTOMER, 20)

    batch = claim_due(now=NOW, at_most=12)

    assert Counter(one.corp_id for one in batch) == {corp.pk: 6, other.pk: 6}
    assert {one.kind for one in batch if one.corp_id == corp.pk} == {
        TAG_CUSTOMER, CHANGE_REMARK, CANCEL_MASS_MESSAGE,
    }  # fmt: skip


def test_takes_welcomes_before_clicks_before_bulk(corp: Corp) -> None:
    wish(corp, TAG_CUSTOMER, 20)
    wish(corp, CHANGE_REMARK, 2, priority=Priority.CLICK)
    wish(corp, CANCEL_MASS_MESSAGE, 1, priority=Priority.WELCOME)

    batch = claim_due(now=NOW, at_most=4)

    assert [one.priority for one in batch] == [0, 10, 10, 20]


def test_takes_of_a_serial_queue_its_head_only(corp: Corp) -> None:
    wish(corp, TAG_CUSTOMER, 5, serial_key="s")
    wish(corp, TAG_CUSTOMER, 1)

    assert len(claim_due(now=NOW, at_most=10)) == 2
    assert claim_due(now=NOW, at_most=10) == []


def test_passes_over_what_is_paused_held_back_or_not_due(corp: Corp) -> None:
    for kind in (TAG_CUSTOMER, CHANGE_REMARK, CANCEL_MASS_MESSAGE):
        wish(corp, kind, 2)
    until = NOW + timedelta(seconds=9)
    EndpointPause.objects.create(corp=corp, kind=TAG_CUSTOMER, until=until)
    held_back = {Lane(corp.pk, CHANGE_REMARK, Priority.BULK): until}
    Operation.objects.filter(idempotency_key="k5").update(next_attempt_at=until)

    claimed = claim_due(now=NOW, at_most=10, held_back=held_back)

    assert [one.idempotency_key for one in claimed] == ["k4"]
    assert len(claim_due(now=until, at_most=10, held_back=held_back)) == 5


def test_leaves_kinds_nobody_registered(corp: Corp) -> None:
    wish(corp, "of_a_newer_version", 1)

    assert claim_due(now=NOW, at_most=10) == []


@pytest.mark.parametrize("waiting", [5_000, 50_000])
def test_reads_as_few_rows_however_many_wait(corp: Corp, waiting: int) -> None:
    other = make_corp()
    wish(other, CHANGE_REMARK, 3)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [corp.pk, TAG_CUSTOMER, NOW, NOW, waiting])
        cursor.execute("ANALYZE channels_operation")

    plan = explain(at_most=10)

    assert "Seq Scan on channels_operation" not in plan
    assert sum(rows_of(plan)) < 1500
    assert len(claim_due(now=NOW, at_most=10)) == 10


_MANY = """
    INSERT INTO channels_operation (corp_id, kind, idempotency_key, serial_key, priority, payload,
        status, attempts, next_attempt_at, result, error, created_at)
    SELECT %s, %s, 'many' || n, 'serial' || n %% 1000, 20, '{}', 'pending', 0, %s, '{}', '', %s
    FROM generate_series(1, %s) AS n"""


def explain(*, at_most: int) -> str:
    params: dict[str, Any] = {
        "held_corps": [], "held_kinds": [], "held_priorities": [],
        "now": NOW, "lease": NOW, "kinds": kind_names(), "batched": [],
        "at_most": at_most, "seen": at_most * 4,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT explained")
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {CLAIM}", params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("ROLLBACK TO explained")
    return plan


def rows_of(plan: str) -> list[float]:
    """Rows that each scan of the table gave or threw away, over all its loops."""
    counts = []
    for line in plan.splitlines():
        if "channels_operation" in line and "actual rows=" in line:
            rows, loops = line.split("actual rows=")[1].split(")")[0].split(" loops=")
            counts.append(float(rows) * float(loops))
        elif "Rows Removed by Filter" in line:
            counts.append(float(line.rsplit(":", 1)[1]))
    return counts
