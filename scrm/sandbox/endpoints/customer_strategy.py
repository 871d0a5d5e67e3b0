"""Rule groups of customer contact."""

from typing import Any

from scrm.sandbox.call import Call, to_integer, to_texts
from scrm.sandbox.cursors import make_cursor, read_position, take_page
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.strategies import PRIVILEGES, Node, Strategy, as_range, choose_privileges

PAGE = 1000
ADMINS_PER_CALL = 20
NODES_PER_CALL = 100


@endpoint("POST", "externalcontact/customer_strategy/list")
def list_strategies(call: Call) -> Answer:
    # Rule groups go while the list is walked, so the cursor names one instead of a place.
    (after,) = read_position(call) or [0]
    limit = _read_limit(call)
    ids = sorted(number for number in call.world.strategies.strategies if number > after)
    page = ids[:limit]
    return {
        "strategy": [{"strategy_id": number} for number in page],
        "next_cursor": make_cursor(call, page[-1:]) if len(ids) > limit else "",
    }


@endpoint("POST", "externalcontact/customer_strategy/get")
def get_strategy(call: Call) -> Answer:
    strategy = find_strategy(call)
    return {
        "strategy": {
            "strategy_id": strategy.id,
            "parent_id": strategy.parent_id,
            "strategy_name": strategy.name,
            "create_time": strategy.create_time,
            "admin_list": strategy.admins,
            "privilege": strategy.privileges,
        }
    }


@endpoint("POST", "externalcontact/customer_strategy/get_range")
def list_range(call: Call) -> Answer:
    strategy = find_strategy(call)
    rows = [node.as_dict() for node in strategy.range]
    page, next_cursor = take_page(call, rows, _read_limit(call), strategy.id)
    return {"range": page, "next_cursor": next_cursor}


@endpoint("POST", "externalcontact/customer_strategy/create")
def create_strategy(call: Call) -> Answer:
    book, parent = call.world.strategies, _find_parent(call)
    name = call.text("strategy_name")
    admins = _read_admins(call)
    if not admins:
        raise Refused(40063, "admin_list")
    nodes = _read_nodes(call, "range")
    if not nodes:
        raise Refused(40063, "range")
    if parent is not None and book.level(parent) >= call.world.options.strategy_levels:
        raise Refused(40058, "too many levels")
    _check_range(call, nodes, parent)
    strategy = book.add(
        Strategy(
            id=book.next_id(),
            parent_id=parent.id if parent else 0,
            name=name,
            create_time=call.now,
            admins=admins,
            privileges=choose_privileges(_read_privileges(call), parent),
            range=as_range(nodes),
        )
    )
    call.world.ledger.append("api.strategy_created", strategy_id=strategy.id, name=name)
    return {"strategy_id": strategy.id}


@endpoint("POST", "externalcontact/customer_strategy/edit")
def edit_strategy(call: Call) -> Answer:
    book = call.world.strategies
    strategy = _find_own(call)
    parent = book.strategies.get(strategy.parent_id)
    name, admins = call.optional_text("strategy_name"), _read_admins(call)
    added, removed = _read_nodes(call, "range_add"), _read_nodes(call, "range_del")
    nodes = as_range(n for n in [*strategy.range, *added] if n not in removed)
    if not nodes:
        raise Refused(40058, "range would be empty")
    _check_range(call, list(nodes), parent)
    for child in book.children(strategy):
        if not all(_covers(call, nodes, node) for node in child.range):
            raise Refused(40058, "range of a child would be outside")
    strategy.range = nodes
    strategy.name = name or strategy.name
    strategy.admins = admins or strategy.admins
    if "privilege" in call.parameters:
        given = strategy.privileges | _read_privileges(call)
        _inherit(call, strategy, given, parent)
    call.world.ledger.append("api.strategy_edited", strategy_id=strategy.id)
    return {}


@endpoint("POST", "externalcontact/customer_strategy/del")
def delete_strategy(call: Call) -> Answer:
    strategy = _find_own(call)
    if call.world.strategies.children(strategy):
        raise Refused(40058, "a rule group with children stays")
    call.world.strategies.delete(strategy)
    call.world.ledger.append("api.strategy_deleted", strategy_id=strategy.id)
    return {}


def find_strategy(call: Call) -> Strategy:
    """Return the rule group named by a required parameter; 40058 when there is none."""
    number = call.integer("strategy_id")
    strategy = call.world.strategies.strategies.get(number)
    if strategy is None:
        raise Refused(40058, f"strategy_id {number}")
    return strategy


def _find_own(call: Call) -> Strategy:
    strategy = find_strategy(call)
    if not strategy.made_by_app:
        raise Refused(60011, "made by another app")
    return strategy


def _find_parent(call: Call) -> Strategy | None:
    parent_id = call.integer("parent_id", 0)
    if not parent_id:
        return None
    parent = call.world.strategies.strategies.get(parent_id)
    if parent is None:
        raise Refused(40058, f"parent_id {parent_id}")
    return parent


def _read_limit(call: Call) -> int:
    return call.page_size(default=PAGE, maximum=PAGE, clamp=True)


def _read_admins(call: Call) -> list[str]:
    admins = [call.find_member(u).userid for u in call.texts("admin_list", at_most=ADMINS_PER_CALL)]
    if set(admins) & set(call.world.options.super_admins):
        raise Refused(40058, "admin_list names a super administrator")
    return list(dict.fromkeys(admins))


def _read_privileges(call: Call) -> dict[str, bool]:
    given = call.mapping("privilege")
    if not all(isinstance(value, bool) for value in given.values()):
        raise Refused(40058, "privilege")
    return {name: value for name, value in given.items() if name in PRIVILEGES}


def _read_nodes(call: Call, name: str) -> list[Node]:
    rows = call.parameters.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(40058, f"{name} must be a list of objects")
    if len(rows) > NODES_PER_CALL:
        raise Refused(40058, f"{name} exceeds {NODES_PER_CALL} items")
    return [_read_node(call, row) for row in rows]


def _read_node(call: Call, row: dict[str, Any]) -> Node:
    kind = to_integer(row.get("type"), "type")
    if kind == 1:
        (userid,) = to_texts([row.get("userid")], "userid")
        return Node(1, call.find_member(userid).userid)
    if kind == 2:
        party_id = to_integer(row.get("partyid"), "partyid")
        if party_id not in call.world.departments:
            raise Refused(60123, str(party_id))
        return Node(2, str(party_id))
    raise Refused(40058, "type")


def _check_range(call: Call, nodes: list[Node], parent: Strategy | None) -> None:
    if len(set(nodes)) > call.world.options.strategy_nodes:
        raise Refused(40058, "range has too many nodes")
    if parent is not None and not all(_covers(call, parent.range, node) for node in nodes):
        raise Refused(40058, "range is outside of the parent's")


def _covers(call: Call, nodes: dict[Node, None], node: Node) -> bool:
    """Whether a member or department lies inside of a range."""
    if node in nodes:
        return True
    departments = [int(each.id) for each in nodes if each.type == 2]
    covered = {d.id for top in departments for d in call.world.department_tree(top)}
    if node.type == 2:
        return int(node.id) in covered
    return bool(covered & set(call.world.members[node.id].departments))


def _inherit(
    call: Call, strategy: Strategy, given: dict[str, bool], parent: Strategy | None
) -> None:
    """Set privileges, and take from all below what is not theirs any more."""
    strategy.privileges = choose_privileges(given, parent)
    for child in call.world.strategies.children(strategy):
        _inherit(call, child, child.privileges, strategy)
