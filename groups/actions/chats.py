"""Group chats and their members, as the platform has them.

What we know of a chat is as new as `read_at` says. An event applied to it moves that moment on, so
that a page which was asked for before does not undo it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from customers.actions.directory import resolve_staff
from customers.models import TimelineEntry
from groups.actions.join_code_chats import leave_out_chats
from groups.actions.moves import FRESH_FOR, balance_moves, complete_moves, row_of
from groups.actions.sightings import note_chat_sightings
from groups.models import GroupChat, Membership
from scrm.channels.base import GroupChatRecord
from scrm.tenancy.models import Corp, Staff

# The platform writes group data asynchronously: a page asked for this soon after an event may
# show the chat as it was before [doc 92130].
SETTLING = timedelta(seconds=2)

# [doc 92120]
_STATUS = {
    0: GroupChat.Status.NORMAL,
    1: GroupChat.Status.OWNER_LEFT,
    2: GroupChat.Status.INHERITING,
    3: GroupChat.Status.INHERITED,
}


@dataclass(frozen=True)
class ChatChange:
    """What reading a chat changed here; the counts are memberships.

    `is_stale`: we have learned of something newer since the page was asked for, so that not all of
    it was taken over; the chat should be read again.
    """

    is_changed: bool
    joined: int
    changed: int
    left: int
    is_stale: bool = False


@transaction.atomic
def list_chats(
    rows: Iterable[tuple[str, int]], *, corp: Corp, asked_at: datetime, now: datetime
) -> tuple[int, int]:
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
            WHERE c.status <> excluded.status AND (
                c.status <> 'dismissed' OR c.read_at IS NULL OR c.read_at <= %(asked_at)s
            )
            RETURNING c.xmax = 0
            """,
            {"corp": corp.pk, "now": now, "asked_at": asked_at, "rows": json.dumps(listed)},
        )
        written = [is_new for (is_new,) in cursor.fetchall()]
    return sum(written), len(written) - sum(written)


@transaction.atomic
def apply_group_chat(
    record: GroupChatRecord, *, corp: Corp, now: datetime, asked_at: datetime | None = None
) -> ChatChange:
    """Make a chat and its memberships as the platform has them; it is not dismissed then.

    `asked_at` is when the platform was asked, now if it is not given. Of a page that is older
    than what we know only the members' details are taken, and those only if it is of the version
    we have.
    """
    asked_at = asked_at or now
    chat, is_new = GroupChat.objects.get_or_create(
        corp=corp, chat_id=record.chat_id, defaults={"updated_at": now}
    )
    # An event and a sync may read the same chat at the same time.
    chat = GroupChat.objects.select_for_update(no_key=True).get(pk=chat.pk)
    is_older = chat.read_at is not None and asked_at < chat.read_at
    if is_older and not _is_our_version(record, chat):
        note_chat_sightings([record.chat_id], corp=corp)
        return ChatChange(is_new, 0, 0, 0, is_stale=True)
    members = [row_of(member) for member in record.members]
    joined, changed = _apply_members(chat, members)
    left = _end_memberships(chat, [row["member_id"] for row in members], at=asked_at)
    link_customers(corp=corp, now=now, chat=chat)
    balance_moves(chat, members, at=asked_at, now=now)
    complete_moves(chat, members)
    fields = _fields_of(record, chat=chat, corp=corp)
    is_changed = any(getattr(chat, name) != value for name, value in fields.items())
    if not is_older and (is_changed or joined or changed or left):
        GroupChat.objects.filter(pk=chat.pk).update(**fields, read_at=asked_at, updated_at=now)
        _look_at_owner(chat, fields["owner_id"], corp=corp, now=now)
    note_chat_sightings([record.chat_id], corp=corp)
    is_stale = is_older and is_changed
    return ChatChange((is_changed and not is_older) or is_new, joined, changed, left, is_stale)


@transaction.atomic
def dismiss_chat(chat_id: str, *, corp: Corp, dismissed_at: datetime, now: datetime) -> bool:
    """Note that a chat does not exist any more; False when we did not think that it did.

    Everybody in it leaves, and no code leads into it any more.
    """
    chats = GroupChat.objects.for_corp(corp).select_for_update(no_key=True)
    chat = chats.filter(chat_id=chat_id).first()
    if chat is None:
        return False
    if chat.status == GroupChat.Status.DISMISSED:
        # An event that came late may have told of somebody who was in it.
        balance_moves(chat, [], at=chat.dismissed_at or dismissed_at, now=now)
        return False
    _end_memberships(chat, [], at=dismissed_at)
    balance_moves(chat, [], at=dismissed_at, now=now)
    GroupChat.objects.filter(pk=chat.pk).update(
        status=GroupChat.Status.DISMISSED,
        dismissed_at=dismissed_at,
        member_version="",
        member_count=0,
        read_at=now + SETTLING,
        updated_at=now,
    )
    leave_out_chats([chat.pk], corp=corp, now=now)
    return True


def link_customers(
    *,
    corp: Corp,
    now: datetime,
    external_userids: Sequence[str] | None = None,
    chat: GroupChat | None = None,
) -> int:
    """Tell memberships of outsiders who have become customers since who they are.

    What they did in the chats becomes part of their timelines then.
    """
    one_of = "" if external_userids is None else " AND m.member_id = ANY(%(ids)s::text[])"
    of_chat = "" if chat is None else " AND m.chat_id = %(chat)s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH linked AS (
                UPDATE groups_membership m SET customer_id = c.id FROM customers_customer c
                WHERE m.corp_id = %(corp)s AND m.type = 'customer' AND m.customer_id IS NULL
                    AND c.corp_id = m.corp_id AND c.external_userid = m.member_id{one_of}{of_chat}
                RETURNING m.chat_id, m.member_id, m.customer_id
            ), facts AS (
                SELECT l.customer_id, 'group.' || v.kind AS type, v.kind, v.at,
                    jsonb_build_object('chat', g.chat_id) AS data
                FROM linked l
                JOIN groups_groupchat g ON g.id = l.chat_id
                JOIN groups_membermove v ON v.chat_id = l.chat_id AND v.member_id = l.member_id
            ), told AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT %(corp)s, f.customer_id, f.type, f.at, f.data, %(source)s, %(now)s,
                    f.kind = 'joined' AND f.at > %(fresh_since)s
                FROM facts f
                WHERE NOT EXISTS (
                    SELECT FROM customers_timelineentry t
                    WHERE t.customer_id = f.customer_id AND t.type = f.type AND t.at = f.at
                        AND t.data = f.data
                )
            )
            SELECT count(*) FROM linked
            """,  # noqa: S608
            {
                "corp": corp.pk,
                "chat": chat.pk if chat else None,
                "ids": list(external_userids or ()),
                "source": TimelineEntry.Source.SYNC.value,
                "now": now,
                "fresh_since": now - FRESH_FOR,
            },
        )
        return int(cursor.fetchone()[0])


def _is_our_version(record: GroupChatRecord, chat: GroupChat) -> bool:
    return bool(chat.member_version) and record.member_version[:64] == chat.member_version


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


def _look_at_owner(chat: GroupChat, owner_id: int | None, *, corp: Corp, now: datetime) -> None:
    """No code leads into a chat that has come to somebody who is leaving."""
    if owner_id is None or owner_id == chat.owner_id:
        return
    if not Staff.objects.for_corp(corp).available().filter(pk=owner_id).exists():
        leave_out_chats([chat.pk], corp=corp, now=now)


def _apply_members(chat: GroupChat, rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return how many memberships are new and how many changed."""
    unique = {row["member_id"]: row for row in rows}
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
            -- Who becomes a customer while being a member is linked by `link_customers`.
            ON CONFLICT (chat_id, member_id) DO UPDATE SET
                type = excluded.type, name = excluded.name, joined_at = excluded.joined_at,
                join_scene = excluded.join_scene, inviter = excluded.inviter,
                state = excluded.state, left_at = NULL
            WHERE (
                    m.type, m.name, m.joined_at, m.join_scene, m.inviter, m.state, m.left_at
                ) IS DISTINCT FROM (
                    excluded.type, excluded.name, excluded.joined_at, excluded.join_scene,
                    excluded.inviter, excluded.state, NULL
                )
            RETURNING m.xmax = 0
            """,
            {"corp": chat.corp_id, "chat": chat.pk, "rows": json.dumps(list(unique.values()))},
        )
        written = [is_new for (is_new,) in cursor.fetchall()]
    return sum(written), len(written) - sum(written)


def _end_memberships(chat: GroupChat, present: list[str], *, at: datetime) -> int:
    left = Membership.objects.filter(chat=chat).present().exclude(member_id__in=present)
    return left.update(left_at=at)
