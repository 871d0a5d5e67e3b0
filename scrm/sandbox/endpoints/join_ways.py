"""Codes through which customers enter groups."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.dice import draw_text
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import JoinWay

CHATS_PER_CODE = 5
REMARK_LENGTH = 30
STATE_BYTES = 30
BASE_NAME_LENGTH = 40
MINI_PROGRAM, QR_CODE = 1, 2


@endpoint("POST", "externalcontact/groupchat/add_join_way")
def add_join_way(call: Call) -> Answer:
    world = call.world
    config_id = draw_text(world.dice, 32, "0123456789abcdef")
    way = _read(call, config_id)
    if len(world.join_ways) + len(world.contact_ways.ways) >= world.options.contact_way_limit:
        raise Refused(41045)
    world.join_ways[config_id] = way
    _note(call, "added", way)
    return {"config_id": config_id}


@endpoint("POST", "externalcontact/groupchat/get_join_way")
def get_join_way(call: Call) -> Answer:
    way = _find(call)
    fields: dict[str, Any] = {
        "config_id": way.config_id,
        "scene": way.scene,
        "remark": way.remark,
        "auto_create_room": int(way.auto_create_room),
        "room_base_name": way.room_base_name,
        "room_base_id": way.room_base_id,
        "chat_id_list": way.chat_ids,
        "state": way.state,
        "mark_source": way.mark_source,
    }
    if way.scene == QR_CODE:
        fields["qr_code"] = f"{call.world.root_url}join/{way.config_id}.png"
    return {"join_way": fields}


@endpoint("POST", "externalcontact/groupchat/update_join_way")
def update_join_way(call: Call) -> Answer:
    """Overwrite everything: what is left out falls back to its default."""
    known = _find(call)
    way = _read(call, known.config_id)
    way.grown_chat_ids = known.grown_chat_ids
    call.world.join_ways[way.config_id] = way
    _note(call, "updated", way)
    return {}


@endpoint("POST", "externalcontact/groupchat/del_join_way")
def delete_join_way(call: Call) -> Answer:
    way = _find(call)
    del call.world.join_ways[way.config_id]
    _note(call, "deleted", way)
    return {}


def _find(call: Call) -> JoinWay:
    way = call.world.join_ways.get(call.text("config_id", missing=41043))
    if way is None:
        raise Refused(41044)
    return way


def _read(call: Call, config_id: str) -> JoinWay:
    scene, grows = call.integer("scene"), call.integer("auto_create_room", 1)
    if scene not in {MINI_PROGRAM, QR_CODE} or grows not in {0, 1}:
        raise Refused(40058, "scene or auto_create_room")
    state = call.optional_text("state")
    if len(state.encode()) > STATE_BYTES:
        raise Refused(40058, f"state exceeds {STATE_BYTES} bytes")
    return JoinWay(
        config_id,
        scene,
        _read_chats(call),
        remark=call.optional_text("remark")[:REMARK_LENGTH],
        state=state,
        auto_create_room=bool(grows),
        room_base_name=call.limited_text("room_base_name", BASE_NAME_LENGTH) or "",
        room_base_id=call.integer("room_base_id", 1),
        mark_source=bool(call.parameters.get("mark_source", False)),
    )


def _read_chats(call: Call) -> list[str]:
    chat_ids = list(dict.fromkeys(call.texts("chat_id_list")))
    if not chat_ids:
        raise Refused(40063, "chat_id_list")
    if len(chat_ids) > CHATS_PER_CODE:
        raise Refused(41091)
    for chat_id in chat_ids:
        chat = call.world.chats.get(chat_id)
        if chat is None:
            raise Refused(40050, chat_id)
        if chat.dismissed_at is not None:
            raise Refused(49008, chat_id)
    return chat_ids


def _note(call: Call, what: str, way: JoinWay) -> None:
    call.world.ledger.append(
        f"join_way.{what}", config_id=way.config_id, chat_ids=way.chat_ids, state=way.state
    )
