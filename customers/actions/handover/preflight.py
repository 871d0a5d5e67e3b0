"""Looking before a plan leaves: what can be handed over now, and why the rest cannot."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from customers.actions.handover import reasons
from customers.actions.handover.belongings import chats_of
from customers.actions.handover.loads import Load, loads_of
from customers.models import HandoverItem, HandoverPlan

# [doc 92125] "each customer at most twice in 90 calendar days"; a chat likewise [doc 95703].
IN_SERVICE_WINDOW = timedelta(days=90)
# [doc 94081] who left longer ago is not handed over any more.
LONGEST_GONE = timedelta(days=365)

# What is said of the same customer and of the same chat stands apart: each has a partial index of
# its own, and one condition for both would be compared with every other item. That an item is no
# chat is asked of the item itself: a planner with old figures would else look through all chats.
_VERDICTS = """
SELECT i.id, i.chat_id, CASE
    WHEN i.kind = 'resigned' AND giver.status <> 'left' THEN 'not_resigned'
    WHEN i.kind = 'in_service' AND giver.status = 'left' THEN 'has_left'
    WHEN i.kind = 'resigned' AND giver.left_at < %(too_long_ago)s THEN 'left_too_long_ago'
    WHEN EXISTS (
        SELECT FROM customers_handoveritem h
        WHERE h.corp_id = i.corp_id AND h.from_staff_id = i.from_staff_id AND h.id <> i.id
          AND i.customer_id IS NOT NULL
          AND h.customer_id IS NOT NULL AND h.customer_id = i.customer_id
          AND h.status IN ('asked', 'waiting')
    ) OR EXISTS (
        SELECT FROM customers_handoveritem h
        WHERE h.corp_id = i.corp_id AND h.from_staff_id = i.from_staff_id AND h.id <> i.id
          AND i.chat_id <> '' AND h.chat_id <> '' AND h.chat_id = i.chat_id
          AND h.status IN ('asked', 'waiting')
    ) THEN 'in_transfer'
    WHEN i.customer_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM customers_follow f
        WHERE f.customer_id = i.customer_id AND f.staff_id = i.from_staff_id AND f.status = 'live'
    ) THEN 'not_followed'
    WHEN spent.second_last IS NOT NULL THEN 'in_service_limit'
    WHEN taker.id IS NULL THEN 'no_taker'
    WHEN taker.id = i.from_staff_id THEN 'same_person'
    WHEN taker.status <> 'active' OR taker.leaving_since IS NOT NULL THEN 'taker_unavailable'
    WHEN NOT taker.has_customer_contact THEN 'taker_without_contact'
    ELSE '' END AS reason, spent.second_last
FROM customers_handoveritem i
JOIN tenancy_staff giver ON giver.id = i.from_staff_id
LEFT JOIN tenancy_staff taker ON taker.id = i.to_staff_id
LEFT JOIN LATERAL (
    -- With two in the window, one is free again when the older of the last two falls out of it.
    SELECT before.at AS second_last
    FROM (
        SELECT coalesce(h.takeover_at, h.asked_at) AS at
        FROM (
            -- OFFSET 0: by the customer first. A planner with old figures would look through all
            -- items of these statuses for each one.
            SELECT * FROM customers_handoveritem h
            WHERE h.corp_id = i.corp_id
              AND h.customer_id IS NOT NULL AND h.customer_id = i.customer_id
            OFFSET 0
        ) h
        WHERE i.kind = 'in_service' AND h.kind = 'in_service' AND h.id <> i.id
          AND i.customer_id IS NOT NULL
          AND h.status IN ('asked', 'waiting', 'succeeded')
        UNION ALL
        SELECT coalesce(h.takeover_at, h.asked_at)
        FROM customers_handoveritem h
        WHERE i.kind = 'in_service' AND h.kind = 'in_service' AND h.id <> i.id
          AND h.corp_id = i.corp_id
          AND i.chat_id <> '' AND h.chat_id <> '' AND h.chat_id = i.chat_id
          AND h.status IN ('asked', 'waiting', 'succeeded')
    ) before
    WHERE before.at > %(window)s
    ORDER BY before.at DESC OFFSET 1 LIMIT 1
) spent ON true
WHERE i.plan_id = %(plan)s AND i.status = 'planned'
ORDER BY i.id
"""


@dataclass(frozen=True)
class Verdict:
    """Whether a planned item can be asked for now; `free_at` is when a limit lets it."""

    item_id: int
    reason: str
    free_at: datetime | None = None


@dataclass(frozen=True)
class Preflight:
    """What executing would come to now."""

    ready: int
    blocked: dict[str, int]
    chats_ready: int
    loads: Sequence[Load]
    verdicts: Sequence[Verdict]


def preflight_plan(plan: HandoverPlan, *, now: datetime) -> Preflight:
    """Judge every planned item; nothing is kept and nobody is asked."""
    verdicts = verdicts_on(plan, now=now)
    chats = set(HandoverItem.objects.filter(plan=plan).of_chats().values_list("pk", flat=True))
    ready = [verdict.item_id for verdict in verdicts if not verdict.reason]
    blocked = Counter(verdict.reason for verdict in verdicts if verdict.reason)
    return Preflight(
        ready=len(ready),
        blocked=dict(blocked.most_common()),
        chats_ready=len(chats.intersection(ready)),
        loads=loads_of(plan, but=[v.item_id for v in verdicts if v.reason]),
        verdicts=verdicts,
    )


def verdicts_on(plan: HandoverPlan, *, now: datetime) -> list[Verdict]:
    """One verdict per planned item of the plan, from one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _VERDICTS,
            {
                "plan": plan.pk,
                "window": now - IN_SERVICE_WINDOW,
                "too_long_ago": now - LONGEST_GONE,
            },
        )
        rows = cursor.fetchall()
    owned = _owned_chats(plan) if any(chat_id for _id, chat_id, _reason, _at in rows) else set()
    return [
        Verdict(
            item_id,
            reason or (reasons.NOT_OWNER if chat_id and chat_id not in owned else ""),
            second_last + IN_SERVICE_WINDOW if reason == reasons.IN_SERVICE_LIMIT else None,
        )
        for item_id, chat_id, reason, second_last in rows
    ]


def _owned_chats(plan: HandoverPlan) -> set[str]:
    return {chat.chat_id for chat in chats_of([plan.from_staff_id], corp=plan.corp)}
