"""The fields a rule may ask for: what each takes as a value."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from customers.segments.nodes import Moment

ATTRIBUTE = "attribute."
KEY_LENGTH = 64
# A hundred years: more is a slip of the pen, and dates before the year 1 do not exist.
MOST_DAYS = 36_525
_YEARS = range(1900, 3000)
_MOMENT_TEXT = re.compile(r"(\d{4}-\d{2}-\d{2})([T ].+)?", re.ASCII)


class Shape(StrEnum):
    """How much an operator takes."""

    ONE = "one"
    MANY = "many"
    RANGE = "range"
    DAYS = "days"
    FLAG = "flag"


class Refusal(ValueError):
    """A value that the field does not take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class FieldKind:
    """How a field reads one item of a value; `names_rows` says that items are ids to look up."""

    ops: dict[str, Shape]
    read: Callable[[Any, ZoneInfo], Any]
    schema: dict[str, Any]
    names_rows: bool = False


_FLAGS = {"exists": Shape.FLAG, "is_empty": Shape.FLAG}
_CHOICE = {"eq": Shape.ONE, "ne": Shape.ONE, "in": Shape.MANY, "not_in": Shape.MANY, **_FLAGS}
_SEVERAL = {"any_of": Shape.MANY, "all_of": Shape.MANY, "none_of": Shape.MANY, **_CHOICE}
_ORDER = {
    "gt": Shape.ONE,
    "gte": Shape.ONE,
    "lt": Shape.ONE,
    "lte": Shape.ONE,
    "between": Shape.RANGE,
    "within_days": Shape.DAYS,
    "not_within_days": Shape.DAYS,
}
_TIME = {"eq": Shape.ONE, "ne": Shape.ONE, **_ORDER, **_FLAGS}


def read_id(value: Any, _zone: ZoneInfo) -> int:
    # True is an int to Python, but not to whoever wrote it.
    if type(value) is not int:
        raise Refusal("type", _("This must be a whole number."))
    return value


def read_text(value: Any, _zone: ZoneInfo) -> str:
    if not isinstance(value, str):
        raise Refusal("type", _("This must be a text."))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal("invalid", _("This is not a text that can be stored.")) from None
    if "\x00" in value:
        raise Refusal("invalid", _("This is not a text that can be stored."))
    return value


def read_gender(value: Any, zone: ZoneInfo) -> int:
    gender = read_id(value, zone)
    if gender not in {0, 1, 2}:
        raise Refusal("invalid", _("A gender is 0 (unknown), 1 (male) or 2 (female)."))
    return gender


def read_moment(value: Any, zone: ZoneInfo) -> Moment:
    """An ISO date, which is the whole day in the corp's zone, or an ISO date and time."""
    text = read_text(value, zone)
    shape = _MOMENT_TEXT.fullmatch(text)
    try:
        at = datetime.fromisoformat(text if shape else "")
    except ValueError:
        raise Refusal("invalid", _("This must be a date or time such as 2026-11-18.")) from None
    if at.year not in _YEARS:
        raise Refusal("invalid", _("This date is too far away."))
    start = at if at.tzinfo else at.replace(tzinfo=zone)
    is_day = shape is not None and shape[2] is None
    return Moment(start, start + timedelta(days=1) if is_day else None, text)


def read_scalar(value: Any, zone: ZoneInfo) -> str | int | float | bool:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise Refusal("invalid", _("This is not a number."))
    if isinstance(value, str):
        return read_text(value, zone)
    raise Refusal("type", _("This must be a text, a number, true or false."))


def read_days(value: Any) -> int:
    if type(value) is not int:
        raise Refusal("type", _("This must be a whole number of days."))
    if not 0 <= value <= MOST_DAYS:
        raise Refusal("invalid", _("Between 0 and %(most)s days.") % {"most": MOST_DAYS})
    return value


_MOMENT = {"type": "string", "description": "ISO 8601; a date is the whole day."}

KINDS: dict[str, FieldKind] = {
    "tags": FieldKind(_SEVERAL, read_id, {"type": "integer"}, names_rows=True),
    "staff": FieldKind(_SEVERAL, read_text, {"type": "string"}, names_rows=True),
    "department": FieldKind(_SEVERAL, read_id, {"type": "integer"}, names_rows=True),
    "stage": FieldKind(_CHOICE, read_text, {"type": "string"}, names_rows=True),
    "gender": FieldKind(_CHOICE, read_gender, {"enum": [0, 1, 2]}),
    "added_at": FieldKind(_TIME, read_moment, _MOMENT),
    "last_interaction_at": FieldKind(_TIME, read_moment, _MOMENT),
    ATTRIBUTE: FieldKind(
        {**_CHOICE, **_ORDER, "contains": Shape.ONE},
        read_scalar,
        {"type": ["string", "number", "boolean"]},
    ),
}


def kind_of(field: str) -> FieldKind | None:
    """The kind of a field by its name; None when there is no such field."""
    if not field.startswith(ATTRIBUTE):
        return KINDS.get(field)
    key = attribute_key(field)
    is_usable = 0 < len(key) <= KEY_LENGTH and "\x00" not in key and key.isprintable()
    return KINDS[ATTRIBUTE] if is_usable else None


def attribute_key(field: str) -> str:
    return field.removeprefix(ATTRIBUTE)
