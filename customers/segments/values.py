"""Reading single values of a rule: what each operator and each kind of field takes."""

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from customers.segments.nodes import Moment

# A hundred years: more is a slip of the pen, and dates before the year 1 do not exist.
MOST_DAYS = 36_525
_YEARS = range(1900, 3000)
_MOMENT_TEXT = re.compile(r"(\d{4}-\d{2}-\d{2})([T ].+)?", re.ASCII)

Read = Callable[[Any, ZoneInfo], Any]


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


FLAGS = {"exists": Shape.FLAG, "is_empty": Shape.FLAG}
ONE_OF = {"eq": Shape.ONE, "ne": Shape.ONE, "in": Shape.MANY, "not_in": Shape.MANY}
CHOICE = {**ONE_OF, **FLAGS}
SEVERAL = {"any_of": Shape.MANY, "all_of": Shape.MANY, "none_of": Shape.MANY, **CHOICE}
ORDER = {
    "gt": Shape.ONE,
    "gte": Shape.ONE,
    "lt": Shape.ONE,
    "lte": Shape.ONE,
    "between": Shape.RANGE,
}
DAYS = {"within_days": Shape.DAYS, "not_within_days": Shape.DAYS}


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


def read_amount(value: Any, zone: ZoneInfo) -> int:
    """A count, or money in fen; within what a column holds."""
    number = read_id(value, zone)
    if not -(2**63) <= number < 2**63:
        raise Refusal("invalid", _("This number is too large."))
    return number


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


def as_json(value: Any) -> Any:
    """A value as it was written."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.text if isinstance(value, Moment) else value
