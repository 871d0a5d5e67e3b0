"""What members and groups did within days, counted from relations and conversations.

What was said before the world was made, nobody knows; who was added and who entered a group, and
is still there, is known from its date.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from scrm.sandbox.conversations import Said
from scrm.sandbox.days import day_of
from scrm.sandbox.records import Chat, Relation
from scrm.sandbox.world import World

Span = tuple[float, float]


@dataclass
class Changes:
    """How many customers came and went on each day, and how many of them a member had asked."""

    added: Counter[int] = field(default_factory=Counter)
    asked: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)

    def note(self, relation: Relation) -> None:
        if not relation.is_half:
            day = day_of(relation.createtime)
            self.added[day] += 1
            self.asked[day] += relation.oper_userid == relation.userid
        if relation.deleted_by_customer_at is not None:
            self.lost[day_of(relation.deleted_by_customer_at)] += 1

    def row(self, day: int) -> dict[str, int]:
        return {
            "negative_feedback_cnt": self.lost[day],
            "new_apply_cnt": self.asked[day],
            "new_contact_cnt": self.added[day],
        }


def count_behaviour(
    world: World, userids: Collection[str], days: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return per day what the members did, added up."""
    changes = _count_relations(world, userids)
    said: defaultdict[int, list[Said]] = defaultdict(list)
    for message in world.conversations.said:
        if message.userid in userids:
            said[day_of(message.at)].append(message)
    return {day: _count_messages(said[day]) | changes.row(day) for day in days}


def _count_messages(said: Iterable[Said]) -> dict[str, Any]:
    """Count one day's messages: chats written in, and how soon customers were answered first."""
    chats: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for message in said:
        chats[message.userid, message.external_userid].append(message)
    written = [[m for m in chat if not m.by_customer] for chat in chats.values()]
    opened = [chat for chat in chats.values() if chat[0].by_customer]
    waits = [wait for chat in opened if (wait := _first_answer(chat)) is not None]
    counts: dict[str, Any] = {
        "chat_cnt": sum(1 for own in written if own),
        "message_cnt": sum(len(own) for own in written),
    }
    if opened:
        counts["reply_percentage"] = round(100 * len(waits) / len(opened), 2)
    if waits:
        counts["avg_reply_time"] = round(sum(waits) / len(waits) / 60)
    return counts


def _first_answer(chat: Sequence[Said]) -> float | None:
    """Return how long the customer waited for the first answer; None when there was none."""
    answers = (message.at - chat[0].at for message in chat if not message.by_customer)
    return next(answers, None)


def _count_relations(world: World, userids: Collection[str]) -> Changes:
    changes = Changes()
    for relation in chain(world.relations(), world.former_relations):
        if relation.userid in userids:
            changes.note(relation)
    return changes


def count_chats(world: World, chats: Iterable[Chat], span: Span) -> dict[str, int]:
    """Count groups, people and messages: new ones within the span, all others at its end."""
    first, end = span
    living = [c for c in chats if c.create_time < end and (c.dismissed_at or end) >= end]
    ids = {chat.chat_id for chat in living}
    said = [s for s in world.conversations.said_in_groups if s.chat_id in ids and s.at < end]
    stays = list(_stays(world, living))
    return {
        "new_chat_cnt": sum(chat.create_time >= first for chat in living),
        "chat_total": len(living),
        "chat_has_msg": len({message.chat_id for message in said}),
        "new_member_cnt": sum(entered and first <= joined < end for joined, _, entered in stays),
        "member_total": sum(joined < end and (left or end) >= end for joined, left, _ in stays),
        "member_has_msg": len({(message.chat_id, message.sender) for message in said}),
        "msg_total": len(said),
        "migrate_trainee_chat_cnt": 0,
    }


def _stays(world: World, chats: Sequence[Chat]) -> Iterable[tuple[float, float | None, bool]]:
    """Yield when somebody joined and left, and whether he entered rather than was there at first."""
    created = {chat.chat_id: chat.create_time for chat in chats}
    for chat in chats:
        for member in chat.members.values():
            yield member.join_time, None, member.join_time > chat.create_time
    for stay in world.conversations.departures:
        if stay.chat_id in created:
            yield stay.joined_at, stay.left_at, stay.joined_at > created[stay.chat_id]
