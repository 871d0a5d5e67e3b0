"""Rows for benchmarks: a corp of any size, made inside PostgreSQL, the same for the same size."""

from datetime import datetime

from django.db import connection, transaction

from scrm.tenancy.models import Corp

STAFF = 200
TAGS = 200
TAGS_EACH = 8

# Numbers in 0..1 that look random and are the same in every run.
_DICE = "(('x' || substr(md5(n::text || '{salt}'), 1, 8))::bit(32)::bigint / 4294967296.0)"


def seed_scale(*, customers: int, now: datetime) -> Corp:
    """Make the corp `scale-<customers>` anew; returns it. A million customers take minutes."""
    corp_id = f"scale-{customers}"
    with transaction.atomic():
        _remove(corp_id)
        corp = Corp.objects.create(
            corp_id=corp_id,
            name=f"Scale {customers}",
            base_url="http://127.0.0.1:9/cgi-bin/",
            secret="none",  # noqa: S106 — no platform behind it
            callback_token="none",  # noqa: S106
            callback_aes_key="none",
            created_at=now,
        )
        for statement in _statements():
            _execute(statement, {"corp": corp.pk, "size": customers, "now": now})
    for table in ("customer", "follow", "tagassignment", "customertagset"):
        _execute(f"ANALYZE customers_{table}", {})
    return corp


def _remove(corp_id: str) -> None:
    corp = Corp.objects.filter(corp_id=corp_id).first()
    if corp is None:
        return
    _execute(
        "DELETE FROM customers_snapshotmember WHERE snapshot_id IN"
        " (SELECT id FROM customers_segmentsnapshot WHERE corp_id = %(corp)s)",
        {"corp": corp.pk},
    )
    for table in (
        "customers_valuechange", "customers_customervalue", "customers_child", "customers_tagrule",
        "customers_segmentmove", "customers_segmentsnapshot", "customers_segmentmember",
        "campaigns_recipient", "campaigns_task", "campaigns_campaign", "customers_customertagset",
        "customers_tagassignment", "customers_follow", "customers_customer", "customers_segment",
        "customers_tag", "customers_taggroup", "customers_stage", "tenancy_staff",
        "channels_operation",
    ):  # fmt: skip
        _execute(f"DELETE FROM {table} WHERE corp_id = %(corp)s", {"corp": corp.pk})  # noqa: S608
    corp.delete()


def _execute(sql: str, params: dict[str, int | datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _statements() -> list[str]:
    dice = {name: _DICE.format(salt=name) for name in ("gender", "added", "staff")}
    return [
        f"""INSERT INTO tenancy_staff
            (corp_id, userid, name, alias, position, status, has_customer_contact)
        SELECT %(corp)s, 'staff' || n, 'Staff ' || n, '', '', 'active', true
        FROM generate_series(1, {STAFF}) n""",  # noqa: S608
        """INSERT INTO customers_taggroup (corp_id, name, kind, wecom_id, "order")
        VALUES (%(corp)s, 'Scale', 'system', '', 0)""",
        f"""INSERT INTO customers_tag (corp_id, group_id, name, kind, wecom_id, "order")
        SELECT %(corp)s, g.id, 'Tag ' || n, 'system', '', n
        FROM generate_series(1, {TAGS}) n, customers_taggroup g
        WHERE g.corp_id = %(corp)s""",  # noqa: S608
        f"""INSERT INTO customers_customer
            (corp_id, external_userid, unionid, name, avatar, type, gender, position, company,
             attributes, is_blocked, live_follows, added_at, created_at, updated_at)
        SELECT %(corp)s, 'wm' || lpad(n::text, 10, '0'), '', '客户' || n, '', 1,
               floor({dice["gender"]} * 3)::int, '', '',
               jsonb_build_object('city', (array['上海','北京','广州','杭州'])[1 + n %% 4]),
               n %% 997 = 0, CASE WHEN n %% 50 = 0 THEN 0 ELSE 1 END,
               %(now)s::timestamptz - {dice["added"]} * interval '730 days',
               %(now)s, %(now)s
        FROM generate_series(1, %(size)s) n""",  # noqa: S608
        f"""INSERT INTO customers_follow
            (corp_id, customer_id, staff_id, remark, description, state, add_way, added_by,
             added_at, status, ended_at, is_owner)
        SELECT %(corp)s, c.id, s.id, '', '', '', 1, '', c.added_at,
               CASE WHEN c.live_follows = 0 THEN 'deleted_by_customer' ELSE 'live' END,
               CASE WHEN c.live_follows = 0 THEN %(now)s::timestamptz END, false
        FROM (SELECT *, substr(external_userid, 3)::int AS n FROM customers_customer
              WHERE corp_id = %(corp)s) c
        JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS k FROM tenancy_staff
              WHERE corp_id = %(corp)s) s ON s.k = floor({dice["staff"]} * {STAFF})::int""",  # noqa: S608
        # Squares of evenly spread numbers: a few tags are common, most are rare.
        f"""INSERT INTO customers_tagassignment (corp_id, customer_id, tag_id, follow_id, since)
        SELECT DISTINCT %(corp)s, c.id, t.id, NULL::bigint, %(now)s::timestamptz
        FROM (SELECT id, substr(external_userid, 3)::int AS k FROM customers_customer
              WHERE corp_id = %(corp)s) c
        CROSS JOIN generate_series(1, {TAGS_EACH}) i
        CROSS JOIN LATERAL (SELECT c.k * {TAGS_EACH} + i AS n) d
        JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS k FROM customers_tag
              WHERE corp_id = %(corp)s) t
          ON t.k = floor(power({_DICE.format(salt="tag")}, 2) * {TAGS})::int
        WHERE c.k %% 20 <> 0""",  # noqa: S608
        """INSERT INTO customers_customertagset (customer_id, corp_id, tag_ids)
        SELECT customer_id, corp_id, array_agg(tag_id ORDER BY tag_id)
        FROM customers_tagassignment WHERE corp_id = %(corp)s GROUP BY customer_id, corp_id""",
    ]
