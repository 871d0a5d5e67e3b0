"""Codes through which customers enter chats (加入群聊) [doc 92229]."""

from typing import Any

from scrm.channels.base import JoinCodeRecord, JoinCodeWish
from scrm.channels.wecom import parsing
from scrm.channels.wecom.paging import Ask

_QR_CODE = 2
_REMARK_CHARACTERS = 30


def create_join_code(ask: Ask, wish: JoinCodeWish) -> str:
    answer = ask("groupchat/add_join_way", _body(wish))
    return parsing.required_text(answer, "config_id")


def join_code(ask: Ask, config_id: str) -> JoinCodeRecord:
    answer = ask("groupchat/get_join_way", {"config_id": config_id})
    row = parsing.part(answer, "join_way")
    return JoinCodeRecord(
        config_id=config_id,
        chat_ids=parsing.names(row, "chat_id_list"),
        state=parsing.text(row.get("state")),
        qr_url=parsing.text(row.get("qr_code")),
    )


def update_join_code(ask: Ask, config_id: str, wish: JoinCodeWish) -> None:
    # A full overwrite: what is not sent falls back to its default.
    ask("groupchat/update_join_way", _body(wish) | {"config_id": config_id})


def _body(wish: JoinCodeWish) -> dict[str, Any]:
    body: dict[str, Any] = {
        "scene": _QR_CODE,
        "remark": wish.remark[:_REMARK_CHARACTERS],
        "auto_create_room": int(wish.is_growing),
        "chat_id_list": list(wish.chat_ids),
        "state": wish.state,
    }
    if wish.is_growing and wish.base_name:
        body |= {"room_base_name": wish.base_name, "room_base_id": wish.base_id}
    return body
