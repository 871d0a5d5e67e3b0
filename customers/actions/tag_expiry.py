"""Tags that have lasted as long as they were given for."""

import json
from datetime import datetime

from django.db import connection, transaction

from customers.actions.derived import lock_customers
from customers.actions.own_tags import drop_empty_sets
from customers.actions.platform_tagging import EXPIRED
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import Customer, TimelineEntry
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.operations import TAG_CUSTOMER, tag_serial_key
from scrm.tenancy.models import Corp

# Customers whose tags end in one transaction, and follows whose tags are asked for in one.
_A_STEP = 2000
_STEPS = 50


def expire_tags(*, now: datetime) -> int:
    """End the tags that are due; return how many ended here or were asked of the platform.

    At most a hundred thousand of each at a time: the next tick goes on.
    """
    ended = 0
    for _step in range(_STEPS):
        if not (count := _end_own(now=now)):
            break
        ended += count
    corps = Corp.objects.filter(pk__in=_corps_with_due_tags(now)).order_by("pk")
    return ended + sum(_ask_for(corp, now=now) for corp in corps)


@transaction.atomic
def _end_own(*, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT customer_id FROM (SELECT a.customer_id {_DUE}"  # noqa: S608
            " ORDER BY a.until LIMIT %(most)s) due",
            {"now": now, "most": _A_STEP},
        )
        ids = [customer_id for (customer_id,) in cursor.fetchall()]
        if not ids or not lock_customers(Customer.objects.filter(pk__in=ids)):
            return 0
        cursor.execute(
            _END,
            {
                "now": now,
                "customers": ids,
                "source": TimelineEntry.Source.SYSTEM,
                "why": json.dumps({"reason": EXPIRED}),
            },
        )
        corps, ended = set(), 0
        for corp_id, count in cursor.fetchall():
            corps.add(corp_id)
            ended += count
    for corp_id in sorted(corps):
        drop_empty_sets(corp_id, now=now)
    return ended


# Ours, and the platform's on follows that have ended: there it is kept by nobody but us.
_DUE = """
    FROM customers_tagassignment a LEFT JOIN customers_follow f ON f.id = a.follow_id
    WHERE a.until <= %(now)s AND (a.follow_id IS NULL OR f.status <> 'live')"""

_END = f"""
    WITH ended AS (
        DELETE FROM customers_tagassignment t USING (
            SELECT a.id {_DUE} AND a.customer_id = ANY(%(customers)s::bigint[])
        ) due WHERE t.id = due.id
        RETURNING t.*
    ), past AS (
        INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
        SELECT {ENDED_COLUMNS}, %(now)s::timestamptz, %(source)s, %(why)s::jsonb FROM ended
    ), noted AS (
        INSERT INTO customers_timelineentry
            (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
        SELECT corp_id, customer_id, 'tag.removed', %(now)s::timestamptz,
            %(why)s::jsonb || jsonb_build_object('tag', tag_id), %(source)s,
            %(now)s::timestamptz, false
        FROM ended
    ), sets AS (
        UPDATE customers_customertagset s SET changed_at = %(now)s::timestamptz, tag_ids = ARRAY(
            SELECT kept FROM unnest(s.tag_ids) AS kept WHERE kept <> ALL(gone.tag_ids)
            ORDER BY kept
        )
        FROM (
            SELECT customer_id, array_agg(tag_id) AS tag_ids FROM ended
            WHERE follow_id IS NULL GROUP BY customer_id
        ) gone
        WHERE s.customer_id = gone.customer_id
    )
    SELECT corp_id, count(*) FROM ended GROUP BY corp_id
"""  # noqa: S608


def _corps_with_due_tags(now: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT corp_id FROM customers_tagassignment WHERE until <= %s", [now]
        )
        return [corp_id for (corp_id,) in cursor.fetchall()]


def _ask_for(corp: Corp, *, now: datetime) -> int:
    """Have the platform take what is due; each end is asked for once, however long it waits."""
    asked, after = 0, 0
    for _step in range(_STEPS):
        with connection.cursor() as cursor:
            cursor.execute(_DUE_ON_FOLLOWS, {"corp": corp.pk, "now": now, "most": _A_STEP,
                                             "after": after})  # fmt: skip
            rows = cursor.fetchall()
        if not rows:
            break
        wishes = [
            Wish(
                key=key,
                payload={
                    "userid": userid,
                    "external_userid": external_userid,
                    "add": [],
                    "remove": [wecom_id],
                    "source": TimelineEntry.Source.SYSTEM,
                    "why": {"reason": EXPIRED},
                },
                serial_key=tag_serial_key(userid, external_userid),
            )
            for _pk, key, userid, external_userid, wecom_id in rows
        ]
        enqueue_operations(TAG_CUSTOMER, corp=corp, wishes=wishes, now=now)
        asked, after = asked + len(rows), rows[-1][0]
    return asked


_DUE_ON_FOLLOWS = """
    SELECT * FROM (
        SELECT a.id, 'expire:' || a.id || ':' || extract(epoch FROM a.until)::bigint AS key,
            s.userid, c.external_userid, t.wecom_id
        FROM customers_tagassignment a
        JOIN customers_follow f ON f.id = a.follow_id AND f.status = 'live'
        JOIN customers_customer c ON c.id = a.customer_id
        JOIN customers_tag t ON t.id = a.tag_id
        JOIN tenancy_staff s ON s.id = f.staff_id AND s.status <> 'left'
        WHERE a.corp_id = %(corp)s AND a.until <= %(now)s AND a.id > %(after)s
    ) due WHERE NOT EXISTS (
        SELECT FROM channels_operation o
        WHERE o.corp_id = %(corp)s AND o.idempotency_key = due.key
    )
    ORDER BY id LIMIT %(most)s
"""
