"""What the rule builder offers: fields, what may be said of each, and what may be chosen.

A choice of fields and words, not the grammar: that is the server's (customers/actions/segments.py).
A rule that says more than can be drawn is kept and shown as it is.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, Stage, Tag
from scrm.tenancy.models import Corp, Department, Staff
from scrm.tenancy.scoped_admin import rows_of

_ONE_OF = {"in": (_("is one of"), "choices"), "not_in": (_("is none of"), "choices")}
_TIMES = {
    "within_days": (_("within the last days"), "days"),
    "not_within_days": (_("longer ago than days"), "days"),
    "between": (_("from … to"), "range"),
}
FIELDS: dict[str, tuple[Any, dict[str, tuple[Any, str]]]] = {
    "tags": (
        _("tags"),
        {
            "any_of": (_("any of"), "choices"),
            "all_of": (_("all of"), "choices"),
            "none_of": (_("none of"), "choices"),
            "is_empty": (_("no tag at all"), "none"),
        },
    ),
    "added_at": (_("added"), _TIMES),
    "staff": (_("followed by"), {**_ONE_OF, "is_empty": (_("nobody"), "none")}),
    "department": (_("department of a follower"), _ONE_OF),
    "stage": (_("stage"), {**_ONE_OF, "is_empty": (_("not set"), "none")}),
    "gender": (_("gender"), _ONE_OF),
    "last_interaction_at": (
        _("last interaction"),
        {**_TIMES, "is_empty": (_("none known"), "none")},
    ),
}
Option = dict[str, Any]


def fields_for_builder() -> dict[str, Any]:
    return {
        field: {
            "words": str(words),
            "ops": {op: {"words": str(said), "value": kind} for op, (said, kind) in ops.items()},
        }
        for field, (words, ops) in FIELDS.items()
    }


def options_for_builder(corp: Corp, request: HttpRequest) -> dict[str, list[Option]]:
    """Values as rules hold them, labels as people read them; within the person's scope."""
    makers: dict[str, Callable[[Corp, HttpRequest], list[Option]]] = {
        "tags": _tags,
        "staff": _staff,
        "department": _departments,
        "stage": _stages,
    }
    options = {field: make(corp, request) for field, make in makers.items()}
    genders = [
        {"value": int(value), "label": str(label)} for value, label in Customer.Gender.choices
    ]
    return {**options, "gender": genders}


def _tags(corp: Corp, request: HttpRequest) -> list[Option]:
    tags = rows_of(Tag, request).filter(corp=corp).select_related("group")
    ordered = tags.order_by("kind", "group__order", "group_id", "order", "pk")
    return [{"value": tag.pk, "label": tag.name, "note": tag.group.name} for tag in ordered]


def _staff(corp: Corp, request: HttpRequest) -> list[Option]:
    staff = rows_of(Staff, request).filter(corp=corp).order_by("status", "name", "pk")
    rows = staff.values_list("userid", "name", "alias")
    return [
        {"value": userid, "label": name or userid, "note": alias} for userid, name, alias in rows
    ]


def _departments(corp: Corp, request: HttpRequest) -> list[Option]:
    departments = rows_of(Department, request).filter(corp=corp)
    rows = departments.order_by("parent_id_on_platform", "order", "pk")
    return [{"value": each.department_id, "label": each.name} for each in rows]


def _stages(corp: Corp, request: HttpRequest) -> list[Option]:
    stages = rows_of(Stage, request).filter(corp=corp).order_by("order", "pk")
    return [{"value": stage.key, "label": stage.name} for stage in stages]
