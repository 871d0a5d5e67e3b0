"""Customer groups."""

from typing import Any

from scrm.sandbox.call import Call, to_texts
from scrm.sandbox.cursors import take_page
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import Chat, ChatMember
from scrm.sandbox.world import World

MEMBERS_WITHOUT_FILTER = 1000


@endpoint("POST", "externalcontact/groupchat/list")
def list_chats(call: Call) -> Answer:
    limit = call.integer("limit")
    status = call.integer("status_filter", 0)
    owners = to_texts(call.mapping("owner_filter").get("userid_list") or [], "userid_list", 100)
    if not 1 <= limit <= 1000 or status not in {0, 1, 2, 3}:
        raise Refused(40058, "limit or status_filter")
    if not owners and sum(m.can_follow for m in call.world.present_members()) > (
        MEMBERS_WITHOUT_FILTER
    ):
        raise Refused(81017)
    chats = [chat for chat in _listed(call.world, owners) if not status or chat.status == status]
    page, next_cursor = take_page(call, chats, limit, status, owners)
    rows = [{"chat_id": chat.chat_id, "status": chat.status} for chat in page]
    return {"group_chat_list": rows, "next_cursor": next_cursor}


@endpoint("POST", "externalcontact/groupchat/get")
def get_chat(call: Call) -> Answer:
    chat_id = call.text("chat_id")
    with_names = call.integer("need_name", 0) == 1
    chat = call.world.chats.get(chat_id)
    if chat is None:
        raise Refused(40050, chat_id)
    if chat.dismissed_at is not None:
        raise Refused(49008)
    members = [
        _describe_member(call.world, m, with_names=with_names) for m in chat.members.values()
    ]
    return {
        "group_chat": {
            "chat_id": chat.chat_id,
            "name": chat.name,
            "owner": chat.owner,
            "create_time": chat.create_time,
            "notice": chat.notice,
            "member_list": members,
            "admin_list": [{"userid": userid} for userid in chat.admins],
            "member_version": chat.member_version,
        }
    }


@endpoint("POST", "externalcontact/opengid_to_chatid")
def find_chat(call: Call) -> Answer:
    chat_id = call.world.conversations.opengids.get(call.text("opengid"))
    if chat_id is None:
        raise Refused(90511)
    if call.world.chats[chat_id].dismissed_at is not None:
        raise Refused(49008)
    return {"chat_id": chat_id}


def _listed(world: World, owners: list[str]) -> list[Chat]:
    """Return groups of the given owners, or of all members present: one who left must be named."""
    wanted = {userid.lower() for userid in owners}
    chats = (chat for chat in world.chats.values() if chat.dismissed_at is None)
    if wanted:
        return [chat for chat in chats if chat.owner.lower() in wanted]
    return [chat for chat in chats if not world.members[chat.owner].has_left]


def _describe_member(world: World, member: ChatMember, *, with_names: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "userid": member.id,
        "type": member.type,
        "join_time": member.join_time,
        "join_scene": member.join_scene,
        "group_nickname": member.group_nickname,
    }
    person = world.persons.get(member.id) if member.type == 2 else None
    optional = {
        "unionid": person.unionid if person else "",
        "invitor": {"userid": member.invitor} if member.invitor else None,
        "state": member.state,
        "name": _name_of(world, member) if with_names else "",
    }
    return fields | {name: value for name, value in optional.items() if value}


def _name_of(world: World, member: ChatMember) -> str:
    known = world.persons if member.type == 2 else world.members
    someone = known.get(member.id)
    return someone.name if someone else ""
