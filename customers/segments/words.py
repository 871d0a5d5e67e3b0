"""A rule in words."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.segments.nodes import Condition, Group, Node

OP_WORDS = {
    "eq": gettext_lazy("%(field)s is %(value)s"),
    "ne": gettext_lazy("%(field)s is not %(value)s"),
    "in": gettext_lazy("%(field)s is one of %(value)s"),
    "not_in": gettext_lazy("%(field)s is none of %(value)s"),
    "contains": gettext_lazy("%(field)s contains %(value)s"),
}
CHOICE_WORDS = {
    "any_of": gettext_lazy("%(field)s: any of %(value)s"),
    "all_of": gettext_lazy("%(field)s: all of %(value)s"),
    "none_of": gettext_lazy("%(field)s: none of %(value)s"),
}
TIME_WORDS = {
    "gt": gettext_lazy("%(field)s after %(value)s"),
    "gte": gettext_lazy("%(field)s from %(value)s on"),
    "lt": gettext_lazy("%(field)s before %(value)s"),
    "lte": gettext_lazy("%(field)s up to %(value)s"),
    "between": gettext_lazy("%(field)s from %(from)s to %(to)s"),
    "within_days": gettext_lazy("%(field)s within the last %(value)s days"),
    "not_within_days": gettext_lazy("%(field)s not within the last %(value)s days"),
}
NUMBER_WORDS = {
    "eq": gettext_lazy("%(field)s: %(value)s"),
    "ne": gettext_lazy("%(field)s: not %(value)s"),
    "gt": gettext_lazy("%(field)s: more than %(value)s"),
    "gte": gettext_lazy("%(field)s: at least %(value)s"),
    "lt": gettext_lazy("%(field)s: less than %(value)s"),
    "lte": gettext_lazy("%(field)s: at most %(value)s"),
    "between": gettext_lazy("%(field)s: from %(from)s to %(to)s"),
}


def describe_node(node: Node) -> str:
    """The rule as a person would say it, in the active language."""
    if isinstance(node, Condition):
        return node.kind.describe(node)
    if not node.children:
        return _("nobody") if node.word == "any" else _("everybody")
    parts = [_describe_part(child) for child in node.children]
    if node.word == "any":
        return _(" or ").join(parts)
    if node.word == "all":
        return _(" and ").join(parts)
    return _("neither %(parts)s") % {"parts": _(" nor ").join(parts)}


def listed(items: Iterable[str]) -> str:
    return _(", ").join(items)


def _describe_part(node: Node) -> str:
    text = describe_node(node)
    return f"({text})" if isinstance(node, Group) and len(node.children) > 1 else text
