"""Why a rule means a customer, or does not: the tree with what is the case."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from customers.models import Customer, CustomerTagSet, Follow
from customers.segments.attribute_facts import attribute_holds
from customers.segments.fields import ATTRIBUTE, attribute_key
from customers.segments.nodes import Condition, Moment, Node
from scrm.tenancy.models import Department, Staff

Explanation = dict[str, Any]


@dataclass
class Facts:
    """What is the case for one customer, read when it is asked for."""

    customer: Customer
    now: datetime

    @cached_property
    def tags(self) -> set[int]:
        carried = CustomerTagSet.objects.filter(customer=self.customer).first()
        return set(carried.tag_ids) if carried else set()

    @cached_property
    def staff(self) -> dict[int, str]:
        """Who follows: row ids and userids."""
        follows = Follow.objects.live().filter(customer=self.customer)
        return dict(follows.values_list("staff_id", "staff__userid"))

    @cached_property
    def department(self) -> dict[int, int]:
        """Where the followers work: row ids and the platform's ids."""
        through = Staff.departments.through.objects.filter(staff__in=self.staff)
        rows = Department.objects.filter(pk__in=through.values("department_id"))
        return dict(rows.values_list("pk", "department_id"))

    def value_of(self, field: str) -> Any:
        """What the field holds, as JSON."""
        match field:
            case "tags":
                return sorted(self.tags)
            case "staff" | "department":
                return sorted(getattr(self, field).values())
            case "stage":
                return self.customer.stage.key if self.customer.stage else None
            case "gender":
                return self.customer.gender
            case "added_at" | "last_interaction_at":
                at: datetime | None = getattr(self.customer, field)
                return at.astimezone(self.customer.corp.zone).isoformat() if at else None
        return self.customer.attributes.get(attribute_key(field))


def explain_node(node: Node, facts: Facts) -> Explanation:
    """The node with `matched`, the actual values, and the same for all below it."""
    if isinstance(node, Condition):
        return {
            "pointer": node.pointer,
            "field": node.field,
            "op": node.op,
            "value": _as_json(node.value),
            "actual": facts.value_of(node.field),
            "matched": holds(node, facts),
        }
    children = [explain_node(child, facts) for child in node.children]
    matches = [child["matched"] for child in children]
    matched = {"all": all(matches), "any": any(matches), "none": not any(matches)}[node.word]
    return {
        "pointer": node.pointer,
        "node": node.word,
        "matched": matched,
        "children": children,
    }


def first_failing(explanation: Explanation) -> str | None:
    """The pointer of the first clause that keeps the customer out; None when none does."""
    if explanation["matched"]:
        return None
    children = explanation.get("children", [])
    if explanation.get("node") == "all":
        failing = (first_failing(child) for child in children if not child["matched"])
        return next(failing)
    if explanation.get("node") == "none":
        return next(str(child["pointer"]) for child in children if child["matched"])
    return str(explanation["pointer"])


def holds(leaf: Condition, facts: Facts) -> bool:
    """Whether the condition is true of the customer; the same answer as the rule's SQL."""
    if leaf.field.startswith(ATTRIBUTE):
        actual = facts.value_of(leaf.field)
        local = facts.now.astimezone(facts.customer.corp.zone)
        return attribute_holds(actual, leaf.op, leaf.value, now=local)
    if leaf.field in {"added_at", "last_interaction_at"}:
        return _time_holds(getattr(facts.customer, leaf.field), leaf, facts.now)
    return _values_hold(_ids_held(leaf.field, facts), leaf)


def _ids_held(field: str, facts: Facts) -> set[int]:
    """The customer's values of a field, as row ids; an unknown gender is no value."""
    match field:
        case "tags":
            return facts.tags
        case "staff":
            return set(facts.staff)
        case "department":
            return set(facts.department)
        case "stage":
            return {facts.customer.stage_id} if facts.customer.stage_id else set()
        case _:
            return {facts.customer.gender}


def _values_hold(held: set[int], leaf: Condition) -> bool:
    if leaf.op in {"exists", "is_empty"}:
        is_known = bool(held - {0})
        return is_known is ((leaf.op == "exists") is leaf.value)
    values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
    wanted = [set(leaf.targets[one].ids) if leaf.targets else {one} for one in values]
    match leaf.op:
        case "all_of":
            return all(held & ids for ids in wanted)
        case "ne" | "not_in" | "none_of":
            return not any(held & ids for ids in wanted)
        case _:
            return any(held & ids for ids in wanted)


def _time_holds(at: datetime | None, leaf: Condition, now: datetime) -> bool:
    match leaf.op:
        case "exists" | "is_empty":
            return (at is not None) is ((leaf.op == "exists") is leaf.value)
        case "ne":
            return at is None or not leaf.value.is_at(at)
        case "not_within_days":
            return at is None or at < now - timedelta(days=leaf.value)
        case "within_days":
            return at is not None and at >= now - timedelta(days=leaf.value)
        case "between":
            low, high = leaf.value
            return at is not None and at >= low.start and not high.is_before(at)
        case _:
            return at is not None and _COMPARISONS[leaf.op](leaf.value, at)


_COMPARISONS: dict[str, Callable[[Moment, datetime], bool]] = {
    "eq": Moment.is_at,
    "gt": Moment.is_before,
    "gte": lambda moment, at: at >= moment.start,
    "lt": lambda moment, at: at < moment.start,
    "lte": lambda moment, at: not moment.is_before(at),
}


def _as_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value.text if isinstance(value, Moment) else value
