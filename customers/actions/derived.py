"""What follows from follows and tags: counters, dates and tag arrays of customers.

Whoever changes follows or assignments locks the customers first (`lock_customers`), in the order
of their ids, and derives afterwards in the same transaction. So two writers never deadlock, and
neither derives from what the other is about to change.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from customers.models import CustomerQuerySet


def lock_customers(customers: CustomerQuerySet) -> int:
    """Lock the customers against other writers until the transaction ends; return how many."""
    try:
        sql, params = locking_sql(customers)
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        # The rows stay in the database: bulk tagging locks hundreds of thousands.
        cursor.execute(f"SELECT count(*) FROM ({sql}) locked", params)  # noqa: S608
        return int(cursor.fetchone()[0])


def locking_sql(customers: CustomerQuerySet) -> tuple[str, tuple[Any, ...]]:
    """A statement that locks the customers and gives their ids; raises EmptyResultSet.

    Ordered by id because concurrent writers lock several rows each.
    """
    query = customers.query
    if len(query.alias_map) <= 1 and not (query.distinct or query.combinator or query.is_sliced):
        # Straight from the table: going through a list of ids would read it twice.
        rows = customers.order_by("pk").select_for_update(no_key=True).values("pk")
        return rows.query.sql_with_params()
    sql, params = customers.order_by().values("pk").query.sql_with_params()
    locked = f"SELECT id FROM customers_customer WHERE id IN ({sql}) ORDER BY id FOR NO KEY UPDATE"  # noqa: S608
    return locked, params


def composed(sql: str, params: tuple[Any, ...]) -> str:
    """A statement with its values in it, quoted by the driver; to stand in one with named values.

    The planner sees the values, and the parts of a larger statement need no common order.
    """
    quoted: str = connection.ops.compose_sql(sql, params)  # type: ignore[attr-defined]
    return quoted.replace("%", "%%")


def derive(customer_ids: Iterable[int], *, changed: Iterable[int] = (), now: datetime) -> None:
    """Bring the counters, dates and tag arrays of locked customers up to date.

    `changed` are those of them whose follows or tags changed: they count as updated even when
    the derived columns stay the same.
    """
    ids = sorted(set(customer_ids))
    if ids:
        _derive_follows(ids, sorted(set(changed)), now)
        _rebuild_tag_sets(ids)


def _derive_follows(ids: list[int], changed: list[int], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE customers_customer c
            SET live_follows = d.live, added_at = d.first, updated_at = %(now)s
            FROM (
                SELECT chosen.id, count(f.id) AS live, min(f.added_at) AS first
                FROM unnest(%(ids)s::bigint[]) AS chosen (id)
                LEFT JOIN customers_follow f ON f.customer_id = chosen.id AND f.status = 'live'
                GROUP BY chosen.id
            ) d
            WHERE c.id = d.id AND (
                (c.live_follows, c.added_at) IS DISTINCT FROM (d.live, d.first)
                OR c.id = ANY(%(changed)s::bigint[])
            )
            """,
            {"ids": ids, "changed": changed, "now": now},
        )


def _rebuild_tag_sets(ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH wanted AS (
                SELECT a.customer_id, a.corp_id,
                       array_agg(DISTINCT a.tag_id ORDER BY a.tag_id)::int[] AS tag_ids
                FROM customers_tagassignment a
                LEFT JOIN customers_follow f ON f.id = a.follow_id
                WHERE a.customer_id = ANY(%(ids)s::bigint[])
                  AND (a.follow_id IS NULL OR f.status = 'live')
                GROUP BY a.customer_id, a.corp_id
            ), emptied AS (
                DELETE FROM customers_customertagset s
                WHERE s.customer_id = ANY(%(ids)s::bigint[])
                  AND NOT EXISTS (SELECT FROM wanted w WHERE w.customer_id = s.customer_id)
            )
            INSERT INTO customers_customertagset AS s (customer_id, corp_id, tag_ids)
            SELECT customer_id, corp_id, tag_ids FROM wanted
            ON CONFLICT (customer_id) DO UPDATE SET tag_ids = excluded.tag_ids
            WHERE s.tag_ids IS DISTINCT FROM excluded.tag_ids
            """,
            {"ids": ids},
        )
