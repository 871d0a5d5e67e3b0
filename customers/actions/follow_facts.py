"""When follows begin and end, noted on the timeline once.

The news comes twice, late, in any order, from callbacks and from pages. So a fact is noted by what
has been noted already, not by what the news changed: a friendship that began is one fact, however
often and by whom it is told.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from customers.models import Follow, TimelineEntry

# A callback and the platform's list may date one beginning a little differently.
_SAME_MOMENT = "interval '1 minute'"


class Begun(NamedTuple):
    """A follow whose beginning has just been noted; `plan_id` of the handover that brought it."""

    follow_id: int
    customer_id: int
    state: str
    added_at: datetime
    plan_id: int | None = None


def note_beginnings(
    follow_ids: Iterable[int], *, source: TimelineEntry.Source, now: datetime
) -> list[Begun]:
    """Note that these live follows began, where it has not been noted yet; return those.

    Who was handed over did not come by herself: nothing is triggered by it.
    """
    ids = sorted(set(follow_ids))
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH begun AS (
                SELECT f.id, f.corp_id, f.customer_id, s.userid, f.state, f.added_at, h.plan_id
                FROM customers_follow f JOIN tenancy_staff s ON s.id = f.staff_id
                LEFT JOIN LATERAL (
                    SELECT h.plan_id FROM customers_handoveritem h
                    WHERE h.corp_id = f.corp_id AND h.customer_id = f.customer_id
                      AND h.to_staff_id = f.staff_id
                      AND h.status IN ('asked', 'waiting', 'succeeded')
                      AND f.added_at >= h.asked_at - interval '5 minutes'
                      AND f.added_at <= COALESCE(h.takeover_at, h.settled_at, 'infinity')
                          + interval '1 day'
                    ORDER BY h.id DESC LIMIT 1
                ) h ON true
                WHERE f.id = ANY(%(ids)s::bigint[]) AND f.status = 'live' AND NOT EXISTS (
                    SELECT FROM customers_timelineentry e
                    WHERE e.customer_id = f.customer_id AND e.type = 'follow.added'
                      AND e.data ->> 'staff' = s.userid
                      AND (e.at = f.added_at OR (
                          e.at >= f.added_at - {_SAME_MOMENT} AND {_unless("ended")}
                      ))
                )
                ORDER BY f.id
            ), noted AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT corp_id, customer_id, 'follow.added', added_at,
                    jsonb_build_object('staff', userid, 'state', state) || CASE
                        WHEN plan_id IS NULL THEN '{{}}' ELSE jsonb_build_object('handover', plan_id)
                    END,
                    %(source)s, %(now)s, plan_id IS NULL
                FROM begun
            )
            SELECT id, customer_id, state, added_at, plan_id FROM begun
            """,  # noqa: S608
            {"ids": ids, "source": source, "now": now},
        )
        return [Begun(*row) for row in cursor.fetchall()]


def note_ends(
    follow_ids: Iterable[int],
    *,
    source: TimelineEntry.Source,
    now: datetime,
    status: Follow.Status | None = None,
    at: datetime | None = None,
) -> int:
    """Note that these follows ended, as their rows say or as the news has it.

    One end per reason and friendship: what is told again, or found again, is noted already.
    """
    ids = sorted(set(follow_ids))
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO customers_timelineentry
                (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
            SELECT f.corp_id, f.customer_id, 'follow.ended', f.at,
                jsonb_build_object('staff', s.userid, 'status', f.status),
                %(source)s, %(now)s, false
            FROM (
                SELECT id, corp_id, customer_id, staff_id,
                    COALESCE(%(at)s::timestamptz, ended_at) AS at,
                    COALESCE(%(status)s::text, status) AS status
                FROM customers_follow
                WHERE id = ANY(%(ids)s::bigint[]) AND status <> 'live'
            ) f JOIN tenancy_staff s ON s.id = f.staff_id
            WHERE NOT EXISTS (
                SELECT FROM customers_timelineentry e
                WHERE e.customer_id = f.customer_id AND e.type = 'follow.ended'
                  AND e.data ->> 'staff' = s.userid AND e.data ->> 'status' = f.status
                  AND (e.at = f.at OR {_unless("added")})
            )
            ORDER BY f.id
            """,  # noqa: S608
            {"ids": ids, "source": source, "now": now, "at": at, "status": status},
        )
        return int(cursor.rowcount)


def _unless(contrary: str) -> str:
    """That nothing contrary has happened to the pair since the noted fact `e`."""
    return f"""NOT EXISTS (
        SELECT FROM customers_timelineentry x
        WHERE x.customer_id = f.customer_id AND x.type = 'follow.{contrary}'
          AND x.data ->> 'staff' = s.userid AND (x.at, x.id) > (e.at, e.id)
    )"""
