"""Our own tags, given and taken in one statement however many customers are meant."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection

from customers.actions.derived import composed, locking_sql
from customers.actions.tag_changes import Change, Origin
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import CustomerQuerySet


class Done(NamedTuple):
    """Assignments of ours, and who was chosen."""

    added: int = 0
    renewed: int = 0
    removed: int = 0
    customers: int = 0
    first: int = 0


def change_own_tags(chosen: CustomerQuerySet, change: Change) -> Done:
    """Give and take tags of ours; who already carries one given has its end set anew.

    What is ended goes to the past in the same statement, and all is noted on the timelines.
    """
    if not change:
        return Done()
    try:
        locking, params = locking_sql(chosen)
    except EmptyResultSet:
        return Done()
    given = _parameters(change)
    # Values bound before the plan is made: the planner sees how many tags there are, and
    # parts that have nothing to do are not in the statement at all.
    locked = composed(locking, params)
    with connection.cursor() as cursor:
        cursor.execute(_statement(locked, given), given)
        done = Done(*cursor.fetchone())
    if done.removed:
        drop_empty_sets(change.corp.pk, now=change.now)
    return done


def drop_empty_sets(corp_id: int, *, now: datetime) -> None:
    """Who lost the last tag has no array that could say when."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH emptied AS (DELETE FROM customers_customertagset"
            " WHERE corp_id = %s AND tag_ids = '{}' RETURNING customer_id)"
            " UPDATE customers_customer SET updated_at = %s"
            " WHERE id IN (SELECT customer_id FROM emptied)",
            [corp_id, now],
        )


def _parameters(change: Change) -> dict[str, Any]:
    gone = [(tag, change.origin) for tag in change.remove]
    aside = change.origin.because("exclusive")
    gone += [(tag, aside) for tag in change.displaced]
    return {
        "corp": change.corp.pk,
        "now": change.now,
        "source": change.origin.source,
        "why": json.dumps(change.origin.why),
        "add": [tag.id for tag in change.add],
        "until": [change.end_of(tag) for tag in change.add],
        "add_data": [_data(change.origin, tag.id) for tag in change.add],
        "remove": [tag.id for tag, _ in gone],
        "remove_why": [json.dumps(origin.why) for _, origin in gone],
        "remove_data": [_data(origin, tag.id) for tag, origin in gone],
    }


def _data(origin: Origin, tag_id: int) -> str:
    return json.dumps(origin.why | {"tag": tag_id})


def _statement(locked: str, given: dict[str, Any]) -> str:
    gives, takes = bool(given["add"]), bool(given["remove"])
    is_single = len(given["add"]) + len(given["remove"]) == 1
    parts = [f"chosen (id) AS MATERIALIZED ({locked})"]
    noted, changed, counts = [], [], ["0", "0", "0"]
    if gives:
        parts.append(_ADDED)
        noted.append(_ADDED_FACTS)
        changed.append("SELECT customer_id FROM added WHERE is_new")
        counts[0] = "(SELECT count(*) FROM added WHERE is_new)"
        counts[1] = "(SELECT count(*) FROM added WHERE NOT is_new)"
    if takes:
        parts.append(_REMOVED)
        noted.append(_REMOVED_FACTS)
        changed.append("SELECT customer_id FROM removed")
        counts[2] = "(SELECT count(*) FROM removed)"
    parts.append(_NOTED + " UNION ALL ".join(noted) + ")")
    # One tag given is one row for each customer: nothing to fold.
    folded = changed if is_single else [*changed, changed[0]]
    parts.append("changed AS (" + " UNION ".join(folded) + ")")
    parts.append(_SETS if gives else _SETS_LESS)
    return (
        f"WITH {', '.join(parts)} SELECT {', '.join(counts)},"  # noqa: S608
        " (SELECT count(*) FROM chosen), (SELECT COALESCE(min(id), 0) FROM chosen)"
    )


_ADDED = """
    tag (id, until, data) AS (
        SELECT * FROM unnest(%(add)s::int[], %(until)s::timestamptz[], %(add_data)s::jsonb[])
    ), added AS (
        INSERT INTO customers_tagassignment AS a
            (corp_id, customer_id, tag_id, since, until, source, why)
        SELECT %(corp)s, chosen.id, tag.id, %(now)s::timestamptz, tag.until, %(source)s,
            %(why)s::jsonb
        FROM chosen CROSS JOIN tag
        ON CONFLICT (customer_id, tag_id, follow_id) DO UPDATE SET until = excluded.until
        WHERE a.until IS DISTINCT FROM excluded.until
        RETURNING customer_id, tag_id, xmax = 0 AS is_new
    )"""

_REMOVED = f"""
    gone (id, why, data) AS (
        SELECT * FROM unnest(%(remove)s::int[], %(remove_why)s::jsonb[], %(remove_data)s::jsonb[])
    ), removed AS (
        DELETE FROM customers_tagassignment a USING chosen
        WHERE a.customer_id = chosen.id AND a.follow_id IS NULL
          AND a.tag_id = ANY(%(remove)s::int[])
        RETURNING a.*
    ), past AS (
        INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
        SELECT {", ".join(f"r.{name}" for name in ENDED_COLUMNS.split(", "))},
            %(now)s::timestamptz, %(source)s, gone.why
        FROM removed r JOIN gone ON gone.id = r.tag_id
    )"""  # noqa: S608

_NOTED = """
    noted AS (
        INSERT INTO customers_timelineentry
            (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
"""
_ADDED_FACTS = """
        SELECT %(corp)s, customer_id, 'tag.added', %(now)s::timestamptz, tag.data, %(source)s,
            %(now)s::timestamptz, true
        FROM added JOIN tag ON tag.id = added.tag_id WHERE added.is_new"""
_REMOVED_FACTS = """
        SELECT %(corp)s, customer_id, 'tag.removed', %(now)s::timestamptz, gone.data, %(source)s,
            %(now)s::timestamptz, false
        FROM removed JOIN gone ON gone.id = removed.tag_id"""

_SETS = """
    sets AS (
        INSERT INTO customers_customertagset AS s (customer_id, corp_id, tag_ids, changed_at)
        SELECT changed.customer_id, %(corp)s, %(add)s::int[], %(now)s::timestamptz FROM changed
        ON CONFLICT (customer_id) DO UPDATE SET changed_at = excluded.changed_at,
            -- Tags younger than all she carries, the usual case, keep the array sorted as it is.
            tag_ids = CASE
                WHEN %(remove)s::int[] = '{}'
                    AND s.tag_ids[cardinality(s.tag_ids)] < (%(add)s::int[])[1]
                THEN s.tag_ids || %(add)s::int[]
                ELSE ARRAY(
                    SELECT DISTINCT tag_id FROM unnest(s.tag_ids || %(add)s::int[]) AS tag_id
                    WHERE tag_id <> ALL(%(remove)s::int[]) ORDER BY tag_id
                )
            END
    )"""
_SETS_LESS = """
    sets AS (
        UPDATE customers_customertagset s SET changed_at = %(now)s::timestamptz, tag_ids = ARRAY(
            SELECT tag_id FROM unnest(s.tag_ids) AS tag_id
            WHERE tag_id <> ALL(%(remove)s::int[]) ORDER BY tag_id
        )
        FROM changed WHERE s.customer_id = changed.customer_id
    )"""
