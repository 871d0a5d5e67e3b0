"""Group chats and their members, as the platform has them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from customers.actions.directory import resolve_staff
from groups.actions.sightings import note_chat_sightings
from groups.models import GroupChat, Membership
from scrm.channels.base import GroupChatRecord, MemberRecord
from scrm.tenancy.models import Corp

# [doc 92120]
_STATUS = {
    0: GroupChat.Status.NORMAL,
    1: GroupChat.Status.OWNER_LEFT,
    2: GroupChat.Status.INHERITING,
    3: GroupChat.Status.INHERITED,
}


@dataclass(frozen=True)
class ChatChange:
    """What reading a chat changed here; the counts are memberships."""

    is_changed: bool
    joined: int
    changed: int
    left: int


@transaction.atomic
def list_chats(rows: Iterable[tuple[str, int]], *, corp: Corp, now: datetime) -> tuple[int, int]:
    """Make a row of every listed chat, with the list's status; return how many are new, changed."""
    listed = [
        {"chat_id": chat_id, "status": _STATUS.get(status, GroupChat.Status.NORMAL)}
        for chat_id, status in dict(rows).items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO groups_groupchat AS c (
                corp_id, chat_id, name, notice, status, member_version, member_count, updated_at
            )
            SELECT %(corp)s, r.chat_id, '', '', r.status, '', 0, %(now)s
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (chat_id text, status text)
            ORDER BY r.chat_id
            ON CONFLICT (corp_id, chat_id) DO UPDATE SET
                status = excluded.status, dismissed_at = NULL, updated_at = excluded.updated_at
            WHERE c.status <> excluded.status
            RETURNING c.xmax = 0
            """,
            {"corp": corp.pk, "now": now, "rows": json.dumps(listed)},
        )
        written = [is_new for (is_new,) in cursor.fetchall()]
    return sum(written), len(written) - sum(written)


@transaction.atomic
def apply_group_chat(record: GroupChatRecord, *, corp: Corp, now: datetime) -> ChatChange:
    """Make a chat and its memberships as the platform has them; it is not dismissed then."""
    chat, is_new = GroupChat.objects.get_or_create(
        corp=corp, chat_id=record.chat_id, defaults={"updated_at": now}
    )
    # An event and a sync may read the same chat at the same time.
    chat = GroupChat.objects.select_for_update(no_key=True).get(pk=chat.pk)
    joined, changed = _apply_members(chat, record.members)
    left = _end_memberships(chat, [member.member_id for member in record.members], at=now)
    fields = _fields_of(record, chat=chat, corp=corp)
    is_changed = any(getattr(chat, name) != value for name, value in fields.items())
    if is_changed or joined or changed or left:
        GroupChat.objects.filter(pk=chat.pk).update(**fields, updated_at=now)
    note_chat_sightings([record.chat_id], corp=corp)
    return ChatChange(is_changed or is_new, joined, changed, left)


@transaction.atomic
def dismiss_chat(chat_id: str, *, corp: Corp, dismissed_at: datetime, now: datetime) -> bool:
    """Note that a chat does not exist any more; False when we did not think that it did."""
    chats = GroupChat.objects.for_corp(corp).existing().select_for_update(no_key=True)
    chat = chats.filter(chat_id=chat_id).first()
    if chat is None:
        return False
    _end_memberships(chat, [], at=dismissed_at)
    GroupChat.objects.filter(pk=chat.pk).update(
        status=GroupChat.Status.DISMISSED,
        dismissed_at=dismissed_at,
        member_count=0,
        updated_at=now,
    )
    return True


def link_customers(*, corp: Corp, external_userids: Sequence[str] | None = None) -> int:
    """Tell memberships of outsiders who have become customers since who they are."""
    one_of = "" if external_userids is None else " AND m.member_id = ANY(%(ids)s::text[])"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE groups_membership m SET customer_id = c.id FROM customers_customer c"  # noqa: S608
            " WHERE m.corp_id = %(corp)s AND m.type = 'customer' AND m.customer_id IS NULL"
            f" AND c.corp_id = m.corp_id AND c.external_userid = m.member_id{one_of}",
            {"corp": corp.pk, "ids": list(external_userids or ())},
        )
        return int(cursor.rowcount)


def _fields_of(record: GroupChatRecord, *, chat: GroupChat, corp: Corp) -> dict[str, Any]:
    owner = resolve_staff([record.owner], corp=corp)[record.owner] if record.owner else None
    is_back = chat.status == GroupChat.Status.DISMISSED
    return {
        "name": record.name[:256],
        "notice": record.notice,
        "owner_id": owner,
        "status": GroupChat.Status.NORMAL if is_back else chat.status,
        "dismissed_at": None,
        "member_version": record.member_version[:64],
        "member_count": len({member.member_id for member in record.members}),
        "opened_at": record.opened_at,
    }


def _apply_members(chat: GroupChat, members: Iterable[MemberRecord]) -> tuple[int, int]:
    """Return how many memberships are new and how many changed."""
    rows = {member.member_id: _row_of(member) for member in members}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO groups_membership AS m (
                corp_id, chat_id, type, member_id, customer_id, name, joined_at, join_scene,
                inviter, state, left_at
            )
            SELECT %(corp)s, %(chat)s, r.type, r.member_id, c.id, r.name, r.joined_at,
                r.join_scene, r.inviter, r.state, NULL::timestamptz
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                type text, member_id text, name text, joined_at timestamptz, join_scene smallint,
                inviter text, state text
            )
            LEFT JOIN customers_customer c ON r.type = 'customer'
                AND c.corp_id = %(corp)s AND c.external_userid = r.member_id
            ORDER BY r.member_id
            ON CONFLICT (chat_id, member_id) DO UPDATE SET
                type = excluded.type, customer_id = excluded.customer_id, name = excluded.name,
                joined_at = excluded.joined_at, join_scene = excluded.join_scene,
                inviter = excluded.inviter, state = excluded.state, left_at = NULL
            WHERE (
                    m.type, m.customer_id, m.name, m.joined_at, m.join_scene, m.inviter, m.state,
                    m.left_at
                ) IS DISTINCT FROM (
                    excluded.type, excluded.customer_id, excluded.name, excluded.joined_at,
                    excluded.join_scene, excluded.inviter, excluded.state, NULL
                )
            RETURNING m.xmax = 0
            """,
            {"corp": chat.corp_id, "chat": chat.pk, "rows": json.dumps(list(rows.values()))},
        )
        written = [is_new for (is_new,) in cursor.fetchall()]
    return sum(written), len(written) - sum(written)


def _row_of(member: MemberRecord) -> dict[str, Any]:
    kind = Membership.Type.STAFF if member.is_staff else Membership.Type.CUSTOMER
    return {
        "type": kind,
        "member_id": member.member_id[:64],
        "name": member.name[:128],
        "joined_at": member.joined_at.isoformat(),
        "join_scene": member.join_scene if 0 <= member.join_scene < 2**15 else 0,
        "inviter": member.inviter[:64],
        "state": member.state[:64],
    }


def _end_memberships(chat: GroupChat, present: list[str], *, at: datetime) -> int:
    left = Membership.objects.filter(chat=chat).present().exclude(member_id__in=present)
    return left.update(left_at=at)
