"""Departments and staff as the platform's directory has them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from customers.actions.counts import Counts
from customers.actions.leaving import note_left
from scrm.channels.base import DepartmentRecord, StaffRecord
from scrm.tenancy.models import Corp, Staff

# [doc 90196]
_STATUS = {
    1: Staff.Status.ACTIVE,
    2: Staff.Status.DISABLED,
    4: Staff.Status.NOT_ACTIVATED,
    5: Staff.Status.LEFT,
}
_STAFF_FIELDS = ("name", "alias", "position", "status", "departments")


@dataclass(frozen=True)
class Directory:
    """What the platform shows of the corp; `with_contact` are userids that may talk to customers.

    The two lists differ: a directory can be hidden from the app in part, and not everybody in it
    talks to customers.
    """

    departments: Sequence[DepartmentRecord]
    staff: Sequence[StaffRecord]
    with_contact: Sequence[str]


def resolve_staff(userids: Iterable[str], *, corp: Corp) -> dict[str, int]:
    """The ids of our rows for these userids; who is not known yet gets one.

    Userids are case-insensitive, and answers differ in case: the spelling that came first stays.
    """
    named = sorted(set(userids))
    staff = Staff.objects.for_corp(corp)
    found = dict(staff.filter(userid__in=named).values_list("userid", "pk"))
    if missing := [userid for userid in named if userid not in found]:
        found |= _find_or_make_staff(missing, corp=corp)
    return found


@transaction.atomic
def apply_directory(directory: Directory, *, corp: Corp, now: datetime) -> Counts:
    """Make departments and staff as the platform shows them; who is in neither list has left."""
    rows = _staff_rows(directory, corp=corp)
    _apply_departments(directory.departments, corp=corp, now=now)
    written = _apply_staff(rows, corp=corp, now=now)
    moved = _apply_departments_of_staff(rows, corp=corp)
    ended = _end_unlisted([row["userid"] for row in rows], corp=corp, now=now)
    _note_found_gone(corp=corp, now=now)
    created = {userid for userid, is_new in written.items() if is_new}
    return Counts(
        platform=sum(row["status"] != Staff.Status.LEFT for row in rows),
        local=Staff.objects.for_corp(corp).employed().count(),
        created=len(created),
        updated=len((set(written) | moved) - created),
        ended=ended,
    )


def note_customer_contact(userids: Sequence[str], *, corp: Corp) -> None:
    """Take over who may talk to customers, from the short list that the platform keeps of them."""
    with transaction.atomic(), connection.cursor() as cursor:
        ids = resolve_staff(userids, corp=corp)
        cursor.execute(
            "UPDATE tenancy_staff SET has_customer_contact = NOT has_customer_contact"
            " WHERE corp_id = %s AND status <> 'left'"
            " AND has_customer_contact <> (id = ANY(%s::bigint[]))",
            [corp.pk, list(ids.values())],
        )


@transaction.atomic
def mark_left(userid: str, *, corp: Corp, left_at: datetime, now: datetime) -> int:
    """Note that a member of staff has left the corp; the customers stay until handed over."""
    staff = Staff.objects.for_corp(corp).employed().filter(userid__iexact=userid)
    ids = list(staff.select_for_update(no_key=True).values_list("pk", flat=True))
    gone = Staff.objects.filter(pk__in=ids)
    gone.update(status=Staff.Status.LEFT, left_at=left_at, has_customer_contact=False)
    return note_left(ids, corp=corp, now=now)


def _find_or_make_staff(userids: list[str], *, corp: Corp) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenancy_staff (corp_id, userid, name, alias, position, status,"
            " has_customer_contact)"
            " SELECT DISTINCT ON (lower(userid)) %(corp)s, userid, userid, '', '', 'active', true"
            " FROM unnest(%(userids)s::text[]) AS named (userid) WHERE NOT EXISTS ("
            "  SELECT FROM tenancy_staff s"
            "  WHERE s.corp_id = %(corp)s AND lower(s.userid) = lower(named.userid)"
            " ) ON CONFLICT (corp_id, userid) DO NOTHING",
            {"corp": corp.pk, "userids": userids},
        )
        cursor.execute(
            "SELECT DISTINCT ON (named.userid) named.userid, s.id"
            " FROM unnest(%s::text[]) AS named (userid) JOIN tenancy_staff s"
            " ON s.corp_id = %s AND lower(s.userid) = lower(named.userid)"
            " ORDER BY named.userid, s.id",
            [userids, corp.pk],
        )
        return dict(cursor.fetchall())


def _staff_rows(directory: Directory, *, corp: Corp) -> list[dict[str, Any]]:
    """One row per person of either list; unknown fields are null and keep what we have."""
    known = Staff.objects.for_corp(corp).values_list("userid", flat=True)
    spelling = {userid.lower(): userid for userid in known}
    with_contact = {userid.lower() for userid in directory.with_contact}
    rows: dict[str, dict[str, Any]] = {}
    for userid in directory.with_contact:
        rows[userid.lower()] = dict.fromkeys(_STAFF_FIELDS) | {"userid": userid, "contact": True}
    for record in directory.staff:
        status = _STATUS.get(record.status, Staff.Status.ACTIVE)
        before = rows.get(record.userid.lower(), {}).get("departments") or []
        rows[record.userid.lower()] = {
            "userid": record.userid,
            "name": record.name,
            "alias": record.alias,
            "position": record.position,
            "status": status,
            "contact": record.userid.lower() in with_contact and status != Staff.Status.LEFT,
            "departments": sorted({*before, *record.department_ids}),
        }
    return [row | {"userid": spelling.get(key, row["userid"])} for key, row in rows.items()]


def _apply_departments(
    departments: Sequence[DepartmentRecord], *, corp: Corp, now: datetime
) -> None:
    rows = [
        {"id": d.department_id, "name": d.name, "parent": d.parent_id, "order": d.order}
        for d in departments
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenancy_department AS d
                (corp_id, department_id, name, parent_id_on_platform, "order", deleted_at)
            SELECT %s, r.id, left(r.name, 128), r.parent, r."order", NULL
            FROM jsonb_to_recordset(%s::jsonb) AS r (
                id bigint, name text, parent bigint, "order" bigint
            )
            ORDER BY r.id
            ON CONFLICT (corp_id, department_id) DO UPDATE SET
                name = excluded.name,
                parent_id_on_platform = excluded.parent_id_on_platform,
                "order" = excluded."order",
                deleted_at = NULL
            WHERE (d.name, d.parent_id_on_platform, d."order", d.deleted_at) IS DISTINCT FROM
                (excluded.name, excluded.parent_id_on_platform, excluded."order", NULL)
            """,
            [corp.pk, json.dumps(rows)],
        )
        cursor.execute(
            "UPDATE tenancy_department SET deleted_at = %s WHERE corp_id = %s"
            " AND deleted_at IS NULL AND department_id <> ALL(%s::bigint[])",
            [now, corp.pk, [d.department_id for d in departments]],
        )


def _apply_staff(rows: list[dict[str, Any]], *, corp: Corp, now: datetime) -> dict[str, bool]:
    """Return the userids written, with whether they are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenancy_staff AS s (
                corp_id, userid, name, alias, position, status, has_customer_contact, left_at
            )
            SELECT known.*, CASE WHEN known.status = 'left' THEN %(now)s::timestamptz END
            FROM (
                SELECT %(corp)s::bigint, r.userid,
                    left(COALESCE(r.name, old.name, r.userid), 128),
                    left(COALESCE(r.alias, old.alias, ''), 64),
                    left(COALESCE(r.position, old.position, ''), 128),
                    COALESCE(r.status, NULLIF(old.status, 'left'), 'active') AS status,
                    r.contact
                FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                    userid text, name text, alias text, position text, status text, contact boolean
                )
                LEFT JOIN tenancy_staff old
                    ON old.corp_id = %(corp)s AND old.userid = r.userid
                ORDER BY r.userid
            ) AS known
            ON CONFLICT (corp_id, userid) DO UPDATE SET
                name = excluded.name,
                alias = excluded.alias,
                position = excluded.position,
                status = excluded.status,
                has_customer_contact = excluded.has_customer_contact,
                left_at = CASE
                    WHEN excluded.status = 'left' THEN COALESCE(s.left_at, excluded.left_at)
                END,
                -- Who comes back is not leaving any more.
                leaving_since = CASE
                    WHEN s.status <> 'left' OR excluded.status = 'left' THEN s.leaving_since
                END
            WHERE (s.name, s.alias, s.position, s.status, s.has_customer_contact)
                IS DISTINCT FROM (
                    excluded.name, excluded.alias, excluded.position, excluded.status,
                    excluded.has_customer_contact
                )
            RETURNING s.userid, s.xmax = 0
            """,
            {"corp": corp.pk, "now": now, "rows": json.dumps(rows)},
        )
        return dict(cursor.fetchall())


def _apply_departments_of_staff(rows: list[dict[str, Any]], *, corp: Corp) -> set[str]:
    """Return the userids of those who moved."""
    listed = [row for row in rows if row["departments"] is not None]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH listed AS (
                SELECT s.id AS staff_id, s.userid, r.departments
                FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (userid text, departments bigint[])
                JOIN tenancy_staff s ON s.corp_id = %(corp)s AND s.userid = r.userid
            ), wanted AS (
                SELECT DISTINCT l.staff_id, d.id AS department_id
                FROM listed l
                JOIN tenancy_department d
                    ON d.corp_id = %(corp)s AND d.department_id = ANY(l.departments)
            ), removed AS (
                DELETE FROM tenancy_staff_departments m USING listed l
                WHERE m.staff_id = l.staff_id AND NOT EXISTS (
                    SELECT FROM wanted w
                    WHERE w.staff_id = m.staff_id AND w.department_id = m.department_id
                )
                RETURNING m.staff_id
            ), added AS (
                INSERT INTO tenancy_staff_departments (staff_id, department_id)
                SELECT staff_id, department_id FROM wanted
                ON CONFLICT (staff_id, department_id) DO NOTHING
                RETURNING staff_id
            )
            SELECT l.userid FROM listed l
            WHERE l.staff_id IN (SELECT staff_id FROM removed UNION SELECT staff_id FROM added)
            """,
            {"corp": corp.pk, "rows": json.dumps(listed)},
        )
        return {userid for (userid,) in cursor.fetchall()}


def _end_unlisted(userids: list[str], *, corp: Corp, now: datetime) -> int:
    unlisted = Staff.objects.for_corp(corp).employed().exclude(userid__in=userids)
    return unlisted.update(status=Staff.Status.LEFT, left_at=now, has_customer_contact=False)


def _note_found_gone(*, corp: Corp, now: datetime) -> None:
    """Those whose end is this very moment are those whom the directory has just lost."""
    gone = Staff.objects.for_corp(corp).filter(status=Staff.Status.LEFT, left_at=now)
    note_left(gone.values_list("pk", flat=True), corp=corp, now=now)
