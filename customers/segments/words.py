"""A rule in words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Customer
from customers.segments.fields import ATTRIBUTE, attribute_key
from customers.segments.nodes import Condition, Group, Moment, Node

_FIELDS = {
    "tags": gettext_lazy("tags"),
    "staff": gettext_lazy("followed by"),
    "department": gettext_lazy("department"),
    "stage": gettext_lazy("stage"),
    "gender": gettext_lazy("gender"),
    "added_at": gettext_lazy("added"),
    "last_interaction_at": gettext_lazy("last interaction"),
}
_OPS = {
    "eq": gettext_lazy("%(field)s is %(value)s"),
    "ne": gettext_lazy("%(field)s is not %(value)s"),
    "in": gettext_lazy("%(field)s is one of %(value)s"),
    "not_in": gettext_lazy("%(field)s is none of %(value)s"),
    "any_of": gettext_lazy("%(field)s: any of %(value)s"),
    "all_of": gettext_lazy("%(field)s: all of %(value)s"),
    "none_of": gettext_lazy("%(field)s: none of %(value)s"),
    "gt": gettext_lazy("%(field)s after %(value)s"),
    "gte": gettext_lazy("%(field)s from %(value)s on"),
    "lt": gettext_lazy("%(field)s before %(value)s"),
    "lte": gettext_lazy("%(field)s up to %(value)s"),
    "between": gettext_lazy("%(field)s from %(from)s to %(to)s"),
    "within_days": gettext_lazy("%(field)s within the last %(value)s days"),
    "not_within_days": gettext_lazy("%(field)s not within the last %(value)s days"),
    "contains": gettext_lazy("%(field)s contains %(value)s"),
}


def describe_node(node: Node) -> str:
    """The rule as a person would say it, in the active language."""
    if isinstance(node, Condition):
        return _describe_condition(node)
    if not node.children:
        return _("nobody") if node.word == "any" else _("everybody")
    parts = [_describe_part(child) for child in node.children]
    if node.word == "any":
        return _(" or ").join(parts)
    if node.word == "all":
        return _(" and ").join(parts)
    return _("neither %(parts)s") % {"parts": _(" nor ").join(parts)}


def _describe_part(node: Node) -> str:
    text = describe_node(node)
    return f"({text})" if isinstance(node, Group) and len(node.children) > 1 else text


def _describe_condition(leaf: Condition) -> str:
    field = _field_name(leaf.field)
    if leaf.op in {"exists", "is_empty"}:
        is_known = (leaf.op == "exists") is leaf.value
        sentence = _("%(field)s is known") if is_known else _("%(field)s is empty")
        return sentence % {"field": field}
    texts = {"field": field, "value": _describe_value(leaf)}
    if leaf.op == "between":
        texts |= {"from": _item(leaf, leaf.value[0]), "to": _item(leaf, leaf.value[1])}
    return str(_OPS[leaf.op]) % texts


def _field_name(field: str) -> str:
    return f"«{attribute_key(field)}»" if field.startswith(ATTRIBUTE) else str(_FIELDS[field])


def _describe_value(leaf: Condition) -> str:
    if isinstance(leaf.value, list):
        return _(", ").join(_item(leaf, item) for item in leaf.value) or _("nothing")
    return _item(leaf, leaf.value)


def _item(leaf: Condition, item: Any) -> str:
    if isinstance(item, Moment):
        return item.text
    if leaf.field == "gender":
        return str(Customer.Gender(item).label)
    target = leaf.targets.get(item)
    return f"«{target.name}»" if target else str(item)
