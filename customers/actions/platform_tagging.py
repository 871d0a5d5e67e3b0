"""Who carries which of the platform's tags: asked of it, and followed when it has agreed."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from customers.actions.derived import composed, derive, lock_customers
from customers.actions.tag_changes import Change, Origin, read_change, read_rivals
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import Customer, Follow, FollowQuerySet, Tag, TagAssignment, TimelineEntry
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.models import Operation, Refresh
from scrm.channels.operations import TAG_CUSTOMER, tag_serial_key
from scrm.tenancy.models import Corp

_OPERATIONS_AT_ONCE = 1000
EXPIRED = "expired"


def ask_to_tag_follows(
    follow_ids: Sequence[int],
    *,
    corp: Corp,
    add: Sequence[Tag],
    now: datetime,
    source: TimelineEntry.Source,
    why: dict[str, Any],
) -> int:
    """Ask the platform to give its tags to these live follows; return how many need some."""
    origin = Origin(source, dict(why))
    change = read_change(add, [], until=None, corp=corp, origin=origin, now=now)
    displaced = read_rivals(change.add)
    follows = Follow.objects.for_corp(corp).filter(pk__in=follow_ids)
    return ask_platform(
        follows, Change(corp, origin, now, change.add, displaced=displaced).of(platform=True)
    )


def ask_platform(follows: FollowQuerySet, change: Change) -> int:
    """Return how many of the live follows the platform is asked to change.

    Who carries a tag already and is given it again has its end set anew, here and at once.
    """
    if not change:
        return 0
    wishes = _wishes(follows, change)
    is_persons, asked = change.origin.source == TimelineEntry.Source.PERSON, 0
    while batch := list(islice(wishes, _OPERATIONS_AT_ONCE)):
        asked += len(batch)
        priority = Operation.Priority.of_act(asked, is_persons=is_persons)
        enqueue_operations(
            TAG_CUSTOMER, corp=change.corp, wishes=batch, now=change.now, priority=priority
        )
    _renew(follows, change)
    return asked


def _renew(follows: FollowQuerySet, change: Change) -> None:
    for tag in change.add:
        carried = TagAssignment.objects.for_corp(change.corp).filter(tag=tag.id)
        carried = carried.filter(follow__in=follows.live().order_by().values("pk"))
        until = change.end_of(tag)
        if until is None:
            carried = carried.filter(until__isnull=False)
        carried.update(until=until)


@transaction.atomic
def apply_tagging_outcome(operation: Operation, now: datetime) -> None:
    """Follow what the platform accepted; after a refusal look at what it has instead."""
    userid = operation.payload["userid"]
    external_userid = operation.payload["external_userid"]
    if operation.status == Operation.Status.FAILED:
        request_refresh(Refresh.Kind.CUSTOMER, corp=operation.corp, now=now, key=external_userid)
        request_refresh(Refresh.Kind.TAGS, corp=operation.corp, now=now)
    follows = Follow.objects.for_corp(operation.corp).filter(
        staff__userid=userid, customer__external_userid=external_userid
    )
    if not (follow := follows.first()):
        return
    if operation.status == Operation.Status.SUCCEEDED:
        _retag_follow(follow, operation, now=now)
    elif operation.payload.get("why", {}).get("reason") == EXPIRED:
        # It stays with her: or it would be due, and asked for, for ever.
        stays = TagAssignment.objects.filter(follow=follow, until__lte=now)
        stays.filter(tag__wecom_id__in=operation.payload["remove"]).update(until=None)


def _retag_follow(follow: Follow, operation: Operation, *, now: datetime) -> None:
    lock_customers(Customer.objects.filter(pk=follow.customer_id))
    payload = operation.payload
    origin = Origin.of_payload(payload)
    displaced = payload.get("displaced", [])
    with connection.cursor() as cursor:
        cursor.execute(
            _RETAG,
            {
                "corp": operation.corp_id,
                "customer": follow.customer_id,
                "follow": follow.pk,
                "add": payload["add"],
                "remove": payload["remove"],
                "displaced": displaced,
                "until": parse_datetime(payload.get("until") or ""),
                "userid": payload["userid"],
                "source": origin.source,
                "why": json.dumps(origin.why),
                "aside": json.dumps(origin.because("exclusive").why),
                "now": now,
            },
        )
    derive([follow.customer_id], changed=[follow.customer_id], now=now)


_RETAG = f"""
    WITH removed AS (
        DELETE FROM customers_tagassignment a USING customers_tag t
        WHERE a.follow_id = %(follow)s AND t.id = a.tag_id
          AND t.wecom_id = ANY(%(remove)s::text[])
        RETURNING a.*, CASE WHEN t.wecom_id = ANY(%(displaced)s::text[])
            THEN %(aside)s::jsonb ELSE %(why)s::jsonb END AS ended_why
    ), past AS (
        INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
        SELECT {ENDED_COLUMNS}, %(now)s::timestamptz, %(source)s, ended_why FROM removed
    ), added AS (
        INSERT INTO customers_tagassignment
            (corp_id, customer_id, tag_id, follow_id, since, until, source, why)
        SELECT %(corp)s, %(customer)s, t.id, %(follow)s, %(now)s::timestamptz, COALESCE(
                %(until)s::timestamptz,
                %(now)s::timestamptz + t.lasts_days * interval '1 day'
            ), %(source)s, %(why)s::jsonb
        FROM customers_tag t
        WHERE t.corp_id = %(corp)s AND t.deleted_at IS NULL
          AND t.wecom_id = ANY(%(add)s::text[])
        ORDER BY t.id
        ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
        RETURNING tag_id
    )
    INSERT INTO customers_timelineentry
        (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
    SELECT %(corp)s, %(customer)s, type, %(now)s,
        why || jsonb_build_object('tag', tag_id, 'staff', %(userid)s::text),
        %(source)s, %(now)s, type = 'tag.added'
    FROM (
        SELECT 'tag.removed' AS type, tag_id, ended_why AS why FROM removed
        UNION ALL
        SELECT 'tag.added', tag_id, %(why)s::jsonb FROM added
    ) changed
"""  # noqa: S608


def _wishes(follows: FollowQuerySet, change: Change) -> Iterator[Wish]:
    ids, params = follows.live().order_by().values("pk").query.sql_with_params()
    aside = {tag.wecom_id for tag in change.displaced}
    given: dict[str, Any] = {
        "corp": change.corp.pk,
        "add": [tag.id for tag in change.add],
        "remove": [tag.id for tag in (*change.remove, *change.displaced)],
        "kind": TAG_CUSTOMER,
        "serial_key": tag_serial_key("%s", "%s"),
    }
    chosen = composed(ids, params)
    with connection.cursor() as cursor:
        cursor.execute(_LACKING.format(chosen=chosen), given)
        rows = cursor.fetchall()
    for userid, external_userid, added, removed in rows:
        payload: dict[str, Any] = {
            "userid": userid,
            "external_userid": external_userid,
            "add": added,
            "remove": removed,
            "source": change.origin.source,
            "why": change.origin.why,
        }
        if displaced := [wecom_id for wecom_id in removed if wecom_id in aside]:
            payload["displaced"] = displaced
        if change.until and added:
            payload["until"] = change.until.isoformat()
        yield Wish(
            key=f"tag:{uuid.uuid4().hex}",
            payload=payload,
            serial_key=tag_serial_key(userid, external_userid),
        )


# What a follow carries when all that was asked before has been answered: of two wishes that
# wait for the platform, the later one must not be judged by what is there now.
_LACKING = """
    SELECT * FROM (
        SELECT s.userid, c.external_userid,
            ARRAY(
                SELECT t.wecom_id FROM customers_tag t
                WHERE t.id = ANY(%(add)s::int[]) AND t.wecom_id <> ALL(w.given) AND (
                    t.wecom_id = ANY(w.taken) OR NOT EXISTS (
                        SELECT FROM customers_tagassignment a
                        WHERE a.follow_id = f.id AND a.tag_id = t.id
                    )
                ) ORDER BY t.id
            ) AS add,
            ARRAY(
                SELECT t.wecom_id FROM customers_tag t
                WHERE t.id = ANY(%(remove)s::int[]) AND (t.wecom_id = ANY(w.given) OR (
                    t.wecom_id <> ALL(w.taken) AND EXISTS (
                        SELECT FROM customers_tagassignment a
                        WHERE a.follow_id = f.id AND a.tag_id = t.id
                    )
                )) ORDER BY t.id
            ) AS remove
        FROM customers_follow f
        JOIN customers_customer c ON c.id = f.customer_id
        JOIN tenancy_staff s ON s.id = f.staff_id AND s.status <> 'left'
        CROSS JOIN LATERAL (
            SELECT COALESCE(array_agg(id) FILTER (WHERE gives), '{{}}') AS given,
                COALESCE(array_agg(id) FILTER (WHERE NOT gives), '{{}}') AS taken
            FROM (
                SELECT DISTINCT ON (named.id) named.id, named.gives
                FROM channels_operation o CROSS JOIN LATERAL (
                    SELECT jsonb_array_elements_text(o.payload -> 'remove') AS id, false AS gives
                    UNION ALL
                    SELECT jsonb_array_elements_text(o.payload -> 'add'), true
                ) named
                WHERE o.corp_id = %(corp)s AND o.kind = %(kind)s
                  AND o.serial_key = format(%(serial_key)s, s.userid, c.external_userid)
                  AND o.status IN ('pending', 'in_flight', 'unknown')
                ORDER BY named.id, o.id DESC
            ) last_word
        ) w
        WHERE f.id IN ({chosen})
        ORDER BY f.id
    ) AS follow WHERE add <> '{{}}' OR remove <> '{{}}'
"""
