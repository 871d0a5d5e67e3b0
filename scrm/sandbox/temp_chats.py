"""Temporary chats: how they begin, and what the customer is told when they end."""

from scrm.sandbox.contact_ways import ContactWay, TempChat
from scrm.sandbox.world import World


def open_temp_chat(world: World, way: ContactWay, userid: str, external_userid: str) -> TempChat:
    """Let two chat until the time of the code's chats is over."""
    now = world.clock.now()
    chat = TempChat(userid, external_userid, way.config_id, now, now + way.chat_expires_in)
    world.contact_ways.temp_chats.append(chat)
    way.lead(external_userid, userid)
    world.ledger.append(
        "temp_chat.opened",
        config_id=way.config_id,
        userid=userid,
        external_userid=external_userid,
        until=chat.until,
    )
    world.clock.schedule(chat.until, lambda: _expire(world, chat))
    return chat


def close_temp_chat(world: World, chat: TempChat, *, by: str) -> None:
    """End a chat, with the conclusion its code has at that moment."""
    chat.closed_at = world.clock.now()
    way = world.contact_ways.ways.get(chat.config_id)
    conclusion = way.conclusion if way else None
    world.ledger.append(
        "temp_chat.closed",
        config_id=chat.config_id,
        userid=chat.userid,
        external_userid=chat.external_userid,
        by=by,
        conclusion=conclusion.text if conclusion else "",
        attachments=[a["msgtype"] for a in conclusion.attachments] if conclusion else [],
    )


def _expire(world: World, chat: TempChat) -> None:
    with world.lock:
        if chat.closed_at is None:
            close_temp_chat(world, chat, by="time")
