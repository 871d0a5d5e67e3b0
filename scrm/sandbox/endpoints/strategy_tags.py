"""Tags of rule groups: like corp tags, but each group of them belongs to a first-level rule group."""

from typing import Any, TypeVar

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.customer_strategy import find_strategy
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.endpoints.tags import check_name, check_order, read_new_tags
from scrm.sandbox.errors import Refused
from scrm.sandbox.strategies import StrategyTag, StrategyTagGroup

Tagged = TypeVar("Tagged", StrategyTag, StrategyTagGroup)


@endpoint("POST", "externalcontact/get_strategy_tag_list")
def list_tags(call: Call) -> Answer:
    book, strategy_id = call.world.strategies, call.integer("strategy_id", 0)
    group_ids, tag_ids = call.texts("group_id"), call.texts("tag_id")
    if strategy_id:
        find_strategy(call)
    if group_ids:
        groups = [_known(book.groups.get(group_id), group_id) for group_id in group_ids]
        rows = [_describe_asked(g, [book.tags[i] for i in g.tag_ids]) for g in groups]
    elif tag_ids:
        by_group: dict[str, list[StrategyTag]] = {}
        for tag_id in tag_ids:
            tag = _known(book.tags.get(tag_id), tag_id)
            by_group.setdefault(tag.group_id, []).append(tag)
        rows = [_describe_asked(book.groups[g], chosen) for g, chosen in by_group.items()]
    else:
        rows = [_describe(group, book.tags_in(group)) for group in book.living_groups()]
    return {"tag_group": [r for r in rows if strategy_id in {0, r["strategy_id"]}]}


@endpoint("POST", "externalcontact/add_strategy_tag")
def add_tags(call: Call) -> Answer:
    world, wanted = call.world, read_new_tags(call)
    book, group = world.strategies, _find_or_name_group(call)
    if any(book.has_name(group, name) for name in wanted):
        raise Refused(40071)
    if world.tags.size() + len(wanted) > world.options.corp_tag_limit:
        raise Refused(40126)
    book.groups.setdefault(group.id, group)
    created = [
        book.add_tag(StrategyTag(world.mint_id("st"), name, group.id, call.now, order))
        for name, order in wanted.items()
    ]
    world.ledger.append(
        "api.strategy_tags_added",
        strategy_id=group.strategy_id,
        group_id=group.id,
        tag_ids=[tag.id for tag in created],
    )
    return {"tag_group": _describe(group, created)}


@endpoint("POST", "externalcontact/edit_strategy_tag")
def edit_tag(call: Call) -> Answer:
    book, any_id = call.world.strategies, call.text("id")
    tag = book.find_tag(any_id)
    group = _own(book.groups[tag.group_id] if tag else _known(book.find_group(any_id), any_id))
    target = tag or group
    if "name" in call.parameters:
        name = check_name(call.optional_text("name"))
        if name != target.name:
            _rename(call, tag, group, name)
    if "order" in call.parameters:
        target.order = check_order(call.parameters["order"])
    call.world.ledger.append("api.strategy_tag_edited", id=any_id)
    return {}


@endpoint("POST", "externalcontact/del_strategy_tag")
def delete_tags(call: Call) -> Answer:
    tag_ids, group_ids = call.texts("tag_id"), call.texts("group_id")
    if not tag_ids and not group_ids:
        raise Refused(40063, "tag_id or group_id")
    book = call.world.strategies
    tags = [_known(book.find_tag(tag_id), tag_id) for tag_id in tag_ids]
    groups = [_known(book.find_group(group_id), group_id) for group_id in group_ids]
    for group in [*groups, *(book.groups[tag.group_id] for tag in tags)]:
        _own(group)
    for tag in tags:
        if not tag.is_deleted:
            book.delete_tag(tag)
    for group in groups:
        book.delete_group(group)
    call.world.ledger.append("api.strategy_tags_deleted", tag_ids=tag_ids, group_ids=group_ids)
    return {}


def _known(thing: Tagged | None, thing_id: str) -> Tagged:
    if thing is None:
        raise Refused(40068, thing_id)
    return thing


def _own(group: StrategyTagGroup) -> StrategyTagGroup:
    if not group.made_by_app:
        raise Refused(81011)
    return group


def _find_or_name_group(call: Call) -> StrategyTagGroup:
    """Return the group to add to; a new one is not in the book yet."""
    world, strategy = call.world, find_strategy(call)
    if strategy.parent_id:
        raise Refused(40058, "tags belong to rule groups of the first level")
    group_id = call.optional_text("group_id")
    if group_id:
        group = _known(world.strategies.find_group(group_id), group_id)
        if group.strategy_id != strategy.id:
            raise Refused(40068, group_id)
        return _own(group)
    name = check_name(call.text("group_name"))
    order = check_order(call.parameters.get("order", 0))
    existing = world.strategies.find_group_named(strategy.id, name)
    if existing is not None:
        return _own(existing)
    return StrategyTagGroup(world.mint_id("st"), strategy.id, name, call.now, order)


def _rename(call: Call, tag: StrategyTag | None, group: StrategyTagGroup, name: str) -> None:
    book = call.world.strategies
    if tag is None:
        if book.find_group_named(group.strategy_id, name) is not None:
            raise Refused(40071)
        book.rename_group(group, name)
    else:
        if book.has_name(group, name):
            raise Refused(40071)
        book.rename_tag(tag, name)


def _describe(group: StrategyTagGroup, tags: list[StrategyTag]) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "group_name": group.name,
        "create_time": group.create_time,
        "order": group.order,
        "tag": [_describe_tag(tag) for tag in tags],
        "strategy_id": group.strategy_id,
    }


def _describe_asked(group: StrategyTagGroup, tags: list[StrategyTag]) -> dict[str, Any]:
    """Describe a group asked for by id: whether things were deleted shows only there."""
    rows = [_describe_tag(tag) | {"deleted": tag.is_deleted} for tag in tags]
    return _describe(group, []) | {"tag": rows, "deleted": group.is_deleted}


def _describe_tag(tag: StrategyTag) -> dict[str, Any]:
    return {
        "id": tag.id,
        "name": tag.name,
        "create_time": tag.create_time,
        "order": tag.order,
    }
