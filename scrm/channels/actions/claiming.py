"""Taking due operations for a worker: the urgent first, and everybody in turn.

A lane is a corp's operations of one kind. Within a priority every lane gives one before any gives
two, and so does every corp: whoever wishes for a hundred thousand waits for herself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from scrm.channels.kinds import batched_kind_names, kind_names
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class Lane:
    """What has its turn together, and is held back together when its budget is used up."""

    corp_id: int
    kind: str
    priority: int


def lane_of(operation: Operation) -> Lane:
    return Lane(operation.corp_id, operation.kind, operation.priority)


def claim_due(
    *, now: datetime, at_most: int, held_back: Mapping[Lane, datetime] | None = None
) -> list[Operation]:
    """Take operations for this worker, of each serial queue the head only.

    Lanes in `held_back` are passed over until their moment. What another worker is just claiming
    is passed over, too, so that no claim waits for another.

    Kinds that may be asked twice without harm are noted as called at once: whether they were or
    not, they are asked again when this worker dies.
    """
    if at_most < 1:
        return []
    waiting = [lane for lane, until in (held_back or {}).items() if until > now]
    params: dict[str, Any] = {
        "now": now,
        "lease": now + settings.OUTBOX_LEASE,
        "kinds": kind_names(),
        "batched": batched_kind_names(),
        "held_corps": [lane.corp_id for lane in waiting],
        "held_kinds": [lane.kind for lane in waiting],
        "held_priorities": [lane.priority for lane in waiting],
        "at_most": at_most,
        # So many workers may claim at the same moment without leaving one of them empty-handed.
        "seen": at_most * 4,
    }
    batch = list(Operation.objects.raw(CLAIM, params))
    corps = Corp.objects.in_bulk({operation.corp_id for operation in batch})
    for operation in batch:
        operation.corp = corps[operation.corp_id]
    return batch


# The lanes are found by jumping from one to the next in the index `operation_lanes`; of each, its
# first rows are read in order. So the claim costs as much with a hundred thousand waiting rows as
# with a hundred.
CLAIM = """
WITH RECURSIVE lane AS (
    (
        SELECT corp_id, kind, priority FROM channels_operation WHERE status = 'pending'
        ORDER BY corp_id, kind, priority LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM lane CROSS JOIN LATERAL (
        SELECT o.corp_id, o.kind, o.priority FROM channels_operation o
        WHERE o.status = 'pending'
            AND (o.corp_id, o.kind, o.priority) > (lane.corp_id, lane.kind, lane.priority)
        ORDER BY o.corp_id, o.kind, o.priority LIMIT 1
    ) AS following
), held AS (
    SELECT * FROM unnest(
        %(held_corps)s::bigint[], %(held_kinds)s::text[], %(held_priorities)s::int[]
    ) AS h (corp_id, kind, priority)
), open_lane AS (
    SELECT lane.* FROM lane
    WHERE lane.kind = ANY(%(kinds)s)
        AND NOT EXISTS (
            SELECT FROM channels_endpointpause p
            WHERE p.corp_id = lane.corp_id AND p.kind = lane.kind AND p.until > %(now)s
        )
        AND NOT EXISTS (
            SELECT FROM held h
            WHERE (h.corp_id, h.kind, h.priority) = (lane.corp_id, lane.kind, lane.priority)
        )
), head AS (
    SELECT first.id, lane.corp_id, lane.priority, first.next_attempt_at,
        row_number() OVER (
            PARTITION BY lane.corp_id, lane.kind, lane.priority
            ORDER BY first.next_attempt_at, first.id
        ) AS turn_in_lane
    FROM open_lane AS lane CROSS JOIN LATERAL (
        SELECT o.id, o.next_attempt_at FROM channels_operation o
        WHERE o.status = 'pending' AND o.corp_id = lane.corp_id AND o.kind = lane.kind
            AND o.priority = lane.priority AND o.next_attempt_at <= %(now)s
            AND (o.serial_key = '' OR NOT EXISTS (
                SELECT FROM channels_operation e
                WHERE e.corp_id = o.corp_id AND e.serial_key = o.serial_key AND e.id < o.id
                    AND e.status IN ('pending', 'in_flight', 'unknown')
            ))
        ORDER BY o.next_attempt_at, o.id LIMIT %(seen)s
    ) AS first
), ranked AS (
    SELECT id, priority, next_attempt_at, row_number() OVER (
        PARTITION BY corp_id, priority ORDER BY turn_in_lane, next_attempt_at, id
    ) AS turn
    FROM head
), seen AS (
    SELECT * FROM ranked ORDER BY priority, turn, next_attempt_at, id LIMIT %(seen)s
), taken AS (
    SELECT o.id, seen.turn
    FROM seen JOIN channels_operation o ON o.id = seen.id
    WHERE o.status = 'pending' AND o.next_attempt_at <= %(now)s
    ORDER BY seen.priority, seen.turn, seen.next_attempt_at, seen.id LIMIT %(at_most)s
    FOR UPDATE OF o SKIP LOCKED
), claimed AS (
    UPDATE channels_operation o SET
        status = 'in_flight', lease_until = %(lease)s, attempts = o.attempts + 1,
        called_at = CASE WHEN o.kind = ANY(%(batched)s) THEN %(now)s::timestamptz END
    FROM taken WHERE o.id = taken.id
    RETURNING o.*, taken.turn
)
SELECT * FROM claimed ORDER BY priority, turn, next_attempt_at, id"""
