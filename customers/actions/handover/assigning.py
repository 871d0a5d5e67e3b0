"""Finding each customer and each chat a taker: whom they know first, else who has the least.

A taker is somebody of the plan who is present, not leaving, may talk to customers, and was not
found full or unable by this plan before. Among those who do not know a customer, colleagues of
the same department come first; customers are dealt so that the loads end as equal as they can.
"""

import heapq
from collections import Counter
from typing import Any

from django.db import connection

from customers.actions.handover.belongings import chats_of
from customers.models import HandoverItem, HandoverPlan

# The takers of a plan who may be given something now, with what each carries already: live follows
# and what open plans are to bring, the items in question not counted.
TAKERS = """
    SELECT s.id, (
        SELECT count(*) FROM customers_follow f
        WHERE f.corp_id = s.corp_id AND f.staff_id = s.id AND f.status = 'live'
    ) + (
        SELECT count(*) FROM customers_handoveritem h
        JOIN customers_handoverplan p ON p.id = h.plan_id
        WHERE h.to_staff_id = s.id AND h.customer_id IS NOT NULL
          AND h.status IN ('planned', 'asked', 'waiting')
          AND (h.plan_id = %(plan)s OR p.status = 'executing')
          AND h.id <> ALL(%(items)s::bigint[])
    ) AS load, EXISTS (
        SELECT FROM tenancy_staff_departments hers
        JOIN tenancy_staff_departments theirs ON theirs.department_id = hers.department_id
        WHERE hers.staff_id = %(from)s AND theirs.staff_id = s.id
    ) AS is_near
    FROM customers_handoverplan_takers m JOIN tenancy_staff s ON s.id = m.staff_id
    WHERE m.handoverplan_id = %(plan)s AND s.id <> %(from)s
      AND s.status = 'active' AND s.leaving_since IS NULL AND s.has_customer_contact
      AND NOT EXISTS (
        SELECT FROM customers_handoveritem h
        WHERE h.plan_id = %(plan)s AND s.id = ANY(h.tried)
      )
"""

# Every taker has as many free places as there are customers, one above the other from her load
# on; the lowest places are filled. So the loads rise together, like water.
_ASSIGN = f"""
WITH takers AS ({TAKERS}), items AS (
    SELECT id, customer_id FROM customers_handoveritem
    WHERE id = ANY(%(items)s::bigint[]) AND customer_id IS NOT NULL
), known AS (
    -- Whom the customer sent away herself is no acquaintance to count on.
    SELECT DISTINCT ON (i.id) i.id AS item_id, t.id AS taker_id
    FROM items i
    JOIN customers_follow f ON f.customer_id = i.customer_id AND f.status <> 'deleted_by_customer'
    JOIN takers t ON t.id = f.staff_id
    ORDER BY i.id, f.status = 'live' DESC, t.load, t.id
), loads AS (
    SELECT t.id, t.is_near, t.load + (SELECT count(*) FROM known k WHERE k.taker_id = t.id) AS load
    FROM takers t
), pool AS (
    SELECT * FROM loads WHERE is_near OR NOT EXISTS (SELECT FROM loads near WHERE near.is_near)
), rest AS (
    SELECT i.id AS item_id, row_number() OVER (ORDER BY i.customer_id) AS n
    FROM items i WHERE NOT EXISTS (SELECT FROM known k WHERE k.item_id = i.id)
), places AS (
    SELECT p.id AS taker_id, row_number() OVER (ORDER BY p.load + place.k, p.id) AS n
    FROM pool p CROSS JOIN generate_series(1, (SELECT count(*) FROM rest)) AS place (k)
), assigned AS (
    SELECT item_id, taker_id FROM known
    UNION ALL
    SELECT r.item_id, p.taker_id FROM rest r JOIN places p USING (n)
)
UPDATE customers_handoveritem i SET to_staff_id = a.taker_id
FROM assigned a WHERE i.id = a.item_id
"""  # noqa: S608


def assign_takers(plan: HandoverPlan, item_ids: list[int]) -> int:
    """Give planned items of a locked plan a taker each; return how many found one.

    Items that find none keep what they have.
    """
    if not item_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGN, _parameters(plan, item_ids))
        customers: int = cursor.rowcount
    return customers + _assign_chats(plan, item_ids)


def items_without_taker(plan: HandoverPlan) -> list[int]:
    """Planned items whose taker cannot be asked (any more), or that never had one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH takers AS ({TAKERS})"  # noqa: S608
            " SELECT i.id FROM customers_handoveritem i"
            " WHERE i.plan_id = %(plan)s AND i.status = 'planned'"
            " AND (i.to_staff_id IS NULL OR NOT EXISTS"
            "  (SELECT FROM takers t WHERE t.id = i.to_staff_id))"
            " ORDER BY i.id",
            _parameters(plan, []),
        )
        return [item_id for (item_id,) in cursor.fetchall()]


def _parameters(plan: HandoverPlan, item_ids: list[int]) -> dict[str, Any]:
    return {"plan": plan.pk, "from": plan.from_staff_id, "items": item_ids}


def _assign_chats(plan: HandoverPlan, item_ids: list[int]) -> int:
    """Chats go to who owns the fewest, colleagues of the department first."""
    chats = list(HandoverItem.objects.filter(pk__in=item_ids).of_chats().order_by("chat_id"))
    if not chats:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(TAKERS, _parameters(plan, item_ids))
        takers = cursor.fetchall()
    near = [taker for taker, _load, is_near in takers if is_near]
    pool = near or [taker for taker, _load, _near in takers]
    if not pool:
        return 0
    owned = Counter(chat.staff_id for chat in chats_of(pool, corp=plan.corp))
    heap = [(owned[taker] + _planned_chats(plan, taker, item_ids), taker) for taker in pool]
    heapq.heapify(heap)
    for chat in chats:
        load, chat.to_staff_id = heap[0]
        heapq.heapreplace(heap, (load + 1, chat.to_staff_id))
    HandoverItem.objects.bulk_update(chats, ["to_staff"], batch_size=500)
    return len(chats)


def _planned_chats(plan: HandoverPlan, taker: int, item_ids: list[int]) -> int:
    planned = HandoverItem.objects.open().of_chats().filter(plan=plan, to_staff=taker)
    return planned.exclude(pk__in=item_ids).count()
