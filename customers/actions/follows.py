"""Who follows whom, as the platform lists it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from customers.actions.channel_rules import apply_channel_rules, read_channel_rules
from customers.actions.derived import derive, lock_customers
from customers.actions.directory import resolve_staff
from customers.actions.follow_facts import note_beginnings, note_ends
from customers.actions.identities import adopt_waiting
from customers.actions.judging import judge_customers
from customers.actions.sightings import note_sightings
from customers.actions.tag_catalogue import ensure_platform_tags
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import Customer, Follow, TimelineEntry
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.tenancy.models import Corp

Relation = tuple[CustomerRecord, FollowRecord]

# A follow that the customer ended is still listed by the platform (the relation is one-way then);
# only one that began later is a new friendship.
_STAYS_ENDED = "(f.status = 'deleted_by_customer' AND excluded.added_at <= f.ended_at)"


@dataclass(frozen=True)
class Applied:
    """What a page of relations changed; counts are follows unless named otherwise.

    `overtaken` are the ids of customers that changed here after the page had been asked for:
    what the page says of them is older than what we know, and was left out.
    """

    created: int
    updated: int
    unchanged: int
    customers_created: int
    customers_updated: int
    overtaken: frozenset[str]


class _Written(NamedTuple):
    follow_id: int
    customer_id: int
    is_new: bool = False


@transaction.atomic
def apply_relations(
    relations: Sequence[Relation], *, corp: Corp, now: datetime, read_at: datetime
) -> Applied:
    """Make customers, follows and platform tags as the platform listed them at `read_at`.

    A constant number of statements for any number of relations; what is listed as we have it
    is not written at all.
    """
    staff = resolve_staff((follow.userid for _, follow in relations), corp=corp)
    listed = {(staff[f.userid], c.external_userid): (c, f) for c, f in relations}
    ensure_platform_tags((follow for _, follow in listed.values()), corp=corp)
    rules = read_channel_rules((follow.state for _, follow in listed.values()), corp=corp)
    overtaken = _lock_listed(listed, corp=corp, read_at=read_at)
    fresh = {pair: records for pair, records in listed.items() if pair[1] not in overtaken}
    rows = json.dumps([_row_of(pair[0], *records) for pair, records in fresh.items()])
    customers = _upsert_customers(rows, corp=corp, now=now)
    follows = _upsert_follows(rows, corp=corp)
    retagged = _apply_tags(rows, corp=corp, now=now)
    derive(
        [*customers, *(row.customer_id for row in [*follows, *retagged])],
        changed=[row.customer_id for row in [*follows, *retagged]],
        now=now,
    )
    # New ones, and those of whom a unionid was learnt.
    adopt_waiting(customers, corp=corp, now=now)
    note_sightings(listed, corp=corp)
    written = [row.follow_id for row in follows]
    begun = note_beginnings(written, source=TimelineEntry.Source.SYNC, now=now)
    apply_channel_rules(begun, rules=rules, corp=corp, now=now)
    judge_customers((each.customer_id for each in begun), corp_id=corp.pk, now=now)
    created = {row.follow_id for row in follows if row.is_new}
    changed = {row.follow_id for row in [*follows, *retagged]}
    return Applied(
        created=len(created),
        updated=len(changed - created),
        unchanged=len(fresh) - len(changed),
        customers_created=sum(customers.values()),
        customers_updated=len(customers) - sum(customers.values()),
        overtaken=overtaken,
    )


@transaction.atomic
def end_follows(
    follow_ids: Iterable[int],
    *,
    status: Follow.Status,
    now: datetime,
    ended_at: datetime | None = None,
) -> int:
    """End the live ones of these follows; a customer whom nobody follows any more is kept.

    `ended_at` is when it happened, if that is known to be before `now`.
    """
    ids = list(follow_ids)
    if not ids:
        return 0
    ending = Follow.objects.live().filter(pk__in=ids)
    lock_customers(Customer.objects.filter(pk__in=ending.values("customer")))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE customers_follow SET status = %s, ended_at = %s, is_owner = false"
            " WHERE id = ANY(%s::bigint[]) AND status = 'live'"
            " RETURNING id, customer_id, corp_id",
            [status, ended_at or now, ids],
        )
        ended = cursor.fetchall()
    customers = [customer_id for _, customer_id, _ in ended]
    derive(customers, changed=customers, now=now)
    note_ends((pk for pk, _, _ in ended), source=TimelineEntry.Source.SYNC, now=now)
    for corp_id in {corp_id for _, _, corp_id in ended}:
        judge_customers(customers, corp_id=corp_id, now=now)
    return len(ended)


@transaction.atomic
def end_unlisted(
    external_userid: str, *, corp: Corp, listed: Iterable[int], now: datetime, read_at: datetime
) -> bool:
    """End the follows of a customer that the platform did not list at `read_at`, by staff id.

    It lists only members who serve customers now: who has left keeps the follow until it is
    handed over. False, and nothing ended, when the customer changed here since.
    """
    if _lock_listed([(0, external_userid)], corp=corp, read_at=read_at):
        return False
    unlisted = Follow.objects.for_corp(corp).live().exclude(staff__in=list(listed))
    unlisted = unlisted.filter(
        customer__external_userid=external_userid, staff__has_customer_contact=True
    )
    end_follows(unlisted.values_list("pk", flat=True), status=Follow.Status.GONE, now=now)
    return True


def _lock_listed(
    pairs: Iterable[tuple[int, str]], *, corp: Corp, read_at: datetime
) -> frozenset[str]:
    """Lock the customers that we have already; return those that changed after `read_at`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT external_userid, updated_at > %s FROM customers_customer"
            " WHERE corp_id = %s AND external_userid = ANY(%s::text[])"
            " ORDER BY id FOR NO KEY UPDATE",
            [read_at, corp.pk, sorted({external_userid for _, external_userid in pairs})],
        )
        return frozenset(external_userid for external_userid, later in cursor.fetchall() if later)


def _row_of(staff_id: int, customer: CustomerRecord, follow: FollowRecord) -> dict[str, Any]:
    """One relation as JSON; texts are cut to their columns, in which NUL cannot be stored."""
    texts = {
        "external_userid": (customer.external_userid, 64),
        "unionid": (customer.unionid, 64),
        "name": (customer.name, 128),
        "avatar": (customer.avatar, 512),
        "position": (customer.position, 128),
        "company": (customer.company, 128),
        "remark": (follow.remark, 128),
        "description": (follow.description, 512),
        "state": (follow.state, 64),
        "added_by": (follow.added_by, 64),
    }
    return {name: text.replace("\0", "")[:limit] for name, (text, limit) in texts.items()} | {
        "staff_id": staff_id,
        "type": customer.type if customer.type in Customer.Type else Customer.Type.WECHAT,
        "gender": customer.gender if customer.gender in Customer.Gender else 0,
        "add_way": follow.add_way if 0 <= follow.add_way < 2**15 else 0,
        "added_at": follow.added_at.isoformat(),
        "tags": list(follow.tag_ids),
    }


def _upsert_customers(rows: str, *, corp: Corp, now: datetime) -> dict[int, bool]:
    """Return the ids of the customers written, with whether they are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_customer AS c (
                corp_id, external_userid, unionid, name, avatar, type, gender, position, company,
                attributes, is_blocked, live_follows, created_at, updated_at
            )
            SELECT DISTINCT ON (r.external_userid)
                %(corp)s, r.external_userid, r.unionid, r.name, r.avatar, r.type, r.gender,
                r.position, r.company, '{}', false, 0, %(now)s, %(now)s
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                external_userid text, unionid text, name text, avatar text, type smallint,
                gender smallint, position text, company text
            )
            ORDER BY r.external_userid
            ON CONFLICT (corp_id, external_userid) DO UPDATE SET
                -- The platform tells it only while a developer account is bound.
                unionid = COALESCE(NULLIF(excluded.unionid, ''), c.unionid),
                name = excluded.name, avatar = excluded.avatar, type = excluded.type,
                gender = excluded.gender, position = excluded.position,
                company = excluded.company, updated_at = excluded.updated_at
            WHERE (c.name, c.avatar, c.type, c.gender, c.position, c.company)
                IS DISTINCT FROM (
                    excluded.name, excluded.avatar, excluded.type, excluded.gender,
                    excluded.position, excluded.company
                )
                OR (excluded.unionid <> '' AND excluded.unionid <> c.unionid)
            RETURNING c.id, c.xmax = 0
            """,
            {"corp": corp.pk, "now": now, "rows": rows},
        )
        return dict(cursor.fetchall())


def _upsert_follows(rows: str, *, corp: Corp) -> list[_Written]:
    """Return the follows written; xmax is 0 for a row that did not exist before."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO customers_follow AS f (
                corp_id, customer_id, staff_id, remark, description, state, add_way, added_by,
                added_at, status, is_owner
            )
            SELECT %(corp)s, c.id, r.staff_id, r.remark, r.description, r.state, r.add_way, r.added_by,
                r.added_at, 'live', false
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                external_userid text, staff_id bigint, remark text, description text, state text,
                add_way smallint, added_by text, added_at timestamptz
            )
            JOIN customers_customer c
                ON c.corp_id = %(corp)s AND c.external_userid = r.external_userid
            ORDER BY c.id, r.staff_id
            ON CONFLICT (customer_id, staff_id) DO UPDATE SET
                remark = excluded.remark, description = excluded.description,
                state = excluded.state, add_way = excluded.add_way, added_by = excluded.added_by,
                added_at = excluded.added_at,
                status = CASE WHEN {_STAYS_ENDED} THEN f.status ELSE 'live' END,
                ended_at = CASE WHEN {_STAYS_ENDED} THEN f.ended_at END
            WHERE (f.remark, f.description, f.state, f.add_way, f.added_by, f.added_at)
                IS DISTINCT FROM (
                    excluded.remark, excluded.description, excluded.state, excluded.add_way,
                    excluded.added_by, excluded.added_at
                )
                OR (f.status <> 'live' AND NOT {_STAYS_ENDED})
            RETURNING f.id, f.customer_id, f.xmax = 0
            """,  # noqa: S608
            {"corp": corp.pk, "rows": rows},
        )
        return [_Written(*row) for row in cursor.fetchall()]


def _apply_tags(rows: str, *, corp: Corp, now: datetime) -> list[_Written]:
    """Give each listed follow exactly its listed platform tags; return the follows that changed.

    Each difference is a fact: found now, since the platform does not tell when it came about.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH listed AS (
                SELECT f.id AS follow_id, f.customer_id, f.staff_id, r.tags
                FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                    external_userid text, staff_id bigint, tags text[]
                )
                JOIN customers_customer c
                    ON c.corp_id = %(corp)s AND c.external_userid = r.external_userid
                JOIN customers_follow f ON f.customer_id = c.id AND f.staff_id = r.staff_id
            ), wanted AS (
                SELECT DISTINCT l.follow_id, l.customer_id, t.id AS tag_id, t.lasts_days
                FROM listed l
                CROSS JOIN unnest(l.tags) AS named (wecom_id)
                JOIN customers_tag t ON t.corp_id = %(corp)s AND t.wecom_id = named.wecom_id
                    AND t.deleted_at IS NULL
            ), removed AS (
                DELETE FROM customers_tagassignment a USING listed l
                WHERE a.follow_id = l.follow_id AND NOT EXISTS (
                    SELECT FROM wanted w
                    WHERE w.follow_id = a.follow_id AND w.tag_id = a.tag_id
                )
                RETURNING a.*
            ), past AS (
                INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
                SELECT {ENDED_COLUMNS}, %(now)s::timestamptz, 'sync', '{{}}'::jsonb FROM removed
            ), added AS (
                INSERT INTO customers_tagassignment
                    (corp_id, customer_id, tag_id, follow_id, since, until, source)
                SELECT %(corp)s, customer_id, tag_id, follow_id, %(now)s::timestamptz,
                    %(now)s::timestamptz + lasts_days * interval '1 day', 'sync'
                FROM wanted
                ON CONFLICT (customer_id, tag_id, follow_id) DO NOTHING
                RETURNING follow_id, customer_id, tag_id
            ), noted AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT %(corp)s, d.customer_id, d.type, %(now)s,
                    jsonb_build_object('tag', d.tag_id, 'staff', s.userid), 'sync', %(now)s,
                    d.type = 'tag.added'
                FROM (
                    SELECT 'tag.removed' AS type, follow_id, customer_id, tag_id FROM removed
                    UNION ALL
                    SELECT 'tag.added', added.* FROM added
                ) d JOIN listed l USING (follow_id) JOIN tenancy_staff s ON s.id = l.staff_id
            )
            SELECT follow_id, customer_id FROM removed
            UNION
            SELECT follow_id, customer_id FROM added
            """,  # noqa: S608
            {"corp": corp.pk, "rows": rows, "now": now},
        )
        return [_Written(*row) for row in cursor.fetchall()]
