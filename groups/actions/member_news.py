"""Members who enter and leave, as events tell: applied without a question, where versions fit."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Subquery
from django.db.models.functions import Coalesce

from groups.actions.chats import SETTLING
from groups.actions.moves import note_told_moves
from groups.models import GroupChat, MemberMove, Membership
from scrm.channels.events import GroupMembersChanged
from scrm.tenancy.models import Corp

_MOST_ID = 64


@transaction.atomic
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
    _let_in(chat, event)
    _let_out(chat, event)
    present = Membership.objects.filter(chat=chat).present().order_by().values("chat")
    GroupChat.objects.filter(pk=chat.pk).update(
        member_version=event.version[:_MOST_ID],
        member_count=Coalesce(Subquery(present.annotate(count=Count("pk")).values("count")), 0),
        read_at=now + SETTLING,
        updated_at=now,
    )
    return True


def _locked(chat_id: str, *, corp: Corp, now: datetime) -> GroupChat:
    """A chat that has not been read yet gets its row: whoever leaves before that was in it."""
    chats = GroupChat.objects.for_corp(corp).filter(chat_id=chat_id)
    chat = chats.select_for_update(no_key=True).first()
    if chat is None:
        new = GroupChat(corp=corp, chat_id=chat_id, updated_at=now)
        GroupChat.objects.bulk_create([new], ignore_conflicts=True)
        chat = chats.select_for_update(no_key=True).get()
    return chat


def _note_moves(chat: GroupChat, event: GroupMembersChanged, *, now: datetime) -> None:
    at = event.happened_at
    scene = event.join_scene
    note_told_moves(chat, MemberMove.Kind.JOINED, event.joined, at=at, now=now, join_scene=scene)
    removed = event.was_removed
    note_told_moves(chat, MemberMove.Kind.LEFT, event.left, at=at, now=now, was_removed=removed)


def _let_in(chat: GroupChat, event: GroupMembersChanged) -> None:
    """Add who entered; names, inviters and codes come with the next reading."""
    if not event.joined:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO groups_membership AS m (
                corp_id, chat_id, type, member_id, customer_id, name, joined_at, join_scene,
                inviter, state, left_at
            )
            SELECT %(corp)s, %(chat)s, CASE WHEN s.id IS NULL THEN 'customer' ELSE 'staff' END,
                n.member_id, c.id, left(COALESCE(s.name, c.name, ''), 128), %(at)s, %(scene)s,
                '', '', NULL::timestamptz
            FROM (SELECT DISTINCT unnest(%(members)s::text[]) AS member_id) n
            LEFT JOIN tenancy_staff s
                ON s.corp_id = %(corp)s AND lower(s.userid) = lower(n.member_id)
            LEFT JOIN customers_customer c ON s.id IS NULL
                AND c.corp_id = %(corp)s AND c.external_userid = n.member_id
            ORDER BY n.member_id
            ON CONFLICT (chat_id, member_id) DO UPDATE SET
                joined_at = excluded.joined_at, join_scene = excluded.join_scene,
                inviter = '', state = '', left_at = NULL
            WHERE m.left_at IS NOT NULL
            """,
            {
                "corp": chat.corp_id,
                "chat": chat.pk,
                "at": event.happened_at,
                "scene": event.join_scene if 0 <= event.join_scene < 2**15 else 0,
                "members": [member[:_MOST_ID] for member in event.joined],
            },
        )


def _let_out(chat: GroupChat, event: GroupMembersChanged) -> None:
    gone = [member[:_MOST_ID] for member in event.left]
    present = Membership.objects.filter(chat=chat, member_id__in=gone).present()
    present.update(left_at=event.happened_at)
