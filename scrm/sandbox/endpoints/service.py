"""WeChat customer service: reading what was said, and answering while that is allowed."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.media import check_media_of
from scrm.sandbox.service import (
    EventCode,
    Origin,
    ServiceAccount,
    ServiceMessage,
    Session,
    make_service_cursor,
    read_service_cursor,
)
from scrm.sandbox.service_kinds import MSGID, SENDABLE, check_menu

PAGE = 1000
CURSOR_BYTES = 64
MENU_ITEMS_ON_EVENT = 10


@endpoint("POST", "kf/sync_msg")
def read_messages(call: Call) -> Answer:
    desk, account = call.world.service, _find_account(call)
    limit = call.page_size(default=PAGE, maximum=PAGE, clamp=True)
    if call.integer("voice_format", 0) not in {0, 1}:
        raise Refused(40058, "voice_format")
    start = _read_place(call, account)
    _check_token(call, account)
    end = min(start + limit, len(account.messages))
    # A page counts places, so one of which nothing may be shown is empty with more behind it.
    rows = [
        _describe(message)
        for message in account.messages[start:end]
        if message.origin != Origin.API and desk.is_kept(message)
    ]
    return {
        "next_cursor": make_service_cursor(account.open_kfid, end),
        "has_more": int(end < len(account.messages)),
        "msg_list": rows,
    }


@endpoint("POST", "kf/send_msg")
def send(call: Call) -> Answer:
    account = _find_account(call)
    external_userid = call.text("touser")
    if external_userid not in call.world.persons:
        raise Refused(40096, external_userid)
    msgid = _read_msgid(call)
    kind, body = _read_body(call)
    session = call.world.service.find_session(account.open_kfid, external_userid)
    if session is None or not call.world.service.is_in_window(session):
        raise Refused(95002)
    if session.state not in call.world.options.service_open_states:
        raise Refused(95018)
    if session.answers >= call.world.options.service_messages:
        raise Refused(95001)
    session.answers += 1
    return _say(call, session, msgid, {"msgtype": kind, kind: body})


@endpoint("POST", "kf/send_msg_on_event")
def send_on_event(call: Call) -> Answer:
    code = _find_code(call)
    msgid = _read_msgid(call)
    kind, body = _read_body(call)
    if kind not in code.kinds:
        raise Refused(40008, kind)
    if kind == "msgmenu":
        check_menu(body, MENU_ITEMS_ON_EVENT)
    if call.world.service.is_over(code):
        raise Refused(95002)
    if code.is_used:
        raise Refused(95001)
    if code.state not in {None, code.session.state}:
        raise Refused(95018)
    code.is_used = True
    if code.is_welcome:
        code.session.welcomed_at = call.world.clock.now()
    return _say(call, code.session, msgid, {"msgtype": kind, kind: body})


def _find_account(call: Call) -> ServiceAccount:
    open_kfid = call.text("open_kfid", missing=95000)
    account = call.world.service.accounts.get(open_kfid)
    if account is None:
        raise Refused(95004, open_kfid)
    return account


def _read_place(call: Call, account: ServiceAccount) -> int:
    cursor = call.optional_text("cursor")
    if not cursor:
        return 0
    place = read_service_cursor(cursor, account.open_kfid)
    if len(cursor.encode()) > CURSOR_BYTES or place is None:
        raise Refused(40058, "cursor")
    return place


def _check_token(call: Call, account: ServiceAccount) -> None:
    """Refuse a token that is wrong or old; whoever has none may come seldom only."""
    token = call.optional_text("token")
    if token and not call.world.service.is_token_good(token, account.open_kfid):
        raise Refused(95007)
    if not token and not call.world.service.admits_without_token(account.open_kfid):
        raise Refused(45009, "without token")


def _describe(message: ServiceMessage) -> dict[str, Any]:
    row = {
        "msgid": message.msgid,
        "send_time": int(message.at),
        "origin": int(message.origin),
        **message.fields,
    }
    if message.origin == Origin.SYSTEM:
        # An event names the two inside of itself.
        return row
    return row | {"open_kfid": message.open_kfid, "external_userid": message.external_userid}


def _read_msgid(call: Call) -> str:
    msgid = call.optional_text("msgid")
    if not MSGID.fullmatch(msgid):
        raise Refused(40058, "msgid")
    if msgid and msgid in call.world.service.messages:
        raise Refused(95033)
    return msgid or call.world.service.mint_msgid()


def _read_body(call: Call) -> tuple[str, dict[str, Any]]:
    kind = call.text("msgtype", missing=40008)
    if kind not in SENDABLE:
        raise Refused(40008, kind)
    body = call.mapping(kind)
    SENDABLE[kind](body)
    check_media_of(call, kind, body)
    return kind, body


def _find_code(call: Call) -> EventCode:
    code = call.world.service.codes.get(call.text("code"))
    if code is None:
        raise Refused(40029)
    return code


def _say(call: Call, session: Session, msgid: str, fields: dict[str, Any]) -> Answer:
    now = call.world.clock.now()
    session.answered_at = now
    call.world.service.add(
        ServiceMessage(msgid, now, Origin.API, session.open_kfid, session.external_userid, fields)
    )
    call.world.ledger.append(
        "service.answered",
        msgid=msgid,
        open_kfid=session.open_kfid,
        external_userid=session.external_userid,
        msgtype=fields["msgtype"],
    )
    return {"msgid": msgid}
