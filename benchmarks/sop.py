"""The tick of SOPs: due steps claimed, judged and asked, beside the bare claim and INSERT.

`--customers` is the number of enrolments; a tenth of them has a message due.
"""

import statistics
import time
from datetime import datetime, timedelta
from typing import Any

from benchmarks.harness import Case, execute, run, scale_corp

IDLE_TICKS = 21


def prepare(customers: int) -> Case:
    from django.utils import timezone

    from campaigns.actions.sops import dispatching

    corp, now = scale_corp(customers), timezone.now()
    sop, campaign = _make_sop(corp, now)
    _enrol(corp, sop, now)

    def reset() -> None:
        execute("DELETE FROM campaigns_recipient WHERE corp_id = %s", [corp.pk])
        execute(_UNTAKE, [corp.pk])
        execute("DELETE FROM campaigns_task WHERE corp_id = %s", [corp.pk])
        execute("DELETE FROM channels_operation WHERE corp_id = %s", [corp.pk])
        execute(
            "DELETE FROM campaigns_campaign WHERE corp_id = %s AND id <> %s", [corp.pk, campaign.pk]
        )
        for table in ("recipient", "steprun", "enrolment", "task", "campaign"):
            execute(f"VACUUM ANALYZE campaigns_{table}")

    def ours() -> None:
        # A run of the tick works for some seconds; as many as it takes.
        while dispatching.run_due_steps(now=now):
            pass

    def limit() -> None:
        while _claim_and_insert(corp, campaign, now, dispatching.BATCH):
            pass

    reset()
    case = Case(limit, ours, reset=reset)
    case.notes["due"] = _count_due(corp, now)
    case.notes["idle_ms"] = _idle(dispatching.run_due_steps, now - timedelta(hours=1))
    return case


def _make_sop(corp: Any, now: datetime) -> tuple[Any, Any]:
    from campaigns.models import Campaign, Sop, Step

    for table in ("recipient", "task", "steprun", "enrolment"):
        execute(f"DELETE FROM campaigns_{table} WHERE corp_id = %s", [corp.pk])  # noqa: S608
    Campaign.objects.for_corp(corp).delete()
    Sop.objects.for_corp(corp).delete()
    sop = Sop.objects.create(
        corp=corp, name="Benchmark", trigger={"type": "manual"}, status="active",
        activated_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    action = {"kind": "message", "content": "Hello", "attachments": []}
    Step.objects.create(sop=sop, position=0, action=action)
    campaign = Campaign.objects.create(corp=corp, name="Bare", content="Hello", created_at=now)
    return sop, campaign


def _enrol(corp: Any, sop: Any, now: datetime) -> None:
    execute(_ENROL, [corp.pk, sop.pk, now, now, corp.pk])
    execute(_PLAN, [corp.pk, now, now, sop.pk])


_ENROL = """
    INSERT INTO campaigns_enrolment
        (corp_id, sop_id, customer_id, anchor, trigger, status, reason, created_by, created_at)
    SELECT %s, %s, id, %s, 'manual', 'active', '', '', %s FROM customers_customer
    WHERE corp_id = %s"""
# Every tenth is due, a few minutes ago; the others are in the days to come.
_PLAN = """
    INSERT INTO campaigns_steprun
        (corp_id, enrolment_id, step_id, due_at, look_at, status, reason, detail)
    SELECT %s, p.id, p.step_id, p.due_at, p.due_at, 'pending', '', '' FROM (
        SELECT e.id, s.id AS step_id, CASE WHEN e.id %% 10 = 0
            THEN %s::timestamptz - interval '1 minute' * (e.id %% 30)
            ELSE %s::timestamptz + interval '1 minute' * (e.id %% 40000) END AS due_at
        FROM campaigns_enrolment e JOIN campaigns_step s ON s.sop_id = e.sop_id
        WHERE e.sop_id = %s
    ) AS p"""
_UNTAKE = """
    UPDATE campaigns_steprun SET taken_at = NULL, campaign_id = NULL, staff_id = NULL,
        status = 'pending', reason = '', settled_at = NULL
    WHERE corp_id = %s AND (taken_at IS NOT NULL OR status <> 'pending')"""


def _claim_and_insert(corp: Any, campaign: Any, now: datetime, batch: int) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_BARE, [now, batch, now, campaign.pk, corp.pk, campaign.pk])
        return bool(cursor.rowcount)


# The same rows, each through the one who follows; no reason, no rule, nobody left out but the lost.
_BARE = """
    WITH due AS (
        SELECT id FROM campaigns_steprun
        WHERE status = 'pending' AND taken_at IS NULL AND look_at <= %s
        ORDER BY look_at, id LIMIT %s FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE campaigns_steprun r SET taken_at = %s, campaign_id = %s FROM due
        WHERE r.id = due.id RETURNING r.enrolment_id
    )
    INSERT INTO campaigns_recipient (corp_id, campaign_id, customer_id, staff_id, status, reason)
    SELECT %s, %s, e.customer_id, f.staff_id, 'planned', ''
    FROM taken JOIN campaigns_enrolment e ON e.id = taken.enrolment_id
    JOIN customers_follow f ON f.corp_id = e.corp_id AND f.customer_id = e.customer_id
        AND f.status = 'live'"""


def _count_due(corp: Any, now: datetime) -> int:
    from campaigns.models import StepRun

    return StepRun.objects.for_corp(corp).due(now).count()


def _idle(tick: Any, now: datetime) -> float:
    """What a run of the tick takes that finds nothing due, in milliseconds."""
    taken = []
    for _ in range(IDLE_TICKS):
        started = time.perf_counter()
        tick(now=now)
        taken.append(time.perf_counter() - started)
    return round(statistics.median(taken) * 1000, 2)


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    return {"of_limit": limit / ours}


if __name__ == "__main__":
    run("sop", prepare, ratios)
