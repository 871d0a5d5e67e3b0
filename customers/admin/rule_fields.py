"""What the rule builder offers: every field of the grammar, what may be said of it, what chosen.

Words that mean the same (`eq` and `in` with one value) are shown as one; a rule keeps the word it
was written with until somebody changes that condition.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from customers.models import Stage, Tag
from customers.segments.fields import field_of, fields
from customers.segments.fields.base import Field, Input
from customers.segments.values import Shape
from scrm.tenancy.models import Corp, Department, Staff
from scrm.tenancy.scoped_admin import rows_of, scope_for

# More than this are found by typing.
MOST_SHOWN = 200
Option = dict[str, Any]

_WORDS: dict[str, Any] = {
    "any_of": _("any of"), "all_of": _("all of"), "none_of": _("none of"),
    "in": _("is one of"), "not_in": _("is none of"), "eq": _("is"), "ne": _("is not"),
    "gt": _("more than"), "gte": _("at least"), "lt": _("less than"), "lte": _("at most"),
    "between": _("from … to"), "within_days": _("within the last days"),
    "not_within_days": _("longer ago than days"), "contains": _("contains"),
    "exists": _("is known"), "is_empty": _("is empty"),
}  # fmt: skip
_MOMENT_WORDS: dict[str, Any] = {
    "eq": _("on"), "ne": _("not on"), "gt": _("after"), "gte": _("from … on"),
    "lt": _("before"), "lte": _("up to"),
}  # fmt: skip
_EMPTY_WORDS: dict[str, dict[str, Any]] = {
    "tags": {"is_empty": _("no tag at all"), "exists": _("any tag at all")},
    "staff": {"is_empty": _("nobody"), "exists": _("anybody")},
    "stage": {"is_empty": _("not set"), "exists": _("set")},
    "last_interaction_at": {"is_empty": _("none known"), "exists": _("known")},
}
# What is shown instead of a word that means the same.
_ONE = {"eq": "in", "ne": "not_in"}
_SEVERAL = {"eq": "any_of", "in": "any_of", "ne": "none_of", "not_in": "none_of"}


def fields_for_builder() -> dict[str, Any]:
    """For each field: its words, what may be said of it and how that is entered."""
    return {name: _described(name, field) for name, field in fields().items()}


def _described(name: str, field: Field) -> dict[str, Any]:
    same = _aliases(field)
    words = {
        **_WORDS,
        **(_MOMENT_WORDS if field.input == Input.MOMENT else {}),
        **_EMPTY_WORDS.get(name, {}),
    }
    return {
        "words": str(field.label),
        "input": str(field.input),
        "hasKey": "*" in name,
        "hasWindow": field.has_window,
        "same": same,
        "ops": {
            op: {"words": str(words[op]), "value": _entered(shape, field)}
            for op, shape in field.ops.items()
            if op not in same
        },
    }


def _aliases(field: Field) -> Mapping[str, str]:
    if field.input not in {Input.CHOICES, Input.TEXT}:
        return {}
    same = _SEVERAL if "any_of" in field.ops else _ONE
    return {op: other for op, other in same.items() if op in field.ops}


def _entered(shape: Shape, field: Field) -> str:
    if shape == Shape.DAYS:
        return "days"
    if shape == Shape.FLAG:
        return "none"
    if field.input == Input.CHOICES:
        return "choices"
    if shape == Shape.RANGE:
        return "range"
    return "many" if shape == Shape.MANY else "one"


def options_for_builder(corp: Corp, request: HttpRequest) -> dict[str, list[Option]]:
    """The first options of each field, within the person's scope."""
    return {
        name: find_options(name, corp, request)
        for name, field in fields().items()
        if field.input in {Input.CHOICES, Input.TEXT}
    }


def keys_for_builder(corp: Corp) -> dict[str, list[str]]:
    """For each field with a free part in its name: what is in use there."""
    return {name: field.keys(corp) for name, field in fields().items() if "*" in name}


def find_options(
    name: str, corp: Corp, request: HttpRequest, *, typed: str = "", values: Iterable[str] = ()
) -> list[Option]:
    """Options of a field whose words contain what was typed, or those with these values."""
    field = field_of(name)
    if field is None:
        return []
    chosen = set(values)
    if name in _ROWS:
        return _ROWS[name](corp, request, typed, chosen)
    wanted = typed.casefold()
    return [
        option
        for option in field.choices(corp, scope_for(request))
        if (str(option["value"]) in chosen if chosen else wanted in option["label"].casefold())
    ][:MOST_SHOWN]


def _tags(corp: Corp, request: HttpRequest, typed: str, chosen: set[str]) -> list[Option]:
    tags = rows_of(Tag, request).filter(corp=corp).select_related("group")
    named = Q(pk__in=_numbers(chosen)) if chosen else _said(typed, "name", "group__name")
    ordered = tags.filter(named).order_by("kind", "group__order", "group_id", "order", "pk")
    return [
        {"value": tag.pk, "label": tag.name, "note": tag.group.name} for tag in ordered[:MOST_SHOWN]
    ]


def _staff(corp: Corp, request: HttpRequest, typed: str, chosen: set[str]) -> list[Option]:
    staff = rows_of(Staff, request).filter(corp=corp)
    named = Q(userid__in=chosen) if chosen else _said(typed, "name", "userid", "alias")
    rows = staff.filter(named).order_by("status", "name", "pk")[:MOST_SHOWN]
    return [
        {"value": userid, "label": name or userid, "note": alias}
        for userid, name, alias in rows.values_list("userid", "name", "alias")
    ]


def _departments(corp: Corp, request: HttpRequest, typed: str, chosen: set[str]) -> list[Option]:
    departments = rows_of(Department, request).filter(corp=corp)
    named = Q(department_id__in=_numbers(chosen)) if chosen else _said(typed, "name")
    rows = departments.filter(named).order_by("parent_id_on_platform", "order", "pk")
    return [{"value": each.department_id, "label": each.name} for each in rows[:MOST_SHOWN]]


def _stages(corp: Corp, request: HttpRequest, typed: str, chosen: set[str]) -> list[Option]:
    stages = rows_of(Stage, request).filter(corp=corp)
    named = Q(key__in=chosen) if chosen else _said(typed, "name", "key")
    rows = stages.filter(named).order_by("order", "pk")[:MOST_SHOWN]
    return [{"value": stage.key, "label": stage.name} for stage in rows]


def _said(typed: str, *columns: str) -> Q:
    said = Q()
    for column in columns if typed else ():
        said |= Q(**{f"{column}__icontains": typed})
    return said


def _numbers(texts: Iterable[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10]


_ROWS = {"tags": _tags, "staff": _staff, "department": _departments, "stage": _stages}
