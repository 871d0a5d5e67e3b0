"""Mass messages: asking members to send."""

from typing import Any

from scrm.sandbox.call import Call, to_texts
from scrm.sandbox.content import read_content
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import MassMessage
from scrm.sandbox.sending import (
    Addressing,
    address_chats,
    address_customers,
    address_tagged,
    ask_to_send,
)

CUSTOMERS_PER_CALL = 10_000
CHATS_PER_CALL = 2_000
TAGS_PER_FILTER_GROUP = 100
REMINDERS = 3
REMINDER_WINDOW = 24 * 3600


@endpoint("POST", "externalcontact/add_msg_template")
def add_message(call: Call) -> Answer:
    chat_type = call.optional_text("chat_type") or "single"
    if chat_type not in {"single", "group"}:
        raise Refused(86214)
    content = read_content(call)
    addressing = _address_group(call) if chat_type == "group" else _address_single(call)
    if not addressing.by_member:
        raise Refused(41048)
    message = ask_to_send(call.world, addressing, content, chat_type=chat_type)
    for consider in call.world.on_asked:
        consider(message)
    return {"msgid": message.msgid, "fail_list": message.fail_list}


@endpoint("POST", "externalcontact/remind_groupmsg_send")
def remind(call: Call) -> Answer:
    message = find_message(call)
    if message.cancelled_at is not None:
        raise Refused(41093)
    now = call.world.clock.now()
    recent = [moment for moment in message.reminded_at if moment > now - REMINDER_WINDOW]
    if len(recent) >= REMINDERS:
        raise Refused(41094)
    message.reminded_at.append(now)
    call.world.ledger.append("message.reminded", msgid=message.msgid)
    for consider in call.world.on_reminded:
        consider(message)
    return {}


@endpoint("POST", "externalcontact/cancel_groupmsg_send")
def cancel(call: Call) -> Answer:
    message = find_message(call)
    if message.cancelled_at is not None:
        raise Refused(41093)
    message.cancelled_at = call.world.clock.now()
    call.world.ledger.append("message.cancelled", msgid=message.msgid)
    return {}


def find_message(call: Call) -> MassMessage:
    msgid = call.text("msgid", missing=41046)
    message = call.world.messages.get(msgid)
    if message is None:
        raise Refused(41047, msgid)
    return message


def _address_group(call: Call) -> Addressing:
    sender = call.text("sender")
    chat_ids = call.texts("chat_id_list", at_most=CHATS_PER_CALL)
    return address_chats(call.world, _find_sender(call, sender), chat_ids)


def _address_single(call: Call) -> Addressing:
    sender = call.optional_text("sender")
    external_userids = call.texts("external_userid", at_most=CUSTOMERS_PER_CALL)
    tag_groups = _read_tag_filter(call)
    if not (sender or external_userids or tag_groups):
        raise Refused(40063, "sender, external_userid or tag_filter")
    sender = _find_sender(call, sender) if sender else ""
    if external_userids:
        return address_customers(call.world, external_userids, sender=sender)
    # No tag filter is one that everybody passes: a sender alone means all his customers.
    return address_tagged(call.world, tag_groups, sender=sender)


def _find_sender(call: Call, userid: str) -> str:
    member = call.find_member(userid)
    if not member.customer_contact:
        raise Refused(84074, userid)
    return member.userid


def _read_tag_filter(call: Call) -> list[list[str]]:
    groups: Any = call.mapping("tag_filter").get("group_list") or []
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise Refused(40058, "tag_filter")
    chosen = [to_texts(g.get("tag_list") or [], "tag_list", TAGS_PER_FILTER_GROUP) for g in groups]
    return [group for group in chosen if group]
