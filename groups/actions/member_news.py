"""Members who enter and leave, as events tell: applied without a question, where versions fit."""

from datetime import datetime

from django.db import connection, transaction

from groups.actions.chats import SETTLING
from groups.actions.moves import note_told_moves
from groups.models import GroupChat, MemberMove
from scrm.channels.events import GroupMembersChanged
from scrm.tenancy.models import Corp

_MOST_ID = 64


_LOCK = """
SELECT id, chat_id, corp_id, status, member_version FROM groups_groupchat
WHERE corp_id = %(corp)s AND chat_id = %(chat_id)s
FOR NO KEY UPDATE
"""

# Names, inviters and codes of those who entered come with the next reading. Of the parts of one
# statement none sees what another writes: who has just entered or left is counted by itself.
_APPLY = """
WITH entered AS (
    INSERT INTO groups_membership AS m (
        corp_id, chat_id, type, member_id, customer_id, name, joined_at, join_scene,
        inviter, state, left_at
    )
    SELECT %(corp)s, %(chat)s, CASE WHEN s.id IS NULL THEN 'customer' ELSE 'staff' END,
        n.member_id, c.id, left(COALESCE(s.name, c.name, ''), 128), %(at)s, %(scene)s,
        '', '', NULL::timestamptz
    FROM (SELECT DISTINCT unnest(%(joined)s::text[]) AS member_id) n
    LEFT JOIN tenancy_staff s
        ON s.corp_id = %(corp)s AND lower(s.userid) = lower(n.member_id)
    LEFT JOIN customers_customer c ON s.id IS NULL
        AND c.corp_id = %(corp)s AND c.external_userid = n.member_id
    ORDER BY n.member_id
    ON CONFLICT (chat_id, member_id) DO UPDATE SET
        joined_at = excluded.joined_at, join_scene = excluded.join_scene,
        inviter = '', state = '', left_at = NULL
    WHERE m.left_at IS NOT NULL
    RETURNING m.id
), gone AS (
    UPDATE groups_membership SET left_at = %(at)s
    WHERE chat_id = %(chat)s AND left_at IS NULL AND member_id = ANY(%(left)s::text[])
    RETURNING id
)
UPDATE groups_groupchat SET
    member_version = %(version)s, read_at = %(read_at)s, updated_at = %(now)s,
    member_count = (SELECT count(*) FROM groups_membership
                    WHERE chat_id = %(chat)s AND left_at IS NULL)
        + (SELECT count(*) FROM entered) - (SELECT count(*) FROM gone)
WHERE id = %(chat)s
"""


# The inbox has a transaction for each event, and undoes all of it when something fails.
@transaction.atomic(savepoint=False)
def apply_member_change(event: GroupMembersChanged, *, corp: Corp, now: datetime) -> bool:
    """Let members enter and leave; False when only reading the chat can tell who is in it.

    The lists lead from one version of the member list to the next. Whoever holds another version
    than the first one notes what happened, and reads.
    """
    chat = _locked(event.chat_id, corp=corp, now=now)
    _note_moves(chat, event, now=now)
    if chat.member_version and chat.member_version == event.version:
        return True
    is_next = chat.member_version and chat.member_version == event.version_before
    if not is_next or chat.status == GroupChat.Status.DISMISSED:
        return False
    _apply(chat, event, now=now)
    return True


def _locked(chat_id: str, *, corp: Corp, now: datetime) -> GroupChat:
    """A chat that has not been read yet gets its row: whoever leaves before that was in it."""
    row = {"corp": corp.pk, "chat_id": chat_id}
    chats = list(GroupChat.objects.raw(_LOCK, row))
    if not chats:
        new = GroupChat(corp=corp, chat_id=chat_id, updated_at=now)
        GroupChat.objects.bulk_create([new], ignore_conflicts=True)
        chats = list(GroupChat.objects.raw(_LOCK, row))
    return chats[0]


def _note_moves(chat: GroupChat, event: GroupMembersChanged, *, now: datetime) -> None:
    at = event.happened_at
    scene = event.join_scene
    note_told_moves(chat, MemberMove.Kind.JOINED, event.joined, at=at, now=now, join_scene=scene)
    removed = event.was_removed
    note_told_moves(chat, MemberMove.Kind.LEFT, event.left, at=at, now=now, was_removed=removed)


def _apply(chat: GroupChat, event: GroupMembersChanged, *, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _APPLY,
            {
                "corp": chat.corp_id,
                "chat": chat.pk,
                "at": event.happened_at,
                "scene": event.join_scene if 0 <= event.join_scene < 2**15 else 0,
                "joined": [member[:_MOST_ID] for member in event.joined],
                "left": [member[:_MOST_ID] for member in event.left],
                "version": event.version[:_MOST_ID],
                "read_at": now + SETTLING,
                "now": now,
            },
        )
