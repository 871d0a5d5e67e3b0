"""Codes through which customers add members."""

from dataclasses import replace
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.contact_ways import SEVERAL, SINGLE, ContactWay
from scrm.sandbox.cursors import make_cursor, read_position
from scrm.sandbox.days import DAY, day_of
from scrm.sandbox.dice import draw_text
from scrm.sandbox.duty import expand, find_unfitness
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.materials import describe_material, read_material
from scrm.sandbox.temp_chats import close_temp_chat

MINI_PROGRAM, QR_CODE = 1, 2
STYLES = {SINGLE: {1, 2, 3}, SEVERAL: {1, 2}}
TEXT_LENGTH = 30
FLAGS = ("skip_verify", "is_exclusive", "mark_source")
LONGEST_TEMPORARY = 14 * DAY
CONCLUSION_KINDS = ("image", "link", "miniprogram")
CONCLUSION_BYTES = 4000
# Older codes are not listed: midnight of 2021-07-10 in China.
LISTED_SINCE = 1_625_846_400
LISTED_DAYS = 90


@endpoint("POST", "externalcontact/add_contact_way")
def add_contact_way(call: Call) -> Answer:
    world = call.world
    kind, scene = _read_kind(call)
    is_temp = call.flag("is_temp", default=False)
    way = ContactWay(
        config_id=draw_text(world.dice, 32, "0123456789abcdef"),
        kind=kind,
        scene=scene,
        created_at=world.clock.now(),
        number=world.next_number(),
        is_temp=is_temp,
    )
    way = replace(way, **_read_changes(call, way))
    _check_members(call, way)
    if is_temp:
        _check_temporary(call, way)
    if len(world.contact_ways.ways) + len(world.join_ways) >= world.options.contact_way_limit:
        raise Refused(41045)
    if is_temp:
        world.contact_ways.temp_made_at.append(way.created_at)
    world.contact_ways.ways[way.config_id] = way
    _note(call, "added", way)
    return {"config_id": way.config_id} | _describe_picture(call, way)


@endpoint("POST", "externalcontact/get_contact_way")
def get_contact_way(call: Call) -> Answer:
    way = _find(call)
    fields: dict[str, Any] = {
        "config_id": way.config_id,
        "type": way.kind,
        "scene": way.scene,
        "remark": way.remark,
        "skip_verify": way.skip_verify,
        "state": way.state,
        "user": way.userids,
        "party": way.departments,
        "is_temp": way.is_temp,
        "mark_source": way.mark_source,
    }
    if way.scene == MINI_PROGRAM:
        fields["style"] = way.style
    if way.is_temp:
        fields |= {
            "expires_in": way.expires_in,
            "chat_expires_in": way.chat_expires_in,
            "unionid": way.unionid,
        }
    if way.conclusion is not None:
        fields["conclusions"] = describe_material(call.world, way.conclusion)
    return {"contact_way": fields | _describe_picture(call, way)}


@endpoint("POST", "externalcontact/list_contact_way")
def list_contact_ways(call: Call) -> Answer:
    start, end = call.integer("start_time", 0), call.integer("end_time", 0)
    limit = call.page_size(default=100, maximum=1000, clamp=True)
    first = max(start or call.now - LISTED_DAYS * DAY, LISTED_SINCE)
    last = end or call.now
    if start and start > last:
        raise Refused(40058, "start_time or end_time")
    after = (read_position(call, start, end) or [0])[0]
    found = [
        way
        for way in call.world.contact_ways.ways.values()
        if way.number > after and not way.is_temp and first <= int(way.created_at) <= last
    ]
    found.sort(key=lambda way: way.number)
    page = found[:limit]
    more = make_cursor(call, [page[-1].number], start, end) if len(found) > limit else ""
    return {
        "contact_way": [{"config_id": way.config_id} for way in page],
        "next_cursor": more,
    }


@endpoint("POST", "externalcontact/update_contact_way")
def update_contact_way(call: Call) -> Answer:
    """Change what is given; type and scene stay, and so does the picture."""
    known = _find(call)
    if known.has_expired(call.world.clock.now()):
        raise Refused(41044, "expired")
    way = replace(known, **_read_changes(call, known))
    _check_members(call, way)
    call.world.contact_ways.ways[way.config_id] = way
    _note(call, "updated", way)
    return {}


@endpoint("POST", "externalcontact/del_contact_way")
def delete_contact_way(call: Call) -> Answer:
    way = _find(call)
    del call.world.contact_ways.ways[way.config_id]
    _note(call, "deleted", way)
    return {}


@endpoint("POST", "externalcontact/close_temp_chat")
def end_temp_chat(call: Call) -> Answer:
    member = call.member()
    person = call.person()
    chat = call.world.contact_ways.find_temp_chat(member.userid, person.external_userid)
    if chat is None:
        raise Refused(84061)
    close_temp_chat(call.world, chat, by="api")
    return {}


def _find(call: Call) -> ContactWay:
    way = call.world.contact_ways.ways.get(call.text("config_id", missing=41043))
    if way is None:
        raise Refused(41044)
    return way


def _read_kind(call: Call) -> tuple[int, int]:
    for name, missing in (("type", 41037), ("scene", 41038)):
        if call.parameters.get(name) is None:
            raise Refused(missing)
    kind, scene = call.integer("type"), call.integer("scene")
    if kind not in STYLES:
        raise Refused(41039)
    if scene not in {MINI_PROGRAM, QR_CODE}:
        raise Refused(41040)
    return kind, scene


def _read_changes(call: Call, way: ContactWay) -> dict[str, Any]:
    """Return what is given of the fields that may change."""
    texts = {name: call.limited_text(name, TEXT_LENGTH) for name in ("remark", "state")}
    flags = {name: call.flag(name, default=getattr(way, name)) for name in FLAGS}
    changes: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    changes |= flags | _read_range(call, way)
    if way.scene == MINI_PROGRAM:
        changes["style"] = call.integer("style", way.style)
        if changes["style"] not in STYLES[way.kind]:
            raise Refused(41042)
    return changes | (_read_temporary(call) if way.is_temp else {})


def _read_range(call: Call, way: ContactWay) -> dict[str, Any]:
    given, changes = call.parameters, dict[str, Any]()
    if given.get("user") is not None:
        found = (call.find_member(userid).userid for userid in call.texts("user"))
        changes["userids"] = list(dict.fromkeys(found))
    if way.kind == SEVERAL and given.get("party") is not None:
        changes["departments"] = _read_departments(call)
    return changes


def _read_departments(call: Call) -> list[int]:
    departments = call.integers("party")
    for department_id in departments:
        if department_id not in call.world.departments:
            raise Refused(60123, str(department_id))
    return departments


def _read_temporary(call: Call) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("expires_in", "chat_expires_in"):
        if call.parameters.get(name) is not None:
            changes[name] = call.integer(name)
            if not 1 <= changes[name] <= LONGEST_TEMPORARY:
                raise Refused(40058, name)
    if call.parameters.get("unionid") is not None:
        changes["unionid"] = call.optional_text("unionid")
    if call.parameters.get("conclusions") is not None:
        conclusions = call.mapping("conclusions")
        material = read_material(call, conclusions, CONCLUSION_KINDS, text_bytes=CONCLUSION_BYTES)
        changes["conclusion"] = material if material.text or material.attachments else None
    return changes


def _check_members(call: Call, way: ContactWay) -> None:
    """Refuse nobody, too many, and named members who cannot add customers."""
    if not (way.userids or way.departments):
        raise Refused(40063, "user or party")
    members = expand(call.world, way.userids, way.departments)
    allowed = 1 if way.kind == SINGLE else call.world.options.contact_way_members
    if len(members) > allowed:
        raise Refused(41041)
    # One who left since is nobody's fault in an update that does not name him.
    named = way.userids if call.parameters.get("user") is not None else []
    for userid in named:
        errcode = find_unfitness(call.world.members[userid])
        if errcode:
            raise Refused(errcode, userid)


def _check_temporary(call: Call, way: ContactWay) -> None:
    world = call.world
    if not world.options.temporary_chats:
        raise Refused(48002, "temporary chats")
    if way.kind != SINGLE:
        raise Refused(40058, "is_temp goes with type 1")
    today = world.contact_ways.count_temp_since(day_of(call.now))
    if today >= world.options.temporary_ways_per_day:
        raise Refused(45009, "temporary chats of a day")


def _describe_picture(call: Call, way: ContactWay) -> dict[str, Any]:
    if way.scene != QR_CODE:
        return {}
    return {"qr_code": f"{call.world.root_url}contact/{way.config_id}.png"}


def _note(call: Call, what: str, way: ContactWay) -> None:
    call.world.ledger.append(
        f"contact_way.{what}",
        config_id=way.config_id,
        userids=way.userids,
        departments=way.departments,
        state=way.state,
    )
