"""Corp tags."""

from collections.abc import Iterable
from typing import Any, TypeVar

from scrm.sandbox.call import Call, to_integer
from scrm.sandbox.endpoints.contacts import find_relation
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import CorpTag, CorpTagGroup

Tagged = TypeVar("Tagged", CorpTag, CorpTagGroup)

NAME_LENGTH = 30
LARGEST_ORDER = 2**32 - 1
TAGS_PER_CALL = 1000


@endpoint("POST", "externalcontact/get_corp_tag_list")
def list_tags(call: Call) -> Answer:
    book, group_ids, tag_ids = call.world.tags, call.texts("group_id"), call.texts("tag_id")
    if group_ids:
        groups = [_known(book.groups.get(group_id), group_id) for group_id in group_ids]
        return {"tag_group": [_describe_group(call, group) for group in groups]}
    if tag_ids:
        tags = [_known(book.tags.get(tag_id), tag_id) for tag_id in tag_ids]
        by_group: dict[str, list[CorpTag]] = {}
        for tag in tags:
            by_group.setdefault(tag.group_id, []).append(tag)
        rows = [_describe_group(call, book.groups[g], chosen) for g, chosen in by_group.items()]
        return {"tag_group": rows}
    rows = [_describe_living_group(group, book.tags_in(group)) for group in book.living_groups()]
    return {"tag_group": rows}


@endpoint("POST", "externalcontact/add_corp_tag")
def add_tags(call: Call) -> Answer:
    world, wanted = call.world, read_new_tags(call)
    group = _find_or_name_group(call)
    if any(world.tags.has_name(group, name) for name in wanted):
        raise Refused(40071)
    if world.tags.size() + len(wanted) > world.options.corp_tag_limit:
        raise Refused(40126)
    if group.id not in world.tags.groups:
        world.tags.add_group(group)
    created = [
        world.tags.add_tag(CorpTag(world.mint_id("et"), name, group.id, call.now, order))
        for name, order in wanted.items()
    ]
    world.ledger.append("api.tags_added", group_id=group.id, tag_ids=[tag.id for tag in created])
    return {"tag_group": _describe_living_group(group, created)}


@endpoint("POST", "externalcontact/edit_corp_tag")
def edit_tag(call: Call) -> Answer:
    tag_id = call.text("id")
    target = _find_own(call, tag_id)
    if "name" in call.parameters:
        name = check_name(call.optional_text("name"))
        if name != target.name and _is_taken(call, target, name):
            raise Refused(40071)
        target.name = name
    if "order" in call.parameters:
        target.order = check_order(call.parameters["order"])
    call.world.ledger.append("api.tag_edited", id=tag_id)
    return {}


@endpoint("POST", "externalcontact/del_corp_tag")
def delete_tags(call: Call) -> Answer:
    tag_ids, group_ids = call.texts("tag_id"), call.texts("group_id")
    if not tag_ids and not group_ids:
        raise Refused(40063, "tag_id or group_id")
    book = call.world.tags
    tags = [_own(_known(book.find_tag(tag_id), tag_id)) for tag_id in tag_ids]
    groups = [_own(_known(book.find_group(group_id), group_id)) for group_id in group_ids]
    for group in groups:
        book.delete_group(group)
    for tag in tags:
        book.delete_tag(tag)
    call.world.ledger.append("api.tags_deleted", tag_ids=tag_ids, group_ids=group_ids)
    return {}


@endpoint("POST", "externalcontact/mark_tag")
def mark_tag(call: Call) -> Answer:
    add, remove = call.texts("add_tag"), call.texts("remove_tag")
    if not add and not remove:
        raise Refused(40063, "add_tag or remove_tag")
    if len(add) + len(remove) > TAGS_PER_CALL:
        raise Refused(41111)
    relation = find_relation(call)
    _check_carriable(call, [*add, *remove])
    tag_ids = (relation.tag_ids - set(remove)) | set(add)
    most = call.world.options.tags_per_relation
    if most and len(tag_ids) > max(most, len(relation.tag_ids)):
        raise Refused(40144)
    relation.tag_ids = tag_ids
    call.world.ledger.append(
        "api.marked",
        userid=relation.userid,
        external_userid=relation.external_userid,
        add=add,
        remove=remove,
    )
    return {}


def _known(thing: Tagged | None, thing_id: str) -> Tagged:
    if thing is None:
        raise Refused(40068, thing_id)
    return thing


def _own(thing: Tagged) -> Tagged:
    if not thing.made_by_app:
        raise Refused(81011)
    return thing


def _find_own(call: Call, any_id: str) -> CorpTag | CorpTagGroup:
    tag = call.world.tags.find_tag(any_id)
    return _own(tag) if tag else _own(_known(call.world.tags.find_group(any_id), any_id))


def _is_taken(call: Call, target: CorpTag | CorpTagGroup, name: str) -> bool:
    if isinstance(target, CorpTagGroup):
        return call.world.tags.find_group_named(name) is not None
    return call.world.tags.has_name(call.world.tags.groups[target.group_id], name)


def _check_carriable(call: Call, tag_ids: Iterable[str]) -> None:
    for tag_id in tag_ids:
        if not call.world.tags.can_carry(tag_id):
            raise Refused(40068, tag_id)


def read_new_tags(call: Call) -> dict[str, int]:
    """Return name → order of the tags to make; a name given twice makes one tag."""
    rows = call.parameters.get("tag")
    if not rows:
        raise Refused(40063, "tag")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(40058, "tag must be a list of objects")
    return {check_name(row.get("name")): check_order(row.get("order", 0)) for row in rows}


def _find_or_name_group(call: Call) -> CorpTagGroup:
    """Return the group to add to; a new one is not in the book yet."""
    world = call.world
    group_id = call.optional_text("group_id")
    if group_id:
        return _known(world.tags.find_group(group_id), group_id)
    name = check_name(call.text("group_name"))
    order = check_order(call.parameters.get("order", 0))
    existing = world.tags.find_group_named(name)
    return existing or CorpTagGroup(world.mint_id("et"), name, call.now, order)


def check_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH:
        raise Refused(40072)
    return name


def check_order(order: object) -> int:
    number = to_integer(order, "order")
    if not 0 <= number <= LARGEST_ORDER:
        raise Refused(40058, "order")
    return number


def _describe_living_group(group: CorpTagGroup, tags: list[CorpTag]) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "group_name": group.name,
        "create_time": group.create_time,
        "order": group.order,
        "tag": [_describe_tag(tag) for tag in tags],
    }


def _describe_group(
    call: Call, group: CorpTagGroup, tags: list[CorpTag] | None = None
) -> dict[str, Any]:
    """Describe a group asked for by id: whether things were deleted shows only there."""
    book = call.world.tags
    chosen = [book.tags[tag_id] for tag_id in group.tag_ids] if tags is None else tags
    rows = [_describe_tag(tag) | {"deleted": tag.is_deleted} for tag in chosen]
    return _describe_living_group(group, []) | {"tag": rows, "deleted": group.is_deleted}


def _describe_tag(tag: CorpTag) -> dict[str, Any]:
    return {
        "id": tag.id,
        "name": tag.name,
        "create_time": tag.create_time,
        "order": tag.order,
    }
