"""Somebody is there, or known by something more: what was told of her before becomes hers.

Orders and events of people who are not known wait under a digest. Callers do not come here but to
`identities.adopt_waiting`, which knows the digests.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from customers.actions.judging import judge_customers
from customers.models import BrandEvent, Customer, Order
from scrm.tenancy.models import Corp

# `listener(customer_ids, corp=…, now=…)`; what else waits for people, such as tags in advance.
Listener = Callable[..., object]
# A kind, the digest of a value and the customer who is known by it.
Name = tuple[str, bytes, int]

# An order and the customer it waits for may be written at the same moment, neither seeing the
# other; longer than any transaction that writes either of them.
_LATELY = timedelta(minutes=15)

_listeners: list[Listener] = []


def subscribe_arrivals(listener: Listener) -> None:
    """Call `listener(customer_ids, corp=…, now=…)` in the transaction in which they arrive."""
    if listener not in _listeners:
        _listeners.append(listener)


def anything_waits(corp: Corp) -> bool:
    """Whether an order, an event or a tag of the corp waits for somebody; a look into indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM customers_order"
            "  WHERE corp_id = %(corp)s AND customer_id IS NULL)"
            " OR EXISTS (SELECT FROM customers_brandevent"
            "  WHERE corp_id = %(corp)s AND customer_id IS NULL)"
            " OR EXISTS (SELECT FROM customers_pretag WHERE corp_id = %(corp)s)",
            {"corp": corp.pk},
        )
        return bool(cursor.fetchone()[0])


def adopt(customer_ids: Sequence[int], names: Sequence[Name], *, corp: Corp, now: datetime) -> int:
    """Give orders and events that wait under these names to their customers; return how many.

    What arrives late feeds figures, stages and timeline. It sets nothing off: no fact of it is
    ever fresh.
    """
    adopted: list[int] = []
    if names:
        for model in (Order, BrandEvent):
            adopted += _take(model._meta.db_table, names, corp=corp)
    for listener in _listeners:
        listener(customer_ids, corp=corp, now=now)
    judge_customers(adopted, corp_id=corp.pk, now=now)
    return len(adopted)


def lately_arrived(corp: Corp, *, now: datetime) -> list[int]:
    """Customers for whom something may have been written while they were."""
    since = now - _LATELY
    changed = Customer.objects.for_corp(corp).filter(updated_at__gte=since)
    return sorted({*changed.values_list("pk", flat=True), *_waited_for(corp, since=since)})


def _take(table: str, names: Iterable[Name], *, corp: Corp) -> list[int]:
    kinds, digests, customers = zip(*names, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} w SET customer_id = n.customer"  # noqa: S608 (a table of ours)
            " FROM unnest(%s::text[], %s::bytea[], %s::bigint[]) AS n (kind, digest, customer)"
            " WHERE w.corp_id = %s AND w.customer_id IS NULL AND w.awaited_kind = n.kind"
            " AND w.awaited_digest = n.digest RETURNING w.customer_id",
            [list(kinds), list(digests), list(customers), corp.pk],
        )
        return [customer_id for (customer_id,) in cursor.fetchall()]


def _waited_for(corp: Corp, *, since: datetime) -> Iterable[Any]:
    """Who is known by what something that was told lately waits for."""
    with connection.cursor() as cursor:
        for model in (Order, BrandEvent):
            cursor.execute(
                f"SELECT i.customer_id FROM {model._meta.db_table} w"  # noqa: S608
                " JOIN customers_identity i ON i.corp_id = w.corp_id"
                " AND i.kind = w.awaited_kind AND i.digest = w.awaited_digest"
                " WHERE w.corp_id = %s AND w.customer_id IS NULL AND w.received_at >= %s",
                [corp.pk, since],
            )
            yield from (customer_id for (customer_id,) in cursor.fetchall())
