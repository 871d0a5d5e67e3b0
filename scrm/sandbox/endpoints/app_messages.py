"""What members are told through the app, taken back, and changed after they pressed a button."""

import json
from collections.abc import Iterable
from typing import Any

from scrm.sandbox.app_message_kinds import KINDS, read_words
from scrm.sandbox.call import Call
from scrm.sandbox.card_forms import check_card
from scrm.sandbox.cards import INTERACTIVE
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.media import check_media_of
from scrm.sandbox.quota import start_of_day
from scrm.sandbox.records import AppMessage

RECEIVERS = 1000
PARTIES = TAGS = 100
LONGEST_INTERVAL = 4 * 3600
MINUTE = 60
HOUR = 60 * MINUTE
CARD = "template_card"


@endpoint("POST", "message/send")
def send(call: Call) -> Answer:
    _check_agent(call)
    kind = call.text("msgtype", missing=40008)
    if kind not in KINDS:
        raise Refused(40008, kind)
    body = call.mapping(kind)
    words = read_words(kind, body)
    check_media_of(call, kind, body)
    receivers, invalid = _read_receivers(call)
    if not receivers:
        raise Refused(81013)
    key = json.dumps([kind, body, sorted(receivers)], sort_keys=True)
    msgid = _find_repeated(call, key)
    if msgid:
        call.world.ledger.append("app_message.repeated", msgid=msgid, userids=receivers)
        return invalid | {"msgid": msgid}
    if kind == CARD and call.world.cards.has_task(str(body.get("task_id") or ())):
        raise Refused(40058, "task_id is not new")
    _check_allowance(call, receivers)
    msgid = _tell(call, kind, words, receivers)
    call.world.app_messages_said[key] = call.world.clock.now(), msgid
    return invalid | {"msgid": msgid} | (_hand_out(call, msgid, body) if kind == CARD else {})


@endpoint("POST", "message/recall")
def recall(call: Call) -> Answer:
    world, msgid = call.world, call.text("msgid", missing=41046)
    message = next((each for each in world.app_messages if each.msgid == msgid), None)
    if message is None:
        raise Refused(41047, msgid)
    if world.clock.now() - message.at > world.options.recall_seconds:
        raise Refused(42052)
    if msgid not in world.app_messages_recalled:
        world.app_messages_recalled[msgid] = world.clock.now()
        world.ledger.append("app_message.recalled", msgid=msgid, userids=message.receivers)
    return {}


@endpoint("POST", "message/update_template_card")
def update_card(call: Call) -> Answer:
    """Change a card once, for those named among its receivers."""
    _check_agent(call)
    change = _read_change(call)
    named, invalid = _read_targets(call)
    card = call.world.cards.redeem(call.text("response_code"))
    if card is None:
        raise Refused(40058, "response_code is unknown, used or too old")
    everybody = bool(call.integer("atall", 0))
    reached = [u for u in card.receivers if everybody or u in named]
    invalid += [userid for userid in named if userid not in card.receivers]
    card.shown.update(dict.fromkeys(reached, change))
    call.world.ledger.append("card.updated", msgid=card.msgid, userids=reached, change=change)
    return {"invaliduser": invalid}


def _check_agent(call: Call) -> None:
    agent_id = call.parameters.get("agentid")
    if isinstance(agent_id, bool) or not isinstance(agent_id, int):
        raise Refused(40056)
    if agent_id != call.world.credentials.agent_id:
        raise Refused(301002)


def _read_receivers(call: Call) -> tuple[list[str], Answer]:
    """Return the userids reached, and what of the names is wrong as the answer says it."""
    named, parties, tags = (_split(call, n) for n in ("touser", "toparty", "totag"))
    if not named and not parties and not tags:
        raise Refused(82001)
    if len(named) > RECEIVERS:
        raise Refused(40032)
    if len(parties) > PARTIES:
        raise Refused(82002)
    if len(tags) > TAGS:
        raise Refused(82003)
    answer = {"invaliduser": "", "invalidparty": "", "invalidtag": "", "unlicenseduser": ""}
    present = call.world.present_members()
    if named == ["@all"]:
        return [member.userid for member in present], answer
    found = {name: call.world.find_member(name) for name in named}
    reached = [member.userid for member in found.values() if member is not None]
    known = {int(p) for p in parties if p.isdecimal()} & call.world.departments.keys()
    reached += [m.userid for m in present if set(m.departments) & known]
    answer["invaliduser"] = "|".join(n.lower() for n, member in found.items() if member is None)
    answer["invalidparty"] = "|".join(p for p in parties if p not in map(str, known))
    # No member of this corp carries a label of the directory.
    answer["invalidtag"] = "|".join(tags)
    return list(dict.fromkeys(reached)), answer


def _split(call: Call, name: str) -> list[str]:
    return [each for each in call.optional_text(name).split("|") if each]


def _find_repeated(call: Call, key: str) -> str:
    """Return the msgid of the same message to the same receivers, if that shall be dropped."""
    said_at, msgid = call.world.app_messages_said.get(key, (0.0, ""))
    interval = min(call.integer("duplicate_check_interval", 1800), LONGEST_INTERVAL)
    is_recent = call.world.clock.now() - said_at < interval
    return msgid if call.integer("enable_duplicate_check", 0) and is_recent else ""


def _check_allowance(call: Call, receivers: list[str]) -> None:
    """Refuse what the app's allowance of this day does not suffice for."""
    world = call.world
    since = start_of_day(world.clock.now())
    today = sum(len(each.receivers) for each in world.app_messages if each.at >= since)
    heads = len(world.present_members())
    if today + len(receivers) > heads * world.options.app_messages_per_head_and_day:
        raise Refused(45009, "person-times of the day")


def _tell(call: Call, kind: str, words: str, receivers: list[str]) -> str:
    """Let members read it; one who was told too much lately is passed over in silence."""
    world, now = call.world, call.world.clock.now()
    msgid = world.mint_id("appmsg")
    told = [userid for userid in receivers if _admits(call, userid)]
    silenced = [userid for userid in receivers if userid not in told]
    world.app_messages.append(AppMessage(msgid, now, kind, words, tuple(told)))
    world.ledger.append("app_message.told", msgid=msgid, userids=told, msgtype=kind, text=words)
    if silenced:
        world.ledger.append("app_message.dropped", msgid=msgid, userids=silenced)
    return msgid


def _admits(call: Call, userid: str) -> bool:
    now, told, options = call.world.clock.now(), call.world.told_log, call.world.options
    recent = [moment for moment in told.get(userid, ()) if 0 <= now - moment < HOUR]
    in_minute = sum(1 for moment in recent if now - moment < MINUTE)
    admits = (
        in_minute < options.app_messages_per_minute and len(recent) < options.app_messages_per_hour
    )
    told[userid] = [*recent, now] if admits else recent
    return admits


def _hand_out(call: Call, msgid: str, content: dict[str, Any]) -> Answer:
    """Put a card on its receivers' screens; one that can be pressed may be changed once."""
    receivers = call.world.app_messages[-1].receivers
    card = call.world.cards.add(msgid, content, receivers)
    if card.kind not in INTERACTIVE:
        return {}
    return {"response_code": call.world.cards.mint_code(card)}


def _read_change(call: Call) -> dict[str, Any]:
    card, button = call.mapping(CARD), call.mapping("button")
    if card:
        check_card(card)
        return card
    name = button.get("replace_name")
    if not isinstance(name, str) or not name:
        raise Refused(40063, "button.replace_name or template_card")
    return {"replace_name": name}


def _read_targets(call: Call) -> tuple[list[str], list[str]]:
    """Return the userids named, be it by department, and those that name nobody."""
    world = call.world
    userids = call.texts("userids", at_most=RECEIVERS)
    parties = set(_read_numbers(call, "partyids", PARTIES))
    tags = _read_numbers(call, "tagids", TAGS)
    if not userids and not parties and not tags and not call.integer("atall", 0):
        raise Refused(82001)
    found = {userid: world.find_member(userid) for userid in userids}
    named = [member.userid for member in found.values() if member is not None]
    named += [m.userid for m in world.present_members() if set(m.departments) & parties]
    return list(dict.fromkeys(named)), [u for u, member in found.items() if member is None]


def _read_numbers(call: Call, name: str, at_most: int) -> Iterable[int]:
    values = call.parameters.get(name) or []
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise Refused(40058, name)
    if len(values) > at_most:
        raise Refused(40058, f"{name} exceeds {at_most} items")
    return values
