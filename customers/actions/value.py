"""What customers are worth: recency, frequency and money out of their orders, every night.

R is the whole local days since the last paid order, F the paid orders of the last 365 days, M
what was paid for them less what was given back. Orders count by `paid_at`, whatever became of
them since; who has never paid for one has no row (`ValueClass.NON_BUYER`).

Scores go from 1 to 5 (best). By fifths: as NTILE(5) over all buyers of the corp, the best first
(the fewest days, the most orders, the most money); who ties with others gets the score of the
best placed of them. With a number of buyers that five does not divide, the better fifths are the
larger ones; of fewer than five the worst is left out. By thresholds: a recency of at most the
first, second … number of days scores 5, 4 …, beyond the fourth 1; orders or fen of at least the
fourth number score 5, of at least the third 4, below the first 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers.models import Order, ValueClass, ValueSettings
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

COMPUTING = "value.compute"
WINDOW = timedelta(days=365)
# From this score on R, F or M is high.
HIGH = 4
# Before stage rules, tag rules and snapshots, which ask for it.
_NIGHTLY_HOURS = range(2, 8)
_NIGHTLY_EVERY = timedelta(hours=20)
_MOST = 2**31 - 1


@dataclass(frozen=True)
class Computed:
    """Buyers of the corp, of whom so many have other scores than before; and who is none now."""

    buyers: int
    changed: int
    gone: int


@dataclass(frozen=True)
class Scoring:
    """How to score; the thresholds are four ascending numbers each: days, orders, fen."""

    method: ValueSettings.Method
    recency: Sequence[int] = ()
    frequency: Sequence[int] = ()
    monetary: Sequence[int] = ()
    margin: Decimal = Decimal(1)


@transaction.atomic
def compute_values(corp: Corp, *, now: datetime) -> Computed:
    """Reckon everybody's value as of the local day of `now`, in one statement over the orders.

    A row of history is written for whose scores are not what they were before that day: at most
    one a day, the last reckoning of a day counts. Who has no order any more loses the row.
    """
    settings = ValueSettings.objects.filter(corp=corp).first() or ValueSettings(corp=corp)
    is_fixed = settings.method == ValueSettings.Method.FIXED
    given = {
        "corp": corp.pk,
        "now": now,
        "since": now - WINDOW,
        "today": now.astimezone(corp.zone).date(),
        "zone": str(corp.zone),
        "recency": settings.recency,
        "frequency": settings.frequency,
        "monetary": settings.monetary,
        "high": HIGH,
        "non_buyer": ValueClass.NON_BUYER,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COMPUTE.format(scores=_FIXED if is_fixed else _FIFTHS), given)
        buyers, gone = cursor.fetchone()
        # A second reckoning on one day may have found the scores of the day before again.
        cursor.execute(_FORGET_RETURNED, given)
        cursor.execute(
            "SELECT count(*) FROM customers_valuechange"
            " WHERE corp_id = %(corp)s AND day = %(today)s AND value_class <> %(non_buyer)s",
            given,
        )
        changed = cursor.fetchone()[0]
    return Computed(buyers, changed, gone)


@transaction.atomic
def save_value_settings(
    scoring: Scoring, *, corp: Corp, actor: Actor, now: datetime
) -> ValueSettings:
    """Say how to score from the next reckoning on; raises InvalidInput for useless thresholds."""
    problems = []
    if scoring.method == ValueSettings.Method.FIXED:
        problems += [
            FieldProblem(f"/{name}", "invalid", _("Give four ascending whole numbers."))
            for name in ("recency", "frequency", "monetary")
            if not _are_thresholds(getattr(scoring, name))
        ]
    if not 0 <= scoring.margin <= 1:
        problems.append(FieldProblem("/margin", "invalid", _("A margin is between 0 and 1.")))
    if problems:
        text = " ".join(dict.fromkeys(problem.message for problem in problems))
        raise InvalidInput(text, errors=tuple(problems))
    told: dict[str, Any] = {
        "method": scoring.method,
        "recency": list(scoring.recency),
        "frequency": list(scoring.frequency),
        "monetary": list(scoring.monetary),
        "margin": scoring.margin,
    }
    saved, _is_new = ValueSettings.objects.update_or_create(corp=corp, defaults=told)
    data = told | {"margin": str(scoring.margin)}
    record("value.settings_changed", actor=actor, corp=corp, subject=saved, now=now, data=data)
    return saved


def typical_cycle(corp: Corp) -> float | None:
    """The median of the buyers' own days between orders; None while nobody has bought twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY cycle_days)"
            " FROM customers_customervalue WHERE corp_id = %s AND cycle_days > 0",
            [corp.pk],
        )
        median = cursor.fetchone()[0]
    return None if median is None else float(median)


def start_computing(corp: Corp, *, now: datetime) -> Job:
    """Reckon everybody's value now; done by a job."""
    return start_job(COMPUTING, corp=corp, now=now)


def start_nightly_computing(*, now: datetime) -> int:
    """Start it for every corp with orders whose night it is and whose last one is a day old."""
    started = 0
    for corp in Corp.objects.order_by("pk"):
        if now.astimezone(corp.zone).hour not in _NIGHTLY_HOURS:
            continue
        runs = Job.objects.for_corp(corp).filter(
            kind=COMPUTING, created_at__gt=now - _NIGHTLY_EVERY
        )
        if not runs.exists() and Order.objects.for_corp(corp).exists():
            start_computing(corp, now=now)
            started += 1
    return started


def register_jobs() -> None:
    register_job(COMPUTING, _run)


def _run(job: Job, clock: Callable[[], datetime]) -> Outcome:
    return Outcome(asdict(compute_values(job.corp, now=clock())))


def _are_thresholds(numbers: Sequence[int]) -> bool:
    ascending = list(numbers) == sorted(set(numbers))
    return len(numbers) == 4 and ascending and numbers[0] >= 0 and numbers[-1] <= _MOST


# The place among the buyers, the best first, and which fifth that place is in.
_FIFTH = """
        5 - CASE WHEN {place} <= mod(n, 5) * (n / 5 + 1) THEN ({place} - 1) / (n / 5 + 1)
            ELSE mod(n, 5) + ({place} - 1 - mod(n, 5) * (n / 5 + 1)) / (n / 5) END AS {score}"""
_FIFTHS = f"""
    SELECT placed.*, {_FIFTH.format(place="at_r", score="r")},
        {_FIFTH.format(place="at_f", score="f")}, {_FIFTH.format(place="at_m", score="m")}
    FROM (
        SELECT buyers.*, count(*) OVER () AS n, rank() OVER (ORDER BY recency) AS at_r,
            rank() OVER (ORDER BY frequency DESC) AS at_f,
            rank() OVER (ORDER BY monetary DESC) AS at_m
        FROM buyers
    ) placed"""  # noqa: S608

# width_bucket: how many of the thresholds are at most the number.
_FIXED = """
    SELECT buyers.*, 5 - width_bucket(recency - 1, %(recency)s::int[]) AS r,
        1 + width_bucket(frequency::bigint, %(frequency)s::bigint[]) AS f,
        1 + width_bucket(monetary, %(monetary)s::bigint[]) AS m
    FROM buyers"""

_COMPUTE = """
    WITH bought AS MATERIALIZED (
        SELECT customer_id, paid_at, (paid_at AT TIME ZONE %(zone)s)::date AS day,
            amount_fen - refunded_fen AS kept
        FROM customers_order
        WHERE corp_id = %(corp)s AND customer_id IS NOT NULL AND paid_at <= %(now)s
    ), cycles AS (
        SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS days
        FROM (
            SELECT customer_id, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS days
            FROM bought
        ) gaps
        WHERE days IS NOT NULL GROUP BY customer_id
    ), buyers AS MATERIALIZED (
        SELECT customer_id, min(paid_at) AS first, max(paid_at) AS last,
            %(today)s::date - max(day) AS recency,
            count(*) FILTER (WHERE paid_at > %(since)s) AS frequency,
            COALESCE(sum(kept) FILTER (WHERE paid_at > %(since)s), 0)::bigint AS monetary,
            count(*) AS orders, sum(kept)::bigint AS fen
        FROM bought GROUP BY customer_id
    ), scores AS ({scores}
    ), scored AS MATERIALIZED (
        SELECT scores.*, CASE (r >= %(high)s, f >= %(high)s, m >= %(high)s)
            WHEN (true, true, true) THEN 'important_value'
            WHEN (true, false, true) THEN 'important_develop'
            WHEN (false, true, true) THEN 'important_keep'
            WHEN (false, false, true) THEN 'important_retain'
            WHEN (true, true, false) THEN 'general_value'
            WHEN (true, false, false) THEN 'general_develop'
            WHEN (false, true, false) THEN 'general_keep'
            ELSE 'general_retain' END AS class
        FROM scores
    ), gone AS (
        DELETE FROM customers_customervalue v WHERE v.corp_id = %(corp)s
          AND NOT EXISTS (SELECT FROM scored s WHERE s.customer_id = v.customer_id)
        RETURNING v.customer_id
    ), noted AS (
        INSERT INTO customers_valuechange AS c (corp_id, customer_id, day, r, f, m, value_class)
        SELECT %(corp)s, s.customer_id, %(today)s, s.r, s.f, s.m, s.class
        FROM scored s LEFT JOIN customers_customervalue v ON v.customer_id = s.customer_id
        WHERE (s.r, s.f, s.m, s.class) IS DISTINCT FROM (v.r, v.f, v.m, v.value_class)
        UNION ALL
        SELECT %(corp)s, customer_id, %(today)s, 0, 0, 0, %(non_buyer)s FROM gone
        ON CONFLICT (customer_id, day) DO UPDATE
        SET r = excluded.r, f = excluded.f, m = excluded.m, value_class = excluded.value_class
    ), written AS (
        INSERT INTO customers_customervalue AS v (customer_id, corp_id, computed_on,
            first_order_at, last_order_at, recency_days, frequency, monetary_fen,
            lifetime_orders, lifetime_fen, cycle_days, r, f, m, value_class)
        SELECT s.customer_id, %(corp)s, %(today)s, s.first, s.last, s.recency, s.frequency,
            s.monetary, s.orders, s.fen, cycles.days, s.r, s.f, s.m, s.class
        FROM scored s LEFT JOIN cycles USING (customer_id)
        ORDER BY s.customer_id
        ON CONFLICT (customer_id) DO UPDATE SET computed_on = excluded.computed_on,
            first_order_at = excluded.first_order_at, last_order_at = excluded.last_order_at,
            recency_days = excluded.recency_days, frequency = excluded.frequency,
            monetary_fen = excluded.monetary_fen, lifetime_orders = excluded.lifetime_orders,
            lifetime_fen = excluded.lifetime_fen, cycle_days = excluded.cycle_days,
            r = excluded.r, f = excluded.f, m = excluded.m, value_class = excluded.value_class
    )
    SELECT (SELECT count(*) FROM scored), (SELECT count(*) FROM gone)
"""

_FORGET_RETURNED = """
    DELETE FROM customers_valuechange c WHERE c.corp_id = %(corp)s AND c.day = %(today)s
      AND (c.r, c.f, c.m, c.value_class) = (
        SELECT p.r, p.f, p.m, p.value_class FROM customers_valuechange p
        WHERE p.customer_id = c.customer_id AND p.day < c.day ORDER BY p.day DESC LIMIT 1
    )
"""
