"""Recency, frequency and money: the SQL against pandas, its history, and who is about to leave."""

import os
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from customers.actions.value import (
    COMPUTING,
    Scoring,
    compute_values,
    save_value_settings,
    start_nightly_computing,
    typical_cycle,
)
from customers.models import Customer, CustomerValue, Order, ValueChange, ValueSettings
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp, make_customer, make_order

SHANGHAI = ZoneInfo("Asia/Shanghai")
# A real purchase history, beside the checkout or where the variable says.
CDNOW = (
    Path(os.environ.get("SCRM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    / "cdnow_purchases.csv"
)
COLUMNS = [
    "recency_days",
    "frequency",
    "monetary_fen",
    "lifetime_orders",
    "lifetime_fen",
    "cycle_days",
    "r",
    "f",
    "m",
    "value_class",
]
FIXED = Scoring(
    ValueSettings.Method.FIXED,
    recency=(15, 30, 60, 90),
    frequency=(1, 2, 4, 8),
    monetary=(1, 10_000, 50_000, 200_000),
)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def buy(customer: Customer, *days: float, **fields: Any) -> None:
    for each in days:
        make_order(customer.corp, customer=customer, paid_at=days_ago(each), **fields)


def value_of(customer: Customer) -> CustomerValue:
    return CustomerValue.objects.get(pk=customer.pk)


def scores_of(customer: Customer) -> tuple[int, int, int]:
    value = value_of(customer)
    return value.r, value.f, value.m


# --- the same in pandas --------------------------------------------------------------------------


def fifths(numbers: "pd.Series[Any]", *, best_is_low: bool) -> "pd.Series[Any]":
    """NTILE(5), the best first, as numpy splits; who ties gets the best score of those."""
    ordered = numbers.sort_values(ascending=best_is_low, kind="stable")
    tiles = [np.full(len(part), 5 - at) for at, part in enumerate(np.array_split(ordered, 5))]
    scores = pd.Series(np.concatenate(tiles), index=ordered.index)
    return scores.groupby(numbers).transform("max").astype(int)


def steps(numbers: "pd.Series[Any]", limits: Iterable[int]) -> "pd.Series[Any]":
    return sum(((numbers >= limit).astype(int) for limit in limits), start=numbers * 0 + 1)


def in_pandas(
    orders: pd.DataFrame, *, now: datetime, scoring: Scoring | None = None
) -> pd.DataFrame:
    """`orders` has customer, paid_at (UTC) and kept (fen)."""
    paid = orders[orders.paid_at <= now].sort_values("paid_at", kind="stable")
    days = paid.paid_at.dt.tz_convert(SHANGHAI).dt.tz_localize(None).dt.normalize()
    paid = paid.assign(day=days)
    today = pd.Timestamp(now.astimezone(SHANGHAI).date())
    whole = paid.groupby("customer")
    recent = paid[paid.paid_at > now - timedelta(days=365)].groupby("customer")
    table = pd.DataFrame({"recency_days": (today - whole.day.max()).dt.days})
    table["frequency"] = recent.size().reindex(table.index, fill_value=0)
    table["monetary_fen"] = recent.kept.sum().reindex(table.index, fill_value=0)
    table["lifetime_orders"] = whole.size()
    table["lifetime_fen"] = whole.kept.sum()
    table["cycle_days"] = whole.day.diff().dt.days.groupby(paid.customer).median()
    if scoring is None:
        table["r"] = fifths(table.recency_days, best_is_low=True)
        table["f"] = fifths(table.frequency, best_is_low=False)
        table["m"] = fifths(table.monetary_fen, best_is_low=False)
    else:
        table["r"] = 7 - steps(table.recency_days, [-1, *(each + 1 for each in scoring.recency)])
        table["f"] = steps(table.frequency, scoring.frequency)
        table["m"] = steps(table.monetary_fen, scoring.monetary)
    names = {
        "111": "important_value", "101": "important_develop", "011": "important_keep",
        "001": "important_retain", "110": "general_value", "100": "general_develop",
        "010": "general_keep", "000": "general_retain",
    }  # fmt: skip
    high = (table[["r", "f", "m"]] >= 4).astype(int).astype(str)
    table["value_class"] = (high.r + high.f + high.m).map(names)
    return table[COLUMNS].sort_index()


def in_sql(corp: Corp) -> pd.DataFrame:
    rows = CustomerValue.objects.for_corp(corp).values_list("customer_id", *COLUMNS)
    table = pd.DataFrame(list(rows), columns=["customer", *COLUMNS])
    return table.set_index("customer").sort_index()


def assert_same(corp: Corp, orders: pd.DataFrame, *, now: datetime, **more: Any) -> None:
    pd.testing.assert_frame_equal(
        in_sql(corp), in_pandas(orders, now=now, **more), check_dtype=False, check_exact=True
    )


def push(corp: Corp, rows: list[tuple[int, datetime, int, int]]) -> pd.DataFrame:
    """Orders of (number of the customer, when, fen, fen given back), and the same as a table."""
    numbers = sorted({number for number, *_ in rows})
    made = Customer.objects.bulk_create(
        Customer(corp=corp, external_userid=f"wm{n}", created_at=NOW, updated_at=NOW)
        for n in numbers
    )
    pks = {number: customer.pk for number, customer in zip(numbers, made, strict=True)}
    Order.objects.bulk_create(
        Order(
            corp=corp,
            customer_id=pks[number],
            shop_id="shop",
            order_no=f"{at}",
            status=Order.Status.COMPLETED,
            amount_fen=fen,
            refunded_fen=back,
            paid_at=paid_at,
            changed_at=paid_at,
            received_at=NOW,
        )
        for at, (number, paid_at, fen, back) in enumerate(rows)
    )
    table = pd.DataFrame(
        [(pks[number], paid_at, fen - back) for number, paid_at, fen, back in rows],
        columns=["customer", "paid_at", "kept"],
    )
    table["paid_at"] = pd.to_datetime(table["paid_at"], utc=True)
    return table


@pytest.mark.parametrize("seed", range(12))
def test_the_sql_reckons_as_pandas_does(corp: Corp, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    # Few buyers and few amounts: fifths that do not come out even, and many ties.
    buyers = chance.choice([1, 2, 4, 5, 6, 9, 23, 60])
    fens = [chance.randrange(0, 300_000) for _ in range(chance.choice([2, 8, 100]))]
    rows = []
    for number in range(buyers):
        for _ in range(chance.choice([1, 1, 2, 3, 8])):
            fen = chance.choice(fens)
            at = NOW - timedelta(minutes=chance.randrange(-2 * 1440, 500 * 1440))
            rows.append((number, at, fen, chance.choice([0, 0, fen // 3, fen])))
    orders = push(corp, rows)

    compute_values(corp, now=NOW)
    assert_same(corp, orders, now=NOW)

    save_value_settings(FIXED, corp=corp, actor=SYSTEM, now=NOW)
    compute_values(corp, now=NOW)
    assert_same(corp, orders, now=NOW, scoring=FIXED)


def test_a_real_purchase_history_is_reckoned_as_pandas_does(
    corp: Corp, record_property: Any
) -> None:
    if not CDNOW.exists():
        pytest.skip("no cdnow_purchases.csv beside the checkout or in SCRM_SHARED_DATA")
    history = pd.read_csv(CDNOW)
    history = history[history.customer_id <= 7_000]
    fens = (history.amount_usd * 100).round().astype(int)
    noon = time(12, tzinfo=SHANGHAI)
    at = [datetime.combine(date.fromisoformat(day), noon).astimezone(UTC) for day in history.date]
    rows = list(zip(history.customer_id, at, fens, [0] * len(history), strict=True))
    orders = push(corp, rows)

    compute_values(corp, now=datetime(1997, 10, 1, 4, tzinfo=UTC))
    assert_same(corp, orders, now=datetime(1997, 10, 1, 4, tzinfo=UTC))
    computed = compute_values(corp, now=datetime(1998, 7, 1, 4, tzinfo=UTC))
    assert_same(corp, orders, now=datetime(1998, 7, 1, 4, tzinfo=UTC))
    record_property(
        "figures",
        f"CDNOW: {computed.buyers} buyers, {len(orders)} orders, {computed.changed} with other"
        f" scores after nine months, typical cycle {typical_cycle(corp)} days: as in pandas",
    )
    assert computed.buyers == history.customer_id.nunique() > 6_000


# --- what the figures mean -----------------------------------------------------------------------


def test_days_are_local_and_refunds_are_taken_off(corp: Corp) -> None:
    customer = make_customer(corp)
    # 00:30 on the 16th in China is still the 15th in UTC.
    at = datetime(2026, 11, 15, 16, 30, tzinfo=UTC)
    make_order(corp, customer=customer, paid_at=at, amount_fen=10_000, refunded_fen=2_500)
    buy(customer, 364, 366, amount_fen=1_000)
    make_order(corp, customer=customer, paid_at=None, status="closed", amount_fen=9)

    compute_values(corp, now=NOW)

    value = value_of(customer)
    assert (value.computed_on, value.recency_days) == (date(2026, 11, 18), 2)
    assert (value.frequency, value.monetary_fen) == (2, 8_500)
    assert (value.lifetime_orders, value.lifetime_fen) == (3, 9_500)
    assert value.cycle_days == (2 + 362) / 2


def test_ties_share_the_better_score(corp: Corp) -> None:
    customers = [make_customer(corp) for _ in range(5)]
    for customer, days in zip(customers, (1, 2, 2, 2, 3), strict=True):
        buy(customer, days)

    compute_values(corp, now=NOW)

    assert [scores_of(each)[0] for each in customers] == [5, 4, 4, 4, 1]
    # All bought once for the same amount.
    assert {scores_of(each)[1:] for each in customers} == {(5, 5)}


def test_who_never_paid_has_no_row_and_who_has_no_order_any_more_loses_it(corp: Corp) -> None:
    customer, other = make_customer(corp), make_customer(corp)
    make_order(corp, customer=other, paid_at=None, status="closed")
    buy(customer, 3)
    compute_values(corp, now=NOW)
    assert not CustomerValue.objects.filter(customer=other).exists()

    Order.objects.filter(customer=customer).update(customer=other)
    computed = compute_values(corp, now=NOW + timedelta(days=1))

    assert (computed.buyers, computed.gone) == (1, 1)
    assert not CustomerValue.objects.filter(customer=customer).exists()
    last = ValueChange.objects.filter(customer=customer).latest("day")
    assert (last.r, last.value_class) == (0, "non_buyer")


def test_history_has_a_row_for_every_change_and_one_a_day(corp: Corp) -> None:
    save_value_settings(FIXED, corp=corp, actor=SYSTEM, now=NOW)
    customer = make_customer(corp)
    buy(customer, 10, amount_fen=20_000)

    def days() -> list[tuple[int, tuple[int, int, int]]]:
        rows = ValueChange.objects.filter(customer=customer).order_by("day")
        return [((row.day - NOW.date()).days, (row.r, row.f, row.m)) for row in rows]

    for after in (0, 1, 5):
        compute_values(corp, now=NOW + timedelta(days=after))
    assert days() == [(0, (5, 2, 3))]
    compute_values(corp, now=NOW + timedelta(days=6))
    assert days() == [(0, (5, 2, 3)), (6, (4, 2, 3))]

    # An order of that day comes late; later it turns out to be somebody else's.
    make_order(corp, customer=customer, paid_at=NOW + timedelta(days=6), amount_fen=90_000)
    compute_values(corp, now=NOW + timedelta(days=6))
    assert days()[1:] == [(6, (5, 3, 4))]
    Order.objects.filter(amount_fen=90_000).update(
        customer=None, awaited_kind="phone", awaited_digest=b"1"
    )
    Order.objects.filter(customer=customer).update(paid_at=NOW)
    computed = compute_values(corp, now=NOW + timedelta(days=6))
    assert (days(), computed.changed) == ([(0, (5, 2, 3))], 0)


def test_another_corp_is_left_alone(corp: Corp) -> None:
    other = make_corp()
    buy(make_customer(other), 1)
    compute_values(other, now=NOW)
    buy(make_customer(corp), 100, 200)

    computed = compute_values(corp, now=NOW)

    assert (computed.buyers, computed.gone) == (1, 0)
    assert CustomerValue.objects.for_corp(other).count() == 1


def test_who_is_late_by_her_own_rhythm_is_at_risk_and_then_lost(corp: Corp) -> None:
    weekly, monthly, gone, once, fresh = (make_customer(corp) for _ in range(5))
    buy(weekly, 11, 18, 25)
    buy(monthly, 40, 70, 100)
    buy(gone, 22, 29, 36)
    # No rhythm of her own: the median of the others (7, 7, 30) counts.
    buy(once, 15)
    # Twice on one day is no rhythm either.
    buy(fresh, 2, 2)

    compute_values(corp, now=NOW)

    typical = typical_cycle(corp)
    assert typical == 7
    values = CustomerValue.objects.for_corp(corp)
    assert {each.pk for each in values.at_risk(typical)} == {weekly.pk, once.pk}
    assert {each.pk for each in values.lost(typical)} == {gone.pk}
    assert values.lost(typical).get().overdue == 15  # type: ignore[attr-defined]


def test_without_any_rhythm_nobody_is_late(corp: Corp) -> None:
    buy(make_customer(corp), 300)
    compute_values(corp, now=NOW)

    assert typical_cycle(corp) is None
    assert not CustomerValue.objects.lost(None).exists()


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"recency": (30, 15, 60, 90)}, "/recency"),
        ({"frequency": (1, 2, 3)}, "/frequency"),
        ({"monetary": (1, 1, 2, 3)}, "/monetary"),
        ({"margin": Decimal("1.01")}, "/margin"),
    ],
)
def test_useless_thresholds_are_refused(corp: Corp, wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_value_settings(replace(FIXED, **wrong), corp=corp, actor=SYSTEM, now=NOW)

    assert [problem.path for problem in refused.value.errors] == [path]
    assert not AuditEntry.objects.exists()


def test_it_is_done_once_a_night_for_corps_with_orders(corp: Corp) -> None:
    make_corp()
    buy(make_customer(corp), 1)
    three_at_night = datetime(2026, 11, 18, 19, tzinfo=UTC)

    assert start_nightly_computing(now=NOW) == 0
    assert start_nightly_computing(now=three_at_night) == 1
    assert start_nightly_computing(now=three_at_night + timedelta(hours=1)) == 0
    run_due_jobs(clock=lambda: three_at_night)

    job = Job.objects.get(kind=COMPUTING)
    assert (job.corp, job.status) == (corp, "succeeded")
    assert job.report == {"buyers": 1, "changed": 1, "gone": 0}
