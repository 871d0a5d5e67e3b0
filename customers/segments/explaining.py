"""Why a rule means a customer, or does not: the tree with what is the case."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from customers.models import Customer
from customers.segments.nodes import Condition, Group, Node
from customers.segments.values import as_json
from customers.segments.words import describe_node

Explanation = dict[str, Any]


@dataclass
class CustomerFacts:
    """What is the case for one customer; fields read it when it is asked for."""

    customer: Customer
    now: datetime
    cache: dict[Any, Any] = field(default_factory=dict)

    def means(self, node: Node) -> bool:
        """Whether the rule is true of the customer, whoever follows her."""
        if isinstance(node, Condition):
            return node.kind.holds(node, self)
        matches = (self.means(child) for child in node.children)
        if node.word == "all":
            return all(matches)
        return any(matches) is (node.word == "any")


@dataclass(frozen=True)
class Line:
    """One line of an explanation for people; `depth` is how far it is indented."""

    depth: int
    text: str
    is_true: bool
    # What is the case for her; empty for groups.
    actual: str
    # The first clause that keeps her out.
    is_first_failing: bool


def explain_node(node: Node, facts: CustomerFacts) -> Explanation:
    """The node with `matched`, the actual values, and the same for all below it."""
    if isinstance(node, Condition):
        within = {} if node.within_days is None else {"within_days": node.within_days}
        return {
            "pointer": node.pointer,
            "field": node.field,
            "op": node.op,
            "value": as_json(node.value),
            **within,
            "actual": node.kind.actual(node, facts),
            "matched": node.kind.holds(node, facts),
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


def lines_of(node: Node, facts: CustomerFacts, *, failing: str | None) -> list[Line]:
    """The rule from top to bottom with what is the case, in the active language."""
    return list(_lines(node, facts, 0, failing))


def _lines(node: Node, facts: CustomerFacts, depth: int, failing: str | None) -> Iterator[Line]:
    is_first = node.pointer == failing
    if isinstance(node, Condition):
        actual = node.kind.actual_in_words(node, facts)
        yield Line(depth, describe_node(node), node.kind.holds(node, facts), actual, is_first)
        return
    yield Line(depth, _words_of(node), facts.means(node), "", is_first)
    for child in node.children:
        yield from _lines(child, facts, depth + 1, failing)


def _words_of(group: Group) -> str:
    if not group.children:
        return describe_node(group)
    return {
        "all": _("all of these are true"),
        "any": _("at least one of these is true"),
        "none": _("none of these is true"),
    }[group.word]
