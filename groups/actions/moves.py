"""Who entered and who left: each move once, with the fact it is in a customer's life."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from customers.models import TimelineEntry
from groups.models import GroupChat, MemberMove
from scrm.channels.base import MemberRecord

Kind = MemberMove.Kind

# The time in an event and the one in the member list are written by different machines.
_SAME_MOMENT = timedelta(seconds=3)
# A first reading finds members of years: only recent ones may start something.
FRESH_FOR = timedelta(days=3)

# Facts of those moves that were new and whose member is a customer of ours.
_AND_FACTS = """
    ON CONFLICT (chat_id, member_id, kind, at) DO NOTHING
    RETURNING member_id, kind, at, is_staff
)
INSERT INTO customers_timelineentry
    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
SELECT c.corp_id, c.id, 'group.' || m.kind, m.at, jsonb_build_object('chat', %(chat_id)s::text),
    %(source)s, %(now)s, m.kind = 'joined' AND m.at > %(fresh_since)s
FROM moved m
JOIN customers_customer c ON c.corp_id = %(corp)s AND c.external_userid = m.member_id
WHERE NOT m.is_staff
"""

_NOTE_EVENT = f"""
WITH named AS (
    SELECT n.member_id, COALESCE(
        (SELECT known.type = 'staff' FROM groups_membership known
         WHERE known.chat_id = %(chat)s AND known.member_id = n.member_id),
        EXISTS (SELECT FROM tenancy_staff s
                WHERE s.corp_id = %(corp)s AND lower(s.userid) = lower(n.member_id))
    ) AS is_staff
    FROM (SELECT DISTINCT unnest(%(members)s::text[]) AS member_id) n
), target AS (
    -- What a reading found of the same move, before the event came.
    SELECT n.member_id, (
        SELECT m.id FROM groups_membermove m
        WHERE m.chat_id = %(chat)s AND m.member_id = n.member_id AND m.kind = %(kind)s
            AND m.is_inferred AND CASE m.kind
                WHEN 'joined' THEN m.at BETWEEN %(at)s - %(tolerance)s AND %(at)s + %(tolerance)s
                    -- Or nobody knew when it was (`_PAIR`).
                    OR m.at >= %(at)s AND EXISTS (
                        SELECT FROM groups_membermove later
                        WHERE later.chat_id = m.chat_id AND later.member_id = m.member_id
                            AND later.kind = 'left'
                            AND later.at = m.at + interval '1 microsecond'
                    )
                ELSE m.at >= %(at)s
            END
            AND NOT EXISTS (
                SELECT FROM groups_membermove between_
                WHERE between_.chat_id = m.chat_id AND between_.member_id = m.member_id
                    AND between_.kind <> m.kind
                    AND between_.at > LEAST(m.at, %(at)s) AND between_.at < GREATEST(m.at, %(at)s)
            )
        ORDER BY abs(extract(epoch FROM m.at - %(at)s)) LIMIT 1
    ) AS move_id
    FROM named n
    WHERE NOT EXISTS (
        SELECT FROM groups_membermove told
        WHERE told.chat_id = %(chat)s AND told.member_id = n.member_id
            AND told.kind = %(kind)s AND told.at = %(at)s AND NOT told.is_inferred
    )
), corrected AS (
    UPDATE groups_membermove m
    SET at = %(at)s, is_inferred = false, was_removed = %(was_removed)s
    FROM target t WHERE m.id = t.move_id
    RETURNING m.member_id
), moved AS (
    INSERT INTO groups_membermove (
        corp_id, chat_id, member_id, is_staff, kind, at, join_scene, state, was_removed, is_inferred
    )
    SELECT %(corp)s, %(chat)s, n.member_id, n.is_staff, %(kind)s, %(at)s, %(join_scene)s, '',
        %(was_removed)s, false
    FROM named n
    WHERE n.member_id NOT IN (SELECT member_id FROM corrected)
    ORDER BY n.member_id
{_AND_FACTS}
"""  # noqa: S608

_BALANCE = f"""
WITH page AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
        type text, member_id text, joined_at timestamptz, join_scene smallint, state text
    )
), last AS (
    SELECT DISTINCT ON (member_id) member_id, kind, at, is_staff FROM groups_membermove
    WHERE chat_id = %(chat)s
    ORDER BY member_id, at DESC, id DESC
), missing AS (
    SELECT p.member_id, p.type = 'staff' AS is_staff, 'joined' AS kind,
        GREATEST(p.joined_at, l.at + interval '1 microsecond') AS at, p.join_scene, p.state
    FROM page p LEFT JOIN last l ON l.member_id = p.member_id
    WHERE l.kind IS DISTINCT FROM 'joined'
    UNION ALL
    SELECT l.member_id, l.is_staff, 'left',
        GREATEST(%(at)s, l.at + interval '1 microsecond'), 0, ''
    FROM last l
    WHERE l.kind = 'joined' AND NOT EXISTS (SELECT FROM page p WHERE p.member_id = l.member_id)
), moved AS (
    INSERT INTO groups_membermove (
        corp_id, chat_id, member_id, is_staff, kind, at, join_scene, state, was_removed, is_inferred
    )
    SELECT %(corp)s, %(chat)s, member_id, is_staff, kind, at, join_scene, state, false, true
    FROM missing
    ORDER BY member_id
{_AND_FACTS}
"""  # noqa: S608

# Of events that never came and that no reading made good: who has left had entered before, who has
# entered twice had left between. When, nobody knows, only until when.
_PAIR = f"""
WITH told AS (
    SELECT member_id, is_staff, kind, at, lag(kind, 1, 'left') OVER (
        PARTITION BY member_id ORDER BY at, id
    ) AS kind_before
    FROM groups_membermove WHERE chat_id = %(chat)s
), moved AS (
    INSERT INTO groups_membermove (
        corp_id, chat_id, member_id, is_staff, kind, at, join_scene, state, was_removed, is_inferred
    )
    SELECT %(corp)s, %(chat)s, member_id, is_staff,
        CASE kind WHEN 'left' THEN 'joined' ELSE 'left' END, at - interval '1 microsecond',
        0, '', false, true
    FROM told WHERE kind = kind_before
    ORDER BY member_id, at
{_AND_FACTS}
"""  # noqa: S608

# An event does not say by which code somebody came; the member list does.
_COMPLETE = """
UPDATE groups_membermove m SET state = p.state, join_scene = p.join_scene
FROM jsonb_to_recordset(%(rows)s::jsonb) AS p (
    member_id text, joined_at timestamptz, join_scene smallint, state text
)
WHERE m.chat_id = %(chat)s AND m.member_id = p.member_id AND m.kind = 'joined'
    AND m.at BETWEEN p.joined_at - %(tolerance)s AND p.joined_at + %(tolerance)s
    AND (m.state, m.join_scene) IS DISTINCT FROM (p.state, p.join_scene)
"""


def note_told_moves(  # noqa: PLR0913 (one event, spelled out)
    chat: GroupChat,
    kind: MemberMove.Kind,
    members: Sequence[str],
    *,
    at: datetime,
    now: datetime,
    join_scene: int = 0,
    was_removed: bool = False,
) -> None:
    """Note what an event tells, however late it comes; told twice it is noted once."""
    if not members:
        return
    told = {
        "kind": kind.value,
        "members": [member[:64] for member in members],
        "join_scene": join_scene if 0 <= join_scene < 2**15 else 0,
        "was_removed": was_removed,
    }
    _execute(_NOTE_EVENT, chat, at=at, now=now, source=TimelineEntry.Source.EVENT, **told)


def balance_moves(
    chat: GroupChat, members: Iterable[dict[str, Any]], *, at: datetime, now: datetime
) -> None:
    """Add the moves that no event has told, so that their sum is who was in the chat at `at`."""
    rows = json.dumps(list(members))
    sync = TimelineEntry.Source.SYNC
    # An entering that ended long ago starts nothing any more.
    _execute(_PAIR, chat, at=at, now=now, source=sync, fresh_since=now)
    _execute(_BALANCE, chat, at=at, now=now, source=sync, rows=rows)


def complete_moves(chat: GroupChat, members: Iterable[dict[str, Any]]) -> None:
    """Write how and by which code members came into the moves that events have told."""
    rows = json.dumps(list(members))
    details: dict[str, Any] = {"chat": chat.pk, "rows": rows, "tolerance": _SAME_MOMENT}
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, details)


def row_of(member: MemberRecord) -> dict[str, Any]:
    """A member of a page as the statements here and in `chats` read it."""
    return {
        "type": "staff" if member.is_staff else "customer",
        "member_id": member.member_id[:64],
        "name": member.name[:128],
        "joined_at": member.joined_at.isoformat(),
        "join_scene": member.join_scene if 0 <= member.join_scene < 2**15 else 0,
        "inviter": member.inviter[:64],
        "state": member.state[:64],
    }


def _execute(
    statement: str,
    chat: GroupChat,
    *,
    at: datetime,
    now: datetime,
    source: TimelineEntry.Source,
    **details: Any,
) -> None:
    parameters: dict[str, Any] = {
        "corp": chat.corp_id,
        "chat": chat.pk,
        "chat_id": chat.chat_id,
        "at": at,
        "now": now,
        "source": source.value,
        "fresh_since": now - FRESH_FOR,
        "tolerance": _SAME_MOMENT,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters | details)
