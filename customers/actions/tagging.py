"""Who carries which tag: ours at once, the platform's by asking it."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, models, transaction
from django.utils.translation import gettext as _

from customers.actions.derived import derive, lock_customers
from customers.models import Customer, CustomerQuerySet, Follow, Tag, TagAssignment, TagKind
from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.models import Operation, Refresh
from scrm.channels.operations import TAG_CUSTOMER, tag_serial_key
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_OPERATIONS_AT_ONCE = 1000


@dataclass(frozen=True)
class Tagged:
    """Tags of ours that were added and removed, and follows the platform was asked to change."""

    added: int = 0
    removed: int = 0
    asked: int = 0


@transaction.atomic
def tag_customers(
    customers: CustomerQuerySet | Iterable[Customer],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    add: Sequence[Tag] = (),
    remove: Sequence[Tag] = (),
) -> Tagged:
    """Give tags to customers and take tags from them.

    Our own tags change at once, whatever the number of customers. For platform tags each live
    follow that needs it gets an operation, and our rows follow when the platform has accepted.
    """
    _check(add, remove, corp=corp)
    chosen = _chosen(customers, corp=corp)
    count = lock_customers(chosen)
    if not count:
        return Tagged()
    subject: models.Model = chosen.get() if count == 1 else corp
    # The platform first, and counted first: `chosen` may itself ask for tags that change now.
    asked = _ask_platform(chosen, _platform_ids(add), _platform_ids(remove), corp=corp, now=now)
    added, removed = _tag_ours(chosen, _own_ids(add), _own_ids(remove), corp=corp, now=now)
    if added or removed or asked:
        data = {
            "add": [tag.pk for tag in add],
            "remove": [tag.pk for tag in remove],
            "customers": count,
            "asked": asked,
        }
        record("customers.tagged", actor=actor, corp=corp, subject=subject, now=now, data=data)
    return Tagged(added=added, removed=removed, asked=asked)


@transaction.atomic
def apply_tagging_outcome(operation: Operation, now: datetime) -> None:
    """Follow what the platform accepted; after a refusal look at what it has instead."""
    userid = operation.payload["userid"]
    external_userid = operation.payload["external_userid"]
    if operation.status == Operation.Status.FAILED:
        request_refresh(Refresh.Kind.CUSTOMER, corp=operation.corp, now=now, key=external_userid)
        request_refresh(Refresh.Kind.TAGS, corp=operation.corp, now=now)
    if operation.status != Operation.Status.SUCCEEDED:
        return
    follows = Follow.objects.for_corp(operation.corp).filter(
        staff__userid=userid, customer__external_userid=external_userid
    )
    if follow := follows.first():
        _retag_follow(follow, operation, now=now)


def _retag_follow(follow: Follow, operation: Operation, *, now: datetime) -> None:
    lock_customers(Customer.objects.filter(pk=follow.customer_id))
    carried = TagAssignment.objects.filter(follow=follow)
    carried.filter(tag__wecom_id__in=operation.payload["remove"]).delete()
    tags = Tag.objects.for_corp(operation.corp).current()
    TagAssignment.objects.bulk_create(
        [
            TagAssignment(
                corp=operation.corp,
                customer_id=follow.customer_id,
                tag=tag,
                follow=follow,
                since=now,
            )
            for tag in tags.filter(wecom_id__in=operation.payload["add"])
        ],
        ignore_conflicts=True,
    )
    derive([follow.customer_id], changed=[follow.customer_id], now=now)


def _chosen(customers: CustomerQuerySet | Iterable[Customer], *, corp: Corp) -> CustomerQuerySet:
    if isinstance(customers, CustomerQuerySet):
        return customers.for_corp(corp)
    return Customer.objects.for_corp(corp).filter(pk__in=[customer.pk for customer in customers])


def _own_ids(tags: Sequence[Tag]) -> list[int]:
    return sorted({tag.pk for tag in tags if tag.kind != TagKind.WECOM})


def _platform_ids(tags: Sequence[Tag]) -> list[int]:
    return sorted({tag.pk for tag in tags if tag.kind == TagKind.WECOM})


def _check(add: Sequence[Tag], remove: Sequence[Tag], *, corp: Corp) -> None:
    usable = _share_current([tag.pk for tag in [*add, *remove]], corp=corp)
    twice = {tag.pk for tag in add} & {tag.pk for tag in remove}
    problems: list[FieldProblem] = []
    for name, tags in (("add", add), ("remove", remove)):
        for index, tag in enumerate(tags):
            if tag.pk not in usable:
                text = _("Tag %(id)s does not exist or has been deleted.") % {"id": tag.pk}
                problems.append(FieldProblem(f"/{name}/{index}", "unknown_id", text))
            elif tag.pk in twice:
                text = _("Tag %(id)s cannot be both added and removed.") % {"id": tag.pk}
                problems.append(FieldProblem(f"/{name}/{index}", "conflict", text))
    if problems:
        raise InvalidInput(
            " ".join(dict.fromkeys(problem.message for problem in problems)),
            errors=tuple(problems),
        )


def _share_current(tag_ids: list[int], *, corp: Corp) -> set[int]:
    with connection.cursor() as cursor:
        # FOR SHARE against `forget_tags`: nobody is given a tag that is being deleted.
        cursor.execute(
            "SELECT id FROM customers_tag WHERE corp_id = %s AND id = ANY(%s::int[])"
            " AND deleted_at IS NULL ORDER BY id FOR SHARE",
            [corp.pk, tag_ids],
        )
        return {tag_id for (tag_id,) in cursor.fetchall()}


def _tag_ours(
    chosen: CustomerQuerySet, add: list[int], remove: list[int], *, corp: Corp, now: datetime
) -> tuple[int, int]:
    """Return how many assignments were added and removed."""
    if not add and not remove:
        return 0, 0
    ids, params = chosen.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS (
                SELECT %s::bigint AS corp_id, %s::int[] AS add, %s::int[] AS remove,
                    %s::timestamptz AS now
            ), chosen AS MATERIALIZED (
                SELECT id FROM customers_customer WHERE id IN ({ids})
                ORDER BY id FOR NO KEY UPDATE
            ), added AS (
                INSERT INTO customers_tagassignment (corp_id, customer_id, tag_id, since)
                SELECT g.corp_id, chosen.id, tag_id, g.now
                FROM given g CROSS JOIN chosen CROSS JOIN unnest(g.add) AS tag_id
                ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
                RETURNING customer_id
            ), removed AS (
                DELETE FROM customers_tagassignment a USING given g, chosen
                WHERE a.customer_id = chosen.id AND a.follow_id IS NULL AND a.tag_id = ANY(g.remove)
                RETURNING a.customer_id
            ), changed AS (
                SELECT customer_id FROM added UNION SELECT customer_id FROM removed
            ), touched AS (
                UPDATE customers_customer c SET updated_at = g.now FROM given g, changed
                WHERE c.id = changed.customer_id
            ), sets AS (
                INSERT INTO customers_customertagset AS s (customer_id, corp_id, tag_ids)
                SELECT changed.customer_id, g.corp_id, g.add FROM given g CROSS JOIN changed
                ON CONFLICT (customer_id) DO UPDATE SET tag_ids = ARRAY(
                    SELECT DISTINCT tag_id FROM given g, unnest(s.tag_ids || g.add) AS tag_id
                    WHERE tag_id <> ALL(g.remove) ORDER BY tag_id
                )
            )
            SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM removed)
            """,  # noqa: S608
            [corp.pk, add, remove, now, *params],
        )
        added, removed = cursor.fetchone()
        if removed:
            cursor.execute(
                "DELETE FROM customers_customertagset WHERE corp_id = %s AND tag_ids = '{}'",
                [corp.pk],
            )
    return added, removed


def _ask_platform(
    chosen: CustomerQuerySet, add: list[int], remove: list[int], *, corp: Corp, now: datetime
) -> int:
    """Return how many follows the platform is asked to change."""
    wishes = _wishes(chosen, add, remove) if add or remove else iter(())
    asked = 0
    while batch := list(islice(wishes, _OPERATIONS_AT_ONCE)):
        enqueue_operations(TAG_CUSTOMER, corp=corp, wishes=batch, now=now)
        asked += len(batch)
    return asked


def _wishes(chosen: CustomerQuerySet, add: list[int], remove: list[int]) -> Iterator[Wish]:
    ids, params = chosen.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT * FROM (
                SELECT s.userid, c.external_userid,
                    ARRAY(
                        SELECT t.wecom_id FROM customers_tag t
                        WHERE t.id = ANY(%s::int[]) AND NOT EXISTS (
                            SELECT FROM customers_tagassignment a
                            WHERE a.follow_id = f.id AND a.tag_id = t.id
                        ) ORDER BY t.id
                    ) AS add,
                    ARRAY(
                        SELECT t.wecom_id FROM customers_tagassignment a
                        JOIN customers_tag t ON t.id = a.tag_id
                        WHERE a.follow_id = f.id AND t.id = ANY(%s::int[]) ORDER BY t.id
                    ) AS remove
                FROM customers_follow f
                JOIN customers_customer c ON c.id = f.customer_id
                JOIN tenancy_staff s ON s.id = f.staff_id AND s.status <> 'left'
                WHERE f.status = 'live' AND c.id IN ({ids})
                ORDER BY f.id
            ) AS follow WHERE add <> '{{}}' OR remove <> '{{}}'
            """,  # noqa: S608
            [add, remove, *params],
        )
        rows = cursor.fetchall()
    for userid, external_userid, added, removed in rows:
        payload: dict[str, Any] = {
            "userid": userid,
            "external_userid": external_userid,
            "add": added,
            "remove": removed,
        }
        yield Wish(
            key=f"tag:{uuid.uuid4().hex}",
            payload=payload,
            serial_key=tag_serial_key(userid, external_userid),
        )
