"""Handing customers and groups over, of colleagues who stay and of those who have left."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.cursors import make_cursor, read_position, take_page
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import TEXTS, Refused
from scrm.sandbox.handing_over import (
    Handover,
    begin_transfer,
    find_obstacle,
    find_unfitness,
    hand_chat,
    judge_chat,
    judge_customer,
)
from scrm.sandbox.records import Relation

ITEMS_PER_CALL = 100
MESSAGE_LENGTH = 200
PAGE = 1000


@endpoint("POST", "externalcontact/get_unassigned_list")
def list_unassigned(call: Call) -> Answer:
    size = min(call.integer("page_size", PAGE), PAGE, call.world.options.result_page)
    if size < 1:
        raise Refused(40058, "page_size")
    # The list shrinks while it is walked, so the cursor names a row instead of a place.
    after = tuple(read_position(call))
    rows = [row for row in _unassigned(call) if row[0] > after]
    page = rows[:size]
    is_last = len(rows) <= size
    return {
        "info": [_describe_unassigned(call, relation) for _, relation in page],
        "is_last": is_last,
        "next_cursor": "" if is_last else make_cursor(call, page[-1][0]),
    }


@endpoint("POST", "externalcontact/transfer_customer")
def transfer(call: Call) -> Answer:
    message = call.limited_text("transfer_success_msg", MESSAGE_LENGTH)
    giver, taker = call.member("handover_userid"), call.member("takeover_userid")
    return _transfer(call, Handover(giver, taker, is_resigned=False), message or "")


@endpoint("POST", "externalcontact/resigned/transfer_customer")
def transfer_resigned(call: Call) -> Answer:
    giver, taker = call.former_member("handover_userid"), call.member("takeover_userid")
    return _transfer(call, Handover(giver, taker, is_resigned=True), "")


@endpoint("POST", "externalcontact/transfer_result")
def list_results(call: Call) -> Answer:
    return _list_results(call, is_resigned=False)


@endpoint("POST", "externalcontact/resigned/transfer_result")
def list_resigned_results(call: Call) -> Answer:
    return _list_results(call, is_resigned=True)


@endpoint("POST", "externalcontact/groupchat/onjob_transfer")
def transfer_chats(call: Call) -> Answer:
    return _transfer_chats(call, is_resigned=False)


@endpoint("POST", "externalcontact/groupchat/transfer")
def transfer_resigned_chats(call: Call) -> Answer:
    return _transfer_chats(call, is_resigned=True)


def _unassigned(call: Call) -> list[tuple[tuple[int, int], Relation]]:
    """Return who waits for a new member, in the order in which the former ones left."""
    rows = [
        ((member.left_number, relation.number), relation)
        for member in call.world.members.values()
        for relation in call.world.unassigned_of(member)
    ]
    return sorted(rows, key=lambda row: row[0])


def _describe_unassigned(call: Call, relation: Relation) -> dict[str, Any]:
    left_at = call.world.members[relation.userid].left_at
    return {
        "handover_userid": relation.userid,
        "external_userid": relation.external_userid,
        "dimission_time": int(left_at or 0),
    }


def _transfer(call: Call, handover: Handover, message: str) -> Answer:
    obstacle = find_obstacle(call.world, handover)
    rows = []
    for external_userid in _read_items(call, "external_userid"):
        errcode = obstacle or judge_customer(call.world, handover, external_userid)
        if errcode:
            _note_declined(call, handover, external_userid, errcode)
        else:
            begin_transfer(call.world, handover, external_userid, message=message)
        rows.append({"external_userid": external_userid, "errcode": errcode})
    return {"customer": rows}


def _note_declined(call: Call, handover: Handover, external_userid: str, errcode: int) -> None:
    call.world.ledger.append(
        "handover.declined",
        handover_userid=handover.giver.userid,
        takeover_userid=handover.taker.userid,
        external_userid=external_userid,
        is_resigned=handover.is_resigned,
        errcode=errcode,
    )


def _list_results(call: Call, *, is_resigned: bool) -> Answer:
    giver = call.former_member("handover_userid").userid
    taker = call.former_member("takeover_userid").userid
    found = call.world.handovers.between(giver, taker, is_resigned=is_resigned)
    page, next_cursor = take_page(call, found, call.world.options.result_page, giver, taker)
    rows = [
        {
            "external_userid": transfer.external_userid,
            "status": int(transfer.status),
            "takeover_time": transfer.takeover_time,
        }
        for transfer in page
    ]
    return {"customer": rows, "next_cursor": next_cursor}


def _transfer_chats(call: Call, *, is_resigned: bool) -> Answer:
    taker = call.member("new_owner")
    chat_ids = _read_items(call, "chat_id_list")
    unfitness = find_unfitness(call.world, taker)
    if unfitness:
        raise Refused(unfitness, taker.userid)
    failed = []
    for chat_id in chat_ids:
        errcode = judge_chat(call.world, chat_id, taker, is_resigned=is_resigned)
        if errcode:
            failed.append({"chat_id": chat_id, "errcode": errcode, "errmsg": TEXTS[errcode]})
            call.world.ledger.append("handover.chat_declined", chat_id=chat_id, errcode=errcode)
        else:
            hand_chat(call.world, call.world.chats[chat_id], taker, is_resigned=is_resigned)
    return {"failed_chat_list": failed}


def _read_items(call: Call, name: str) -> list[str]:
    """Return 1 to 100 ids, each once."""
    items = call.texts(name, at_most=ITEMS_PER_CALL)
    if not items:
        raise Refused(40063, name)
    return list(dict.fromkeys(items))
