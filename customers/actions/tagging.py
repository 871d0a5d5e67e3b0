"""Who carries which tag: ours at once, the platform's by asking it."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction
from django.utils.translation import gettext as _

from customers.actions.derived import derive, lock_customers, locking_sql
from customers.actions.timeline import by_whom, source_of
from customers.models import (
    Customer,
    CustomerQuerySet,
    Follow,
    FollowQuerySet,
    Tag,
    TagKind,
    TimelineEntry,
)
from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.models import Operation, Refresh
from scrm.channels.operations import TAG_CUSTOMER, tag_serial_key
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_OPERATIONS_AT_ONCE = 1000


@dataclass(frozen=True)
class Origin:
    """Who says so, and what else a fact of the timeline is to tell."""

    source: TimelineEntry.Source
    why: dict[str, Any]

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "Origin":
        """What was written into an operation when it was asked."""
        source = payload.get("source", TimelineEntry.Source.SYSTEM)
        return cls(TimelineEntry.Source(source), dict(payload.get("why", {})))


@dataclass(frozen=True)
class Tagged:
    """Tags of ours that were added and removed, and follows the platform was asked to change."""

    added: int = 0
    removed: int = 0
    asked: int = 0


class _Done(NamedTuple):
    """Assignments of ours, and who was chosen."""

    added: int = 0
    removed: int = 0
    customers: int = 0
    first: int = 0


@transaction.atomic
def tag_customers(  # noqa: PLR0913 (one change, spelled out)
    customers: CustomerQuerySet | Iterable[Customer],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    add: Sequence[Tag] = (),
    remove: Sequence[Tag] = (),
    source: TimelineEntry.Source | None = None,
    why: Mapping[str, Any] | None = None,
) -> Tagged:
    """Give tags to customers and take tags from them.

    Our own tags change at once, whatever the number of customers. For platform tags each live
    follow that needs it gets an operation, and our rows follow when the platform has accepted.
    Every change is noted on the timelines with `source` (who says so) and what `why` adds.
    """
    origin = Origin(source or source_of(actor), by_whom(actor) | dict(why or {}))
    _check(add, remove, corp=corp)
    chosen = _chosen(customers, corp=corp)
    # What is looked at before it is changed has to stay as it is. Tags that are only given meet
    # constraints instead, and hundreds of thousands of customers are gone through once.
    if (remove or _platform_ids(add)) and not lock_customers(chosen):
        return Tagged()
    # The platform first, and counted first: `chosen` may itself ask for tags that change now.
    change = (_platform_ids(add), _platform_ids(remove))
    asked = _ask_platform(_follows_of(chosen), *change, corp=corp, origin=origin, now=now)
    change = (_own_ids(add), _own_ids(remove))
    ours = _tag_ours(chosen, *change, corp=corp, origin=origin, now=now)
    if ours.added or ours.removed or asked:
        count = ours.customers if any(change) else chosen.count()
        sole = Customer.objects.filter(pk=ours.first) if any(change) else chosen
        subject: models.Model = sole.get() if count == 1 else corp
        data = {
            "add": [tag.pk for tag in add],
            "remove": [tag.pk for tag in remove],
            "customers": count,
            "asked": asked,
        }
        record("customers.tagged", actor=actor, corp=corp, subject=subject, now=now, data=data)
    return Tagged(added=ours.added, removed=ours.removed, asked=asked)


def ask_to_tag_follows(
    follow_ids: Sequence[int],
    *,
    corp: Corp,
    add: Sequence[Tag],
    now: datetime,
    source: TimelineEntry.Source,
    why: Mapping[str, Any],
) -> int:
    """Ask the platform to give its tags to these live follows; return how many need some."""
    follows = Follow.objects.for_corp(corp).filter(pk__in=follow_ids)
    origin = Origin(source, dict(why))
    return _ask_platform(follows, _platform_ids(add), [], corp=corp, origin=origin, now=now)


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
    payload = operation.payload
    origin = Origin.of_payload(payload)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH removed AS (
                DELETE FROM customers_tagassignment a USING customers_tag t
                WHERE a.follow_id = %(follow)s AND t.id = a.tag_id
                  AND t.wecom_id = ANY(%(remove)s::text[])
                RETURNING a.tag_id
            ), added AS (
                INSERT INTO customers_tagassignment (corp_id, customer_id, tag_id, follow_id, since)
                SELECT %(corp)s, %(customer)s, t.id, %(follow)s, %(now)s FROM customers_tag t
                WHERE t.corp_id = %(corp)s AND t.deleted_at IS NULL
                  AND t.wecom_id = ANY(%(add)s::text[])
                ORDER BY t.id
                ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
                RETURNING tag_id
            )
            INSERT INTO customers_timelineentry
                (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
            SELECT %(corp)s, %(customer)s, type, %(now)s,
                %(why)s::jsonb || jsonb_build_object('tag', tag_id, 'staff', %(userid)s::text),
                %(source)s, %(now)s, type = 'tag.added'
            FROM (
                SELECT 'tag.removed' AS type, tag_id FROM removed
                UNION ALL
                SELECT 'tag.added', tag_id FROM added
            ) changed
            """,
            {
                "corp": operation.corp_id,
                "customer": follow.customer_id,
                "follow": follow.pk,
                "add": payload["add"],
                "remove": payload["remove"],
                "userid": payload["userid"],
                "source": origin.source,
                "why": json.dumps(origin.why),
                "now": now,
            },
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
    usable = share_current_tags([tag.pk for tag in [*add, *remove]], corp=corp)
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


def share_current_tags(tag_ids: Iterable[int], *, corp: Corp) -> set[int]:
    """The ids of those that are not deleted, and will not be before the transaction ends."""
    with connection.cursor() as cursor:
        # FOR SHARE against `forget_tags`: nobody is given a tag that is being deleted.
        cursor.execute(
            "SELECT id FROM customers_tag WHERE corp_id = %s AND id = ANY(%s::int[])"
            " AND deleted_at IS NULL ORDER BY id FOR SHARE",
            [corp.pk, sorted(set(tag_ids))],
        )
        return {tag_id for (tag_id,) in cursor.fetchall()}


def _tag_ours(
    chosen: CustomerQuerySet,
    add: list[int],
    remove: list[int],
    *,
    corp: Corp,
    origin: Origin,
    now: datetime,
) -> _Done:
    if not add and not remove:
        return _Done()
    try:
        locking, params = locking_sql(chosen)
    except EmptyResultSet:
        return _Done()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS (
                SELECT %s::bigint AS corp_id, %s::int[] AS add, %s::int[] AS remove,
                    %s::text AS source, %s::jsonb AS why, %s::timestamptz AS now
            ), chosen (id) AS MATERIALIZED ({locking}), added AS (
                INSERT INTO customers_tagassignment (corp_id, customer_id, tag_id, since)
                SELECT g.corp_id, chosen.id, tag_id, g.now
                FROM given g CROSS JOIN chosen CROSS JOIN unnest(g.add) AS tag_id
                ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
                RETURNING customer_id, tag_id
            ), removed AS (
                DELETE FROM customers_tagassignment a USING given g, chosen
                WHERE a.customer_id = chosen.id AND a.follow_id IS NULL AND a.tag_id = ANY(g.remove)
                RETURNING a.customer_id, a.tag_id
            ), noted AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT g.corp_id, c.customer_id, c.type, g.now,
                    g.why || jsonb_build_object('tag', c.tag_id), g.source, g.now,
                    c.type = 'tag.added'
                FROM given g CROSS JOIN (
                    SELECT 'tag.added' AS type, added.* FROM added
                    UNION ALL
                    SELECT 'tag.removed', removed.* FROM removed
                ) c
            ), changed AS (
                SELECT customer_id FROM added UNION SELECT customer_id FROM removed
            ), sets AS (
                INSERT INTO customers_customertagset AS s
                    (customer_id, corp_id, tag_ids, changed_at)
                SELECT changed.customer_id, g.corp_id, g.add, g.now
                FROM given g CROSS JOIN changed
                ON CONFLICT (customer_id) DO UPDATE SET changed_at = excluded.changed_at,
                    tag_ids = ARRAY(
                        SELECT DISTINCT tag_id FROM given g, unnest(s.tag_ids || g.add) AS tag_id
                        WHERE tag_id <> ALL(g.remove) ORDER BY tag_id
                    )
            )
            SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM removed),
                (SELECT count(*) FROM chosen), (SELECT COALESCE(min(id), 0) FROM chosen)
            """,  # noqa: S608
            [corp.pk, add, remove, origin.source, json.dumps(origin.why), now, *params],
        )
        done = _Done(*cursor.fetchone())
        if done.removed:
            # Who lost the last tag has no array that could say when.
            cursor.execute(
                "WITH emptied AS (DELETE FROM customers_customertagset"
                " WHERE corp_id = %s AND tag_ids = '{}' RETURNING customer_id)"
                " UPDATE customers_customer SET updated_at = %s"
                " WHERE id IN (SELECT customer_id FROM emptied)",
                [corp.pk, now],
            )
    return done


def _follows_of(chosen: CustomerQuerySet) -> FollowQuerySet:
    return Follow.objects.filter(customer__in=chosen.order_by().values("pk"))


def _ask_platform(
    follows: FollowQuerySet,
    add: list[int],
    remove: list[int],
    *,
    corp: Corp,
    origin: Origin,
    now: datetime,
) -> int:
    """Return how many of the live follows the platform is asked to change."""
    wishes = _wishes(follows, add, remove, origin) if add or remove else iter(())
    is_persons, asked = origin.source == TimelineEntry.Source.PERSON, 0
    while batch := list(islice(wishes, _OPERATIONS_AT_ONCE)):
        asked += len(batch)
        priority = Operation.Priority.of_act(asked, is_persons=is_persons)
        enqueue_operations(TAG_CUSTOMER, corp=corp, wishes=batch, now=now, priority=priority)
    return asked


def _wishes(
    follows: FollowQuerySet, add: list[int], remove: list[int], origin: Origin
) -> Iterator[Wish]:
    ids, params = follows.live().order_by().values("pk").query.sql_with_params()
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
                WHERE f.id IN ({ids})
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
            "source": origin.source,
            "why": origin.why,
        }
        yield Wish(
            key=f"tag:{uuid.uuid4().hex}",
            payload=payload,
            serial_key=tag_serial_key(userid, external_userid),
        )
