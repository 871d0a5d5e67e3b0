"""The platform's tags and their groups, as the platform has them."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction

from customers.actions.counts import Counts
from customers.actions.derived import lock_customers
from customers.actions.tag_spans import ENDED_COLUMNS, PAST_COLUMNS
from customers.models import Customer, Tag, TagAssignment, TagKind, TagQuerySet
from scrm.channels.base import FollowRecord, TagGroupRecord
from scrm.tenancy.models import Corp

# Tags of customer-contact rule groups are carried by customers but appear in no list of tags.
RULE_GROUPS = "规则组标签"


@transaction.atomic
def apply_tag_groups(groups: Sequence[TagGroupRecord], *, corp: Corp, now: datetime) -> Counts:
    """Make the platform's tags as it lists them; what is not listed is deleted here too."""
    _lock_platform_tags(corp)
    _apply_groups(groups, corp=corp, now=now)
    written = _apply_tags(groups, corp=corp)
    listed = [tag.wecom_id for group in groups for tag in group.tags]
    vanished = _listed_tags(corp).exclude(wecom_id__in=listed)
    ended = forget_tags(list(vanished.values_list("pk", flat=True)), corp=corp, now=now)
    return Counts(
        platform=len(set(listed)),
        local=_listed_tags(corp).count(),
        created=sum(written),
        updated=len(written) - sum(written),
        ended=ended,
    )


@transaction.atomic
def add_listed_groups(groups: Sequence[TagGroupRecord], *, corp: Corp) -> None:
    """Take in groups and tags that the platform has just made; others stay as they are."""
    _lock_platform_tags(corp)
    _write_groups(groups, corp=corp)
    _apply_tags(groups, corp=corp)


def ensure_platform_tags(follows: Iterable[FollowRecord], *, corp: Corp) -> None:
    """Make a row for tags that customers carry but no list has told of.

    The rows found are locked against deletion until the transaction ends, so that nobody is
    given a tag that is being deleted.
    """
    named: dict[str, tuple[str, str] | None] = {}
    for follow in follows:
        for wecom_id in follow.tag_ids:
            named[wecom_id] = follow.tag_names.get(wecom_id) or named.get(wecom_id)
    if not named:
        return
    unknown = dict(named)
    for wecom_id, name, group_name, group_id in _share_tags(list(named), corp=corp):
        told = named[wecom_id]
        if group_id or told is None or (_placeholder_group(told), told[1]) == (group_name, name):
            del unknown[wecom_id]
    if unknown:
        _name_placeholders(unknown, corp=corp)


def forget_tags(tag_ids: Sequence[int], *, corp: Corp, now: datetime) -> int:
    """Delete tags, and take them from everybody who carries them; return how many were deleted."""
    if not tag_ids:
        return 0
    tags = Tag.objects.for_corp(corp).current().filter(pk__in=tag_ids).order_by("pk")
    # Against `tag_customers`: either it sees the tag deleted, or we see whom it tagged.
    deleted = [tag.pk for tag in tags.select_for_update()]
    Tag.objects.filter(pk__in=deleted).update(deleted_at=now)
    carried = TagAssignment.objects.for_corp(corp).filter(tag__in=deleted)
    lock_customers(Customer.objects.filter(pk__in=carried.values("customer")))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH taken AS (
                DELETE FROM customers_tagassignment
                WHERE corp_id = %(corp)s AND tag_id = ANY(%(deleted)s::int[])
                RETURNING *
            ), past AS (
                INSERT INTO customers_pasttagassignment ({PAST_COLUMNS})
                SELECT {ENDED_COLUMNS}, %(now)s::timestamptz, 'system',
                    '{{"reason": "tag_deleted"}}'::jsonb
                FROM taken
            ), noted AS (
                -- Once per customer, through however many follows it was carried.
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT DISTINCT %(corp)s, customer_id, 'tag.removed', %(now)s::timestamptz,
                    jsonb_build_object('tag', tag_id, 'reason', 'tag_deleted'), 'system',
                    %(now)s::timestamptz, false
                FROM taken
            )
            UPDATE customers_customer SET updated_at = %(now)s
            WHERE id IN (SELECT customer_id FROM taken)
            """,  # noqa: S608
            {"corp": corp.pk, "deleted": deleted, "now": now},
        )
        cursor.execute(
            "UPDATE customers_customertagset SET tag_ids = ARRAY("
            " SELECT kept FROM unnest(tag_ids) AS kept WHERE kept <> ALL(%(gone)s::int[])"
            " ORDER BY kept) WHERE tag_ids && %(gone)s::int[]",
            {"gone": deleted},
        )
        cursor.execute(
            "DELETE FROM customers_customertagset WHERE corp_id = %s AND tag_ids = '{}'", [corp.pk]
        )
    return len(deleted)


def _listed_tags(corp: Corp) -> TagQuerySet:
    """The platform's tags without those of rule groups, which no list contains."""
    platform = Tag.objects.for_corp(corp).filter(kind=TagKind.WECOM)
    return platform.exclude(group__wecom_id="").current()


def _lock_platform_tags(corp: Corp) -> None:
    tags = Tag.objects.for_corp(corp).filter(kind=TagKind.WECOM).order_by("pk")
    # In one order, because pages of customers share-lock several of them (`_share_tags`).
    list(tags.select_for_update(no_key=True).values_list("pk", flat=True))


def _share_tags(wecom_ids: list[str], *, corp: Corp) -> list[tuple[str, str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.wecom_id, t.name, g.name, g.wecom_id FROM customers_tag t"
            " JOIN customers_taggroup g ON g.id = t.group_id"
            " WHERE t.corp_id = %s AND t.wecom_id = ANY(%s::text[])"
            " ORDER BY t.id FOR SHARE OF t",
            [corp.pk, wecom_ids],
        )
        return list(cursor.fetchall())


def _apply_groups(groups: Sequence[TagGroupRecord], *, corp: Corp, now: datetime) -> None:
    _write_groups(groups, corp=corp)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE customers_taggroup SET deleted_at = %s WHERE corp_id = %s"
            " AND wecom_id <> '' AND deleted_at IS NULL AND wecom_id <> ALL(%s::text[])",
            [now, corp.pk, [group.wecom_id for group in groups]],
        )


def _write_groups(groups: Sequence[TagGroupRecord], *, corp: Corp) -> None:
    rows = [{"id": group.wecom_id, "name": group.name, "order": group.order} for group in groups]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_taggroup AS g
                (corp_id, wecom_id, name, kind, "order", deleted_at)
            SELECT %s, r.id, left(r.name, 64), 'wecom', r."order", NULL
            FROM jsonb_to_recordset(%s::jsonb) AS r (id text, name text, "order" bigint)
            ON CONFLICT (corp_id, wecom_id) WHERE NOT (wecom_id = '') DO UPDATE SET
                name = excluded.name, "order" = excluded."order", deleted_at = NULL
            WHERE (g.name, g."order", g.deleted_at) IS DISTINCT FROM
                (excluded.name, excluded."order", NULL)
            """,
            [corp.pk, json.dumps(rows)],
        )


def _apply_tags(groups: Sequence[TagGroupRecord], *, corp: Corp) -> list[bool]:
    """Return one item per tag written: whether it is new."""
    rows = [
        {"group": group.wecom_id, "id": tag.wecom_id, "name": tag.name, "order": tag.order}
        for group in groups
        for tag in group.tags
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_tag AS t
                (corp_id, group_id, wecom_id, name, kind, "order", deleted_at)
            SELECT DISTINCT ON (r.id)
                %(corp)s, g.id, r.id, left(r.name, 64), 'wecom', r."order", NULL::timestamptz
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                "group" text, id text, name text, "order" bigint
            )
            JOIN customers_taggroup g ON g.corp_id = %(corp)s AND g.wecom_id = r."group"
            ORDER BY r.id
            ON CONFLICT (corp_id, wecom_id) WHERE NOT (wecom_id = '') DO UPDATE SET
                group_id = excluded.group_id, name = excluded.name, "order" = excluded."order",
                deleted_at = NULL
            WHERE (t.group_id, t.name, t."order", t.deleted_at) IS DISTINCT FROM
                (excluded.group_id, excluded.name, excluded."order", NULL)
            RETURNING t.xmax = 0
            """,
            {"corp": corp.pk, "rows": json.dumps(rows)},
        )
        return [is_new for (is_new,) in cursor.fetchall()]


def _placeholder_group(told: tuple[str, str] | None) -> str:
    return f"{RULE_GROUPS}/{told[0]}"[:64] if told else RULE_GROUPS


def _name_placeholders(unknown: dict[str, tuple[str, str] | None], *, corp: Corp) -> None:
    rows = [
        {"id": wecom_id, "group": _placeholder_group(told), "name": told[1] if told else wecom_id}
        for wecom_id, told in sorted(unknown.items())
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO customers_taggroup (corp_id, wecom_id, name, kind, "order")'
            " SELECT DISTINCT %s, '', name, 'wecom', 0 FROM unnest(%s::text[]) AS named (name)"
            " ON CONFLICT (corp_id, kind, name) WHERE deleted_at IS NULL AND wecom_id = ''"
            " DO NOTHING",
            [corp.pk, [row["group"] for row in rows]],
        )
        cursor.execute(
            """
            INSERT INTO customers_tag AS t (corp_id, group_id, wecom_id, name, kind, "order")
            SELECT %(corp)s, g.id, r.id, left(r.name, 64), 'wecom', 0
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r ("group" text, id text, name text)
            JOIN customers_taggroup g ON g.corp_id = %(corp)s AND g.kind = 'wecom'
                AND g.wecom_id = '' AND g.deleted_at IS NULL AND g.name = r."group"
            ON CONFLICT (corp_id, wecom_id) WHERE NOT (wecom_id = '') DO UPDATE SET
                group_id = excluded.group_id, name = excluded.name
            """,
            {"corp": corp.pk, "rows": json.dumps(rows)},
        )
