"""What members are told through the app."""

import json

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import AppMessage

RECEIVERS = 1000
TEXT_BYTES = 2048
LONGEST_INTERVAL = 4 * 3600
MINUTE = 60
# kind → the field that holds its words
WORDS = {"text": "content", "markdown": "content", "textcard": "title"}


@endpoint("POST", "message/send")
def send(call: Call) -> Answer:
    _check_agent(call)
    kind = call.text("msgtype", missing=40008)
    if kind not in WORDS:
        raise Refused(40008, kind)
    body = call.mapping(kind)
    words = _cut(body.get(WORDS[kind]))
    receivers, invalid = _read_receivers(call)
    answer = {"invaliduser": invalid, "invalidparty": "", "invalidtag": "", "unlicenseduser": ""}
    if not receivers:
        raise Refused(81013)
    key = json.dumps([kind, body, sorted(receivers)], sort_keys=True)
    msgid = _find_repeated(call, key)
    if msgid:
        call.world.ledger.append("app_message.repeated", msgid=msgid, userids=receivers)
    else:
        msgid = _tell(call, kind, words, receivers)
        call.world.app_messages_said[key] = call.world.clock.now(), msgid
    return answer | {"msgid": msgid}


def _check_agent(call: Call) -> None:
    agent_id = call.parameters.get("agentid")
    if isinstance(agent_id, bool) or not isinstance(agent_id, int):
        raise Refused(40056)
    if agent_id != call.world.credentials.agent_id:
        raise Refused(301002)


def _cut(words: object) -> str:
    if not isinstance(words, str) or not words:
        raise Refused(44004)
    return words.encode()[:TEXT_BYTES].decode(errors="ignore")


def _read_receivers(call: Call) -> tuple[list[str], str]:
    """Return the userids reached and, joined and lower-cased, those that name nobody."""
    named = [name for name in call.optional_text("touser").split("|") if name]
    parties = [int(p) for p in call.optional_text("toparty").split("|") if p.isdecimal()]
    if not named and not parties and not call.optional_text("totag"):
        raise Refused(82001)
    if len(named) > RECEIVERS:
        raise Refused(40032)
    present = call.world.present_members()
    if named == ["@all"]:
        return [member.userid for member in present], ""
    found = {name: call.world.find_member(name) for name in named}
    reached = [member.userid for member in found.values() if member is not None]
    reached += [m.userid for m in present if set(m.departments) & set(parties)]
    invalid = [name.lower() for name, member in found.items() if member is None]
    return list(dict.fromkeys(reached)), "|".join(invalid)


def _find_repeated(call: Call, key: str) -> str:
    """Return the msgid of the same message to the same receivers, if that shall be dropped."""
    said_at, msgid = call.world.app_messages_said.get(key, (0.0, ""))
    interval = min(call.integer("duplicate_check_interval", 1800), LONGEST_INTERVAL)
    is_recent = call.world.clock.now() - said_at < interval
    return msgid if call.integer("enable_duplicate_check", 0) and is_recent else ""


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
    now, told = call.world.clock.now(), call.world.told_log
    recent = [moment for moment in told.get(userid, ()) if 0 <= now - moment < MINUTE]
    admits = len(recent) < call.world.options.app_messages_per_minute
    told[userid] = [*recent, now] if admits else recent
    return admits
