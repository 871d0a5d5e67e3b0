"""Writing what became of items, many at a time; a settled item is never changed again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef

from customers.models import HandoverItem, HandoverLeg, HandoverPlan

S = HandoverItem.Status
_LONGEST_REASON = 256


@dataclass(frozen=True)
class Change:
    """The new state of one open item; with `is_tried` its taker is not asked again for it."""

    item_id: int
    status: HandoverItem.Status
    reason: str = ""
    errcode: int | None = None
    is_tried: bool = False
    takeover_at: datetime | None = None
    next_attempt_at: datetime | None = None


def write_changes(
    changes: Sequence[Change], *, now: datetime, was: Iterable[HandoverItem.Status]
) -> int:
    """Write the changes onto those items that still are what they `was`; return how many.

    `taker_full` stays as the reason of an item that goes on to the next taker: it decides what
    the item ends as when none is left.
    """
    if not changes:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE customers_handoveritem i SET
                status = d.status,
                reason = CASE WHEN d.reason = '' AND d.status IN ('planned', 'waiting')
                    THEN i.reason ELSE d.reason END,
                errcode = d.errcode,
                tried = CASE WHEN d.is_tried AND i.to_staff_id <> ALL(i.tried)
                    THEN i.tried || i.to_staff_id ELSE i.tried END,
                takeover_at = d.takeover_at,
                next_attempt_at = d.next_attempt_at,
                settled_at = CASE WHEN d.status IN ('planned', 'asked', 'waiting') THEN NULL
                    ELSE %(now)s::timestamptz END
            FROM unnest(
                %(ids)s::bigint[], %(statuses)s::text[], %(reasons)s::text[], %(errcodes)s::int[],
                %(tried)s::bool[], %(takeovers)s::timestamptz[], %(nexts)s::timestamptz[]
            ) AS d (id, status, reason, errcode, is_tried, takeover_at, next_attempt_at)
            WHERE i.id = d.id AND i.status = ANY(%(was)s)
            """,
            {
                "now": now,
                "ids": [each.item_id for each in changes],
                "statuses": [each.status.value for each in changes],
                "reasons": [each.reason[:_LONGEST_REASON] for each in changes],
                "errcodes": [each.errcode for each in changes],
                "tried": [each.is_tried for each in changes],
                "takeovers": [each.takeover_at for each in changes],
                "nexts": [each.next_attempt_at for each in changes],
                "was": [status.value for status in was],
            },
        )
        return int(cursor.rowcount)


def update_progress(plan: HandoverPlan, *, now: datetime) -> None:
    """Settle the legs that wait for nothing, and the plan when none of its items is open.

    The caller holds the plan's lock.
    """
    waiting = HandoverItem.objects.open().of_customers().filter(plan=plan)
    idle = HandoverLeg.objects.filter(
        ~Exists(waiting.filter(to_staff=OuterRef("to_staff"))), plan=plan, is_settled=False
    )
    idle.update(is_settled=True, next_poll_at=None)
    if HandoverItem.objects.open().filter(plan=plan).exists() or plan.finished_at is not None:
        return
    if plan.status == HandoverPlan.Status.EXECUTING:
        plan.status = HandoverPlan.Status.DONE
    plan.finished_at = now
    plan.save(update_fields=["status", "finished_at"])


def lock_plan(plan_id: int) -> HandoverPlan:
    """The plan, locked against everybody else who writes its items."""
    plans = HandoverPlan.objects.select_for_update(of=["self"])
    return plans.select_related("corp", "from_staff").get(pk=plan_id)
