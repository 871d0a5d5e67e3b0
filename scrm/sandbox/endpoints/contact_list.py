"""All external contacts that are served, customers or not, for counting each person once."""

import hashlib
from collections.abc import Iterator
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.contact_walks import ContactWalk
from scrm.sandbox.cursors import make_cursor, read_position
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import Chat
from scrm.sandbox.world import World

Row = dict[str, Any]


@endpoint("POST", "externalcontact/contact_list")
def list_contacts(call: Call) -> Answer:
    limit = call.page_size(default=1000, maximum=1000, clamp=True)
    position = read_position(call)
    _drop_old_walks(call)
    if position:
        number, start = position
        walk = call.world.contact_walks.get(number)
        if walk is None:
            raise Refused(50100)
    else:
        number, start = call.world.next_number(), 0
        walk = ContactWalk(call.world.clock.now(), list(_walk(call.world, number)))
        call.world.contact_walks[number] = walk
    end = start + limit
    has_more = end < len(walk.rows)
    return {
        "info_list": walk.rows[start:end],
        "next_cursor": make_cursor(call, [number, end]) if has_more else "",
    }


def _drop_old_walks(call: Call) -> None:
    """Forget the walks whose names are no longer good, however young a cursor is."""
    walks, now = call.world.contact_walks, call.world.clock.now()
    for number in list(walks):
        if now - walks[number].began_at > call.world.options.cursor_seconds:
            del walks[number]


def _walk(world: World, number: int) -> Iterator[Row]:
    """Yield a row per member and contact, then one per group and outsider in it."""
    customers = {r.external_userid for r in world.relations() if world.is_shown(r)}
    for relation in sorted(world.relations(), key=lambda relation: relation.number):
        if relation.is_known_to_member and not world.members[relation.userid].has_left:
            yield _describe(world, number, relation.external_userid, world.is_shown(relation)) | {
                "follow_userid": relation.userid,
                "add_time": relation.createtime,
            }
    for chat in world.chats.values():
        if chat.dismissed_at is None and not world.members[chat.owner].has_left:
            yield from _walk_chat(world, number, chat, customers)


def _walk_chat(world: World, number: int, chat: Chat, customers: set[str]) -> Iterator[Row]:
    # A group whose owner has no customer contact is no customer group and has but a name.
    is_ours = world.members[chat.owner].can_follow
    named = {"chat_id": chat.chat_id} if is_ours else {"chat_name": chat.name}
    for member in chat.members.values():
        if member.type == 2:
            yield (
                _describe(world, number, member.id, member.id in customers)
                | {"follow_userid": chat.owner, "add_time": member.join_time}
                | named
            )


def _describe(world: World, number: int, external_userid: str, is_customer: bool) -> Row:  # noqa: FBT001 - a field of the row
    digest = hashlib.sha256(f"{world.seed}:{number}:{external_userid}".encode()).hexdigest()
    who = {"external_userid": external_userid}
    if not is_customer:
        who = {"name": f"***{world.persons[external_userid].name[-1:]}"}
    return {"is_customer": is_customer, "tmp_openid": f"tmp{digest[:29]}"} | who
