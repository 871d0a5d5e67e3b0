"""How many customers each taker of a plan has, and will have."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from customers.models import HandoverPlan

_LOADS = """
SELECT s.id, s.userid, s.name,
    (SELECT count(*) FROM customers_follow f
     WHERE f.corp_id = s.corp_id AND f.staff_id = s.id AND f.status = 'live'),
    count(i.id) FILTER (WHERE i.customer_id IS NOT NULL),
    count(i.id) FILTER (WHERE i.customer_id IS NOT NULL AND i.status <> 'succeeded'
        AND NOT EXISTS (
            SELECT FROM customers_follow f
            WHERE f.customer_id = i.customer_id AND f.staff_id = s.id AND f.status = 'live'
        )),
    count(i.id) FILTER (WHERE i.customer_id IS NOT NULL AND i.status = 'succeeded'
        AND EXISTS (
            SELECT FROM customers_follow f
            WHERE f.customer_id = i.customer_id AND f.staff_id = s.id AND f.status = 'live'
              AND f.added_at >= i.takeover_at - interval '5 minutes'
        )),
    count(i.id) FILTER (WHERE i.customer_id IS NULL)
FROM tenancy_staff s
LEFT JOIN customers_handoveritem i ON i.plan_id = %(plan)s AND i.to_staff_id = s.id
    AND i.status IN ('planned', 'asked', 'waiting', 'succeeded') AND i.id <> ALL(%(but)s::bigint[])
WHERE s.id IN (SELECT staff_id FROM customers_handoverplan_takers WHERE handoverplan_id = %(plan)s)
GROUP BY s.id ORDER BY s.name, s.id
"""


@dataclass(frozen=True)
class Load:
    """Customers of one taker: those she had, those of this plan, and what it comes to.

    `after` counts nobody twice: customers who know her already do not add to it.
    """

    staff_id: int
    userid: str
    name: str
    before: int
    customers: int
    after: int
    chats: int


def loads_of(plan: HandoverPlan, *, but: Collection[int] = ()) -> list[Load]:
    """The load of every taker, the items `but` not counted."""
    with connection.cursor() as cursor:
        cursor.execute(_LOADS, {"plan": plan.pk, "but": list(but)})
        return [
            Load(staff_id, userid, name or userid, now - come, customers, now + fresh, chats)
            for staff_id, userid, name, now, customers, fresh, come, chats in cursor.fetchall()
        ]
