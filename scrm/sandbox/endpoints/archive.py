"""The chat archive: what was said, and who agreed to that."""

import base64
import hmac
import re
from collections.abc import Iterable
from typing import Any

from scrm.sandbox.archived_media import CHUNK
from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import Member, Relation
from scrm.sandbox.tokens import ARCHIVE

MESSAGES_PER_CALL = 1000
PAIRS_PER_CALL = 100
INDEX = re.compile(r"Range:bytes=(\d+)-\d+")


@endpoint("POST", "archive/getchatdata", needs_token=False)
def list_messages(call: Call) -> Answer:
    """Answer what the platform's own library gives; it is not reached like this there."""
    _check_library(call)
    seq, limit = call.integer("seq", 0), call.integer("limit", MESSAGES_PER_CALL)
    if seq < 0 or limit < 1:
        raise Refused(40058, "seq or limit")
    if limit > MESSAGES_PER_CALL:
        raise Refused(301058)
    archive = call.world.archive
    return {"chatdata": [archive.seal(m) for m in archive.after(seq, limit, call.world)]}


@endpoint("POST", "archive/getmediadata", needs_token=False)
def read_file(call: Call) -> Answer:
    """Answer one piece of a file, in base64; `outindexbuf` is what to ask for the next one with."""
    _check_library(call)
    files = call.world.archive_files
    file = files.find(call.text("sdkfileid"))
    if file is None:
        raise Refused(10005)
    if files.is_over(file):
        raise Refused(301048)
    start = _read_index(call.optional_text("indexbuf"), file.size)
    content = file.read()[start : start + CHUNK]
    end = start + len(content)
    is_finish = end >= file.size
    last = min(end + CHUNK, file.size) - 1
    return {
        "data": base64.b64encode(content).decode(),
        "outindexbuf": "" if is_finish else f"Range:bytes={end}-{last}",
        "is_finish": is_finish,
    }


@endpoint("POST", "msgaudit/groupchat/get", audience=ARCHIVE)
def get_room(call: Call) -> Answer:
    """Answer a group without outsiders; those with them are customer groups."""
    _check_enabled(call)
    room_id = call.text("roomid")
    room = call.world.rooms.rooms.get(room_id)
    if room is None:
        raise Refused(301059 if room_id in call.world.chats else 40050, room_id)
    return {
        "roomname": room.name,
        "creator": room.creator,
        "room_create_time": room.created_at,
        "notice": room.notice,
        "members": [{"memberid": m, "jointime": at} for m, at in room.members.items()],
    }


@endpoint("GET", "msgaudit/get_robot_info", audience=ARCHIVE)
def get_robot(call: Call) -> Answer:
    _check_enabled(call)
    robot_id = call.text("robot_id")
    robot = call.world.rooms.robots.get(robot_id)
    if robot is None:
        raise Refused(301061, robot_id)
    fields = {"robot_id": robot_id, "name": robot.name, "creator_userid": robot.creator}
    return {"data": fields}


@endpoint("POST", "msgaudit/get_permit_user_list", audience=ARCHIVE)
def list_members(call: Call) -> Answer:
    _check_enabled(call)
    return {"ids": [m.userid for m in call.world.present_members() if m.is_archived]}


@endpoint("POST", "msgaudit/check_single_agree", audience=ARCHIVE)
def check_agreements(call: Call) -> Answer:
    _check_enabled(call)
    found = ((pair, _find_relation(call, pair)) for pair in _read_pairs(call))
    rows = [
        {
            "userid": pair["userid"],
            **_describe(call, relation.userid, relation.external_userid, relation.createtime),
        }
        for pair, relation in found
        if relation is not None
    ]
    return {"agreeinfo": rows}


@endpoint("POST", "msgaudit/check_room_agree", audience=ARCHIVE)
def check_room_agreements(call: Call) -> Answer:
    _check_enabled(call)
    chat = call.world.chats.get(call.text("roomid"))
    if chat is None:
        raise Refused(40050)
    guests = (member for member in chat.members.values() if member.type == 2)
    rows = [_describe(call, chat.chat_id, guest.id, guest.join_time) for guest in guests]
    return {"agreeinfo": rows}


def _check_library(call: Call) -> None:
    """Refuse whoever could not open the library: a wrong corp or secret, or no archive."""
    credentials = call.world.credentials
    if call.text("corpid", missing=41002) != credentials.corp_id:
        raise Refused(40013)
    secret = call.text("archive_secret", missing=41004)
    if not hmac.compare_digest(secret.encode(), credentials.archive_secret.encode()):
        raise Refused(40001)
    _check_enabled(call)


def _read_index(index: str, size: int) -> int:
    """Return where the piece begins that an earlier answer pointed to."""
    if not index:
        return 0
    found = INDEX.fullmatch(index)
    if found is None or int(found[1]) >= size:
        raise Refused(40058, "indexbuf")
    return int(found[1])


def _check_enabled(call: Call) -> None:
    if not call.world.options.archive_enabled:
        raise Refused(301053)


def _read_pairs(call: Call) -> Iterable[dict[str, Any]]:
    pairs = call.parameters.get("info")
    if not pairs:
        raise Refused(40063, "info")
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
        raise Refused(40058, "info")
    if len(pairs) > PAIRS_PER_CALL:
        raise Refused(301060)
    return pairs


def _find_relation(call: Call, pair: dict[str, Any]) -> Relation | None:
    """Return the two's relation, None when they have none; 301061 for an unknown member."""
    member: Member | None = call.world.find_anybody(str(pair.get("userid", "")))
    if member is None:
        raise Refused(301061, str(pair.get("userid")))
    # The platform's own spelling.
    return call.world.find_relation(member.userid, str(pair.get("exteranalopenid", "")))


def _describe(call: Call, where: str, external_userid: str, since: int) -> dict[str, Any]:
    """Describe what a customer agreed to; who was never asked is told since the beginning."""
    default = call.world.options.archive_agreed
    agreed, at = call.world.archive.agreements.get((where, external_userid), (default, since))
    return {
        "exteranalopenid": external_userid,
        "agree_status": "Agree" if agreed else "Disagree",
        "status_change_time": int(at),
    }
