"""How tags are used, and which could go: counted by a job, in a handful of statements."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.dateparse import parse_datetime

from customers.models import Tag
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

REPORTING = "tags.report"
WINDOW = timedelta(days=30)
UNUSED = timedelta(days=180)
ALIKE_FROM = 0.95
# Pairs are counted among the tags carried most, over a part of the customers where there are many:
# the work grows with the square of the tags that one customer carries.
_MOST_TAGS, _FEWEST_CARRIERS, _MOST_CUSTOMERS, _MOST_PAIRS = 400, 20, 200_000, 200


@dataclass(frozen=True)
class TagFigures:
    """`customers` carry it now; `gained` and `lost` are customers within the last 30 days."""

    tag_id: int
    customers: int = 0
    gained: int = 0
    lost: int = 0
    last_given: datetime | None = None

    def is_unused(self, now: datetime) -> bool:
        return self.last_given is None or self.last_given < now - UNUSED


@dataclass(frozen=True)
class Report:
    """The figures of all tags as of `at`; names that differ in looks only; tags of the same people.

    `overlaps` are (tag, other tag, share of the customers of either who carry both).
    """

    at: datetime
    figures: dict[int, TagFigures]
    alike: list[list[int]]
    overlaps: list[tuple[int, int, float]]


def start_report(corp: Corp, *, now: datetime) -> Job:
    return start_job(REPORTING, corp=corp, now=now)


def register_jobs() -> None:
    register_job(REPORTING, _count)


def latest_report(corp: Corp) -> Report | None:
    """What was counted last; None when nothing has been."""
    done = Job.objects.for_corp(corp).filter(kind=REPORTING, status=Job.Status.SUCCEEDED)
    job = done.order_by("-pk").first()
    if job is None:
        return None
    state = job.state
    rows = [
        TagFigures(tag_id, customers, gained, lost, parse_datetime(last) if last else None)
        for tag_id, customers, gained, lost, last in state["figures"]
    ]
    at = parse_datetime(state["at"])
    overlaps = [(first, second, share) for first, second, share in state["overlaps"]]
    return Report(at or job.created_at, {row.tag_id: row for row in rows}, state["alike"], overlaps)


def count_tags(corp: Corp, *, now: datetime) -> Report:
    """Count now; the statements are as many however many tags and customers there are."""
    names = dict(Tag.objects.for_corp(corp).current().order_by("pk").values_list("pk", "name"))
    since = now - WINDOW
    customers = _column(_CARRIED, corp=corp)
    gained = _column(_GAINED, corp=corp, since=since)
    lost = _column(_LOST, corp=corp, since=since)
    last = _column(_LAST, corp=corp)
    figures = {
        pk: TagFigures(pk, customers.get(pk, 0), gained.get(pk, 0), lost.get(pk, 0), last.get(pk))
        for pk in names
    }
    return Report(now, figures, _alike(names.items()), _overlaps(corp, customers))


def looks_of(name: str) -> str:
    """A name without case, width, blanks and punctuation: «V I P», «vip» and «ＶＩＰ» are one."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def _count(job: Job, clock: Callable[[], datetime]) -> Outcome:
    report = count_tags(job.corp, now=clock())
    rows = [
        (row.tag_id, row.customers, row.gained, row.lost, _written(row.last_given))
        for row in report.figures.values()
    ]
    state: dict[str, Any] = {
        "at": report.at.isoformat(),
        "figures": rows,
        "alike": report.alike,
        "overlaps": report.overlaps,
    }
    note_progress(job, now=clock(), done=len(rows), total=len(rows), state=state)
    return Outcome({"tags": len(rows)})


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _column(sql: str, *, corp: Corp, since: datetime | None = None) -> dict[int, Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"corp": corp.pk, "since": since})
        return dict(cursor.fetchall())


def _alike(names: Iterable[tuple[int, str]]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for pk, name in names:
        # A name of nothing but signs is like no other.
        groups[looks_of(name) or name].append(pk)
    return [pks for pks in groups.values() if len(pks) > 1]


def _overlaps(corp: Corp, customers: dict[int, int]) -> list[tuple[int, int, float]]:
    often = sorted(customers, key=lambda pk: (-customers[pk], pk))[:_MOST_TAGS]
    chosen = [pk for pk in often if customers[pk] >= _FEWEST_CARRIERS]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM customers_customertagset WHERE corp_id = %s", [corp.pk]
        )
        [total] = cursor.fetchone()
        cursor.execute(
            _PAIRS,
            {
                "corp": corp.pk,
                "tags": chosen,
                "every": -(-total // _MOST_CUSTOMERS) or 1,
                "from": ALIKE_FROM,
                "most": _MOST_PAIRS,
            },
        )
        return [(first, second, round(float(share), 4)) for first, second, share in cursor]


_CARRIED = """
    SELECT tag_id, count(*) FROM customers_customertagset, unnest(tag_ids) AS tag_id
    WHERE corp_id = %(corp)s GROUP BY tag_id"""
_GAINED = """
    SELECT tag_id, count(DISTINCT customer_id) FROM (
        SELECT tag_id, customer_id FROM customers_tagassignment
        WHERE corp_id = %(corp)s AND since >= %(since)s
        UNION ALL
        SELECT tag_id, customer_id FROM customers_pasttagassignment
        WHERE corp_id = %(corp)s AND since >= %(since)s
    ) given GROUP BY tag_id"""
_LOST = """
    SELECT tag_id, count(DISTINCT customer_id) FROM customers_pasttagassignment
    WHERE corp_id = %(corp)s AND ended_at >= %(since)s GROUP BY tag_id"""
_LAST = """
    SELECT tag_id, max(since) FROM (
        SELECT tag_id, since FROM customers_tagassignment WHERE corp_id = %(corp)s
        UNION ALL
        SELECT tag_id, since FROM customers_pasttagassignment WHERE corp_id = %(corp)s
    ) given GROUP BY tag_id"""
_PAIRS = """
    WITH held AS MATERIALIZED (
        SELECT ARRAY(
            SELECT tag_id FROM unnest(tag_ids) AS tag_id WHERE tag_id = ANY(%(tags)s::int[])
        ) AS tag_ids
        FROM customers_customertagset
        WHERE corp_id = %(corp)s AND customer_id %% %(every)s = 0
    ), alone AS (
        SELECT tag_id, count(*) AS number FROM held, unnest(tag_ids) AS tag_id GROUP BY tag_id
    ), pairs AS (
        SELECT a, b, count(*) AS number
        FROM held, unnest(tag_ids) AS a, unnest(tag_ids) AS b WHERE a < b GROUP BY a, b
    )
    SELECT p.a, p.b, p.number::float / (x.number + y.number - p.number) AS share
    FROM pairs p JOIN alone x ON x.tag_id = p.a JOIN alone y ON y.tag_id = p.b
    WHERE p.number >= %(from)s * (x.number + y.number - p.number)
    ORDER BY share DESC, p.a, p.b LIMIT %(most)s"""
