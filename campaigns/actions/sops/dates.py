"""SOPs that count from a date among the attributes: a due date, a birthday.

Customers are looked for in one statement per SOP: whose date brings some step near, and who has
not been enrolled for it. A date that changes moves what is still to come; what was done is never
done again; a date that is taken away ends the enrolment. A value that is no date keeps its
customer out, and `left_out` lists her.
"""

import logging
import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KeyTextTransform

from campaigns.actions.sops.ending import DATE_GONE, end_enrolments
from campaigns.actions.sops.enrolling import enter_sop, grace_of
from campaigns.actions.sops.holding import lock_waiting_runs, share_active
from campaigns.actions.sops.rescheduling import reschedule_enrolments
from campaigns.actions.sops.schedule import due_params, due_sql, moment_of
from campaigns.models import Enrolment, Sop
from customers.models import Customer
from customers.models.customers import CustomerQuerySet

logger = logging.getLogger(__name__)

# How long before the first step somebody is enrolled: later changes of the date move her.
HORIZON = timedelta(days=2)
# Customers that changed this long ago are looked at again: their transaction may just have ended.
_OVERLAP = timedelta(minutes=2)
# A yearly date that moves by less is the same occasion.
_SAME_OCCASION = timedelta(days=180)
_AT_A_TIME = 5_000
_DATE = re.compile(r"((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2})(?:[T ].*)?", re.DOTALL)


def enrol_by_dates(*, now: datetime, everybody: bool = False) -> int:
    """Enrol by dates, and follow dates that changed; return how many were enrolled.

    Looks at customers who changed lately; at all of them when the SOP was just activated, or when
    `everybody` is asked for, as it has to be about once an hour because time itself brings steps
    near.
    """
    waiting = Sop.objects.active().triggered_by(Sop.Trigger.ATTRIBUTE_DATE)
    return sum(
        _attend_safely(sop, now=now, everybody=everybody)
        for sop in waiting.select_related("corp").order_by("pk")
    )


def read_date(value: Any) -> date | None:
    """The date an attribute holds; a time behind it is not looked at."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def anchor_of(sop: Sop, customer: Customer, *, now: datetime) -> datetime | None:
    """The moment from which the days of this customer would be counted; None: she has no date."""
    day = read_date(customer.attributes.get(sop.trigger["attribute"]))
    if day is None:
        return None
    zone = sop.corp.zone
    if sop.trigger.get("yearly"):
        earliest = now.astimezone(zone).date() - timedelta(days=_span(sop)[1])
        day = next(each for each in map(_in_year(day), _years(earliest)) if each >= earliest)
    return moment_of(day, time(), zone)


def left_out(sop: Sop) -> CustomerQuerySet:
    """Customers whose attribute is not empty and not a date, with it as `noted`."""
    if sop.trigger["type"] != Sop.Trigger.ATTRIBUTE_DATE:
        return Customer.objects.none()
    key = sop.trigger["attribute"]
    column = '"customers_customer"."attributes"'
    dated = RawSQL(_date_sql(column, "%s"), [key] * 6, output_field=models.DateField())  # noqa: S611
    customers = Customer.objects.for_corp(sop.corp).live().filter(attributes__has_key=key)
    valued = customers.alias(dated=dated).annotate(noted=KeyTextTransform(key, "attributes"))
    return valued.filter(dated__isnull=True).exclude(noted="").order_by("pk")


def _attend_safely(sop: Sop, *, now: datetime, everybody: bool) -> int:
    is_new = sop.activated_at is not None and now - sop.activated_at < _OVERLAP
    since = None if everybody or is_new else now - _OVERLAP
    try:
        with transaction.atomic():
            return _attend(sop, since=since, now=now)
    except Exception:
        # One SOP that cannot be attended to must not keep the others from it.
        logger.exception("Enrolling by dates failed", extra={"sop": sop.pk})
        return 0


def _attend(sop: Sop, *, since: datetime | None, now: datetime) -> int:
    held = share_active(Sop.objects.filter(pk=sop.pk))
    if not held:
        return 0
    _follow_dates(held[0], since=since, now=now)
    return _enrol(held[0], since=since, now=now)


def _enrol(sop: Sop, *, since: datetime | None, now: datetime) -> int:
    earliest, latest = _span(sop)
    today = now.astimezone(sop.corp.zone).date()
    given = {
        **_about(sop, since=since),
        "first_day": today - timedelta(days=latest),
        "last_day": today + HORIZON - timedelta(days=earliest),
        "not_before": now - grace_of(sop),
        "occasion": _SAME_OCCASION,
    }
    day = _YEARLY_DAY if sop.trigger.get("yearly") else "d.day"
    once = _ONCE_A_YEAR if sop.trigger.get("yearly") else _ONCE
    entrants = f"""
        SELECT o.customer_id, o.anchor, NULL::bigint, NULL::bigint
        FROM ({_DATED}) AS d
        CROSS JOIN LATERAL (
            SELECT d.customer_id, y.day, y.day::timestamp AT TIME ZONE %(zone)s AS anchor
            FROM (SELECT {day} AS day) AS y
        ) AS o
        WHERE o.day BETWEEN %(first_day)s AND %(last_day)s AND {once}
            AND EXISTS (
                SELECT FROM campaigns_step s {due_sql("o.anchor")}
                WHERE s.sop_id = %(sop)s AND s.removed_at IS NULL AND due.due_at >= %(not_before)s
            )"""  # noqa: S608 — made of our own constants
    entered = enter_sop(sop, entrants, given, trigger=Sop.Trigger.ATTRIBUTE_DATE, now=now)
    return len(entered)


def _follow_dates(sop: Sop, *, since: datetime | None, now: datetime) -> None:
    day = _SAME_YEAR_DAY if sop.trigger.get("yearly") else "d.day"
    sql = f"""
        SELECT e.id, {day}::timestamp AT TIME ZONE %(zone)s
        FROM campaigns_enrolment e
        JOIN ({_DATED_OR_NOT}) AS d ON d.customer_id = e.customer_id
        WHERE e.sop_id = %(sop)s AND e.status = 'active' AND e.trigger = 'attribute_date'
            AND e.anchor IS DISTINCT FROM {day}::timestamp AT TIME ZONE %(zone)s
        ORDER BY e.id"""  # noqa: S608 — made of our own constants
    given = {**_about(sop, since=since), **due_params(sop), "sop": sop.pk}
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        rows = cursor.fetchall()
    gone = [pk for pk, anchor in rows if anchor is None]
    if gone:
        end_enrolments(gone, status=Enrolment.Status.EXITED, reason=DATE_GONE, now=now)
    moved = [(pk, anchor) for pk, anchor in rows if anchor is not None]
    for start in range(0, len(moved), _AT_A_TIME):
        _move(sop, dict(moved[start : start + _AT_A_TIME]), now=now)


def _move(sop: Sop, anchors: dict[int, datetime], *, now: datetime) -> None:
    lock_waiting_runs(anchors)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_enrolment e SET anchor = m.anchor"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS m (id, anchor) WHERE e.id = m.id",
            [list(anchors), list(anchors.values())],
        )
    reschedule_enrolments(sop, list(anchors), now=now)


def _about(sop: Sop, *, since: datetime | None) -> dict[str, Any]:
    return {"corp": sop.corp_id, "key": sop.trigger["attribute"], "since": since}


def _span(sop: Sop) -> tuple[int, int]:
    """The days, a little widened, between which all steps lie, counted from the anchor."""
    offsets = [
        step.offset_days + (0 if step.at else step.offset_minutes / 1440)
        for step in sop.steps.current()
    ]
    return math.floor(min(offsets, default=0)) - 1, math.ceil(max(offsets, default=0)) + 2


def _in_year(day: date) -> Callable[[int], date]:
    """The day in another year; 29 February is the 28th where there is none."""

    def occurrence(year: int) -> date:
        is_missing = (day.month, day.day) == (2, 29) and not _is_leap(year)
        return date(year, 2, 28) if is_missing else day.replace(year=year)

    return occurrence


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _years(earliest: date) -> range:
    return range(earliest.year, earliest.year + 2)


def _date_sql(attributes: str, key: str) -> str:
    """The attribute as a date, NULL where it is none; the key is asked for six times."""
    value = f"({attributes} ->> {key})"
    shape = r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])($|[T ])"
    return f"""
        CASE WHEN coalesce({value}, '') !~ '{shape}' THEN NULL
             WHEN substr({value}, 9, 2)::int > extract(day FROM make_date(
                substr({value}, 1, 4)::int, substr({value}, 6, 2)::int, 1)
                + interval '1 month' - interval '1 day') THEN NULL
             WHEN jsonb_typeof({attributes} -> {key}) <> 'string' THEN NULL
             ELSE left({value}, 10)::date END"""


_DATED_OR_NOT = f"""
    SELECT c.id AS customer_id, {_date_sql("c.attributes", "%(key)s")} AS day
    FROM customers_customer c
    WHERE c.corp_id = %(corp)s
        AND (%(since)s::timestamptz IS NULL OR c.updated_at >= %(since)s)"""  # noqa: S608
_DATED = f"""
    SELECT x.customer_id, x.day FROM (
        {_DATED_OR_NOT} AND c.live_follows > 0 AND jsonb_exists(c.attributes, %(key)s)
    ) AS x WHERE x.day IS NOT NULL"""  # noqa: S608


def _day_in(year: str) -> str:
    return f"(d.day + make_interval(years => {year} - extract(year FROM d.day)::int))::date"


# The next occurrence that some step may still lie behind.
_YEARLY_DAY = f"""
    CASE WHEN {_day_in("extract(year FROM %(first_day)s::date)::int")} >= %(first_day)s::date
        THEN {_day_in("extract(year FROM %(first_day)s::date)::int")}
        ELSE {_day_in("extract(year FROM %(first_day)s::date)::int + 1")} END"""
_SAME_YEAR_DAY = _day_in("extract(year FROM e.anchor AT TIME ZONE %(zone)s)::int")
_ONCE = """NOT EXISTS (
    SELECT FROM campaigns_enrolment e
    WHERE e.sop_id = %(sop)s AND e.customer_id = o.customer_id)"""
_ONCE_A_YEAR = """NOT EXISTS (
    SELECT FROM campaigns_enrolment e
    WHERE e.sop_id = %(sop)s AND e.customer_id = o.customer_id AND (e.status = 'active'
        OR e.anchor BETWEEN o.anchor - %(occasion)s::interval AND o.anchor + %(occasion)s::interval))"""
