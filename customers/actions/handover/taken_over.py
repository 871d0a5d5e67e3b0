"""What moves when a customer has been taken over: follow, tags, remark, and what others keep."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import connection

from customers.actions.derived import derive, lock_customers
from customers.actions.follow_facts import note_ends
from customers.actions.sightings import note_sightings
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import Customer, Follow, TimelineEntry
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.actions.refreshes import request_refreshes
from scrm.channels.models import Operation, Refresh
from scrm.channels.operations import CHANGE_REMARK, tag_serial_key
from scrm.tenancy.models import Corp, Staff

Listener = Callable[[list[int], Staff, Staff, datetime], None]

_listeners: list[Listener] = []


def subscribe_taken_over(listener: Listener) -> None:
    """Call `listener(customer_ids, from_staff, to_staff, now)` in the transaction that moves them.

    Their follows have been moved already.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def take_over(
    taken: Mapping[int, datetime], *, giver: Staff, taker: Staff, corp: Corp, now: datetime
) -> None:
    """Move customers (id → when the platform gave them) from one member of staff to another.

    The stage stays with the customer. What the callbacks have told already is not undone: a
    customer who left the taker after the takeover stays lost.
    """
    ids = sorted(taken)
    if not ids:
        return
    lock_customers(Customer.objects.filter(pk__in=ids))
    moments = [taken[customer_id] for customer_id in ids]
    were_owner = _end_old_follows(ids, moments, giver)
    _make_new_follows(ids, moments, giver, taker, corp)
    _move_owner_marks(were_owner, taker)
    _move_tags(ids, giver, taker, now)
    derive(ids, changed=ids, now=now)
    ended = Follow.objects.filter(
        staff=giver, customer__in=ids, status=Follow.Status.TRANSFERRED
    ).values_list("pk", flat=True)
    note_ends(ended, source=TimelineEntry.Source.SYNC, now=now)
    external_userids = Customer.objects.filter(pk__in=ids).values_list("external_userid", flat=True)
    note_sightings([(taker.pk, each) for each in external_userids], corp=corp)
    _wish_remarks(ids, giver, taker, corp, now)
    # The platform carries some tags over and not others: read what it made of them.
    request_refreshes(Refresh.Kind.CUSTOMER, corp=corp, now=now, keys=external_userids)
    for listener in tuple(_listeners):
        listener(ids, giver, taker, now)


def _end_old_follows(ids: list[int], moments: list[datetime], giver: Staff) -> list[int]:
    """Return the customers of whom she was the owner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id FROM customers_follow"
            " WHERE staff_id = %s AND customer_id = ANY(%s::bigint[]) AND is_owner",
            [giver.pk, ids],
        )
        owned = [customer_id for (customer_id,) in cursor.fetchall()]
        cursor.execute(
            "UPDATE customers_follow f SET status = 'transferred', ended_at = t.at,"
            " is_owner = false"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (customer_id, at)"
            " WHERE f.staff_id = %s AND f.customer_id = t.customer_id"
            # She may have been added again since.
            " AND ((f.status = 'live' AND f.added_at <= t.at) OR f.status = 'gone')",
            [ids, moments, giver.pk],
        )
    return owned


def _make_new_follows(
    ids: list[int], moments: list[datetime], giver: Staff, taker: Staff, corp: Corp
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_follow AS f (corp_id, customer_id, staff_id, remark, description,
                state, add_way, added_by, added_at, status, is_owner)
            SELECT %s, t.customer_id, %s, '', '', '', %s, %s, t.at, 'live', false
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (customer_id, at)
            ORDER BY t.customer_id
            ON CONFLICT (customer_id, staff_id) DO UPDATE SET
                status = 'live', ended_at = NULL, added_at = excluded.added_at,
                add_way = excluded.add_way, added_by = excluded.added_by
            -- What a sync no longer found ended by our clock, the rest by the platform's.
            WHERE f.status = 'gone' OR (f.status <> 'live' AND f.ended_at <= excluded.added_at)
            """,
            [corp.pk, taker.pk, _ADDED_BY_HANDOVER, giver.userid, ids, moments],
        )


# [doc 92114] add_way: 202, given by an administrator or a member of staff.
_ADDED_BY_HANDOVER = 202


def _move_owner_marks(customer_ids: list[int], taker: Staff) -> None:
    taken = Follow.objects.live().filter(staff=taker, customer__in=customer_ids)
    taken.update(is_owner=True)


def _move_tags(ids: list[int], giver: Staff, taker: Staff, now: datetime) -> None:
    """The platform's tags hang on the follow; those the taker had given stay beside them.

    A tag goes on as it was, with who gave it and until when; one that both had given ends once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH moved AS (
                DELETE FROM customers_tagassignment a
                USING customers_follow old, customers_follow new
                WHERE a.follow_id = old.id AND old.staff_id = %s
                  AND old.customer_id = ANY(%s::bigint[]) AND old.status = 'transferred'
                  AND new.customer_id = old.customer_id AND new.staff_id = %s
                  AND new.status = 'live'
                RETURNING a.*, new.id AS taken_id
            ), kept AS (
                INSERT INTO customers_tagassignment
                    (corp_id, customer_id, tag_id, follow_id, since, until, source, why)
                SELECT corp_id, customer_id, tag_id, taken_id, since, until, source, why FROM moved
                ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
                RETURNING customer_id, tag_id
            )
            INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
            SELECT {ENDED_COLUMNS}, %s, 'system', '{{"reason": "handover"}}'::jsonb FROM moved
            WHERE (customer_id, tag_id) NOT IN (SELECT customer_id, tag_id FROM kept)
            """,  # noqa: S608
            [giver.pk, ids, taker.pk, now],
        )


def _wish_remarks(ids: list[int], giver: Staff, taker: Staff, corp: Corp, now: datetime) -> None:
    """Have the platform write her remark and description onto takers who have none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT new.id, c.external_userid,
                coalesce(nullif(new.remark, ''), old.remark),
                coalesce(nullif(new.description, ''), old.description)
            FROM customers_follow old
            JOIN customers_follow new ON new.customer_id = old.customer_id
                AND new.staff_id = %s AND new.status = 'live'
            JOIN customers_customer c ON c.id = old.customer_id
            WHERE old.staff_id = %s AND old.customer_id = ANY(%s::bigint[])
              AND ((old.remark <> '' AND new.remark = '')
                OR (old.description <> '' AND new.description = ''))
            ORDER BY new.id
            """,
            [taker.pk, giver.pk, ids],
        )
        rows = cursor.fetchall()
    wishes = [
        Wish(
            key=f"remark:{follow_id}:{giver.pk}:{int(now.timestamp())}",
            payload={
                "userid": taker.userid,
                "external_userid": external_userid,
                "remark": remark,
                "description": description,
            },
            serial_key=tag_serial_key(taker.userid, external_userid),
        )
        for follow_id, external_userid, remark, description in rows
    ]
    if wishes:
        enqueue_operations(CHANGE_REMARK, corp=corp, wishes=wishes, now=now)


def record_remark(operation: Operation, now: datetime) -> None:
    """The platform has the remark: so have we; no event tells of changes made by the API."""
    if operation.status != Operation.Status.SUCCEEDED:
        return
    asked = operation.payload
    follow = Follow.objects.filter(
        corp=operation.corp_id,
        staff__userid__iexact=asked["userid"],
        customer__external_userid=asked["external_userid"],
    )
    customer_id = follow.values_list("customer", flat=True).first()
    if customer_id is None:
        return
    # A page of the customer that was read before must not bring the old remark back.
    lock_customers(Customer.objects.filter(pk=customer_id))
    follow.update(remark=asked.get("remark", ""), description=asked.get("description", ""))
    derive([customer_id], changed=[customer_id], now=now)
