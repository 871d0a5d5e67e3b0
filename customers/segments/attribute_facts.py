"""Tests of one attribute in Python: the same answers as `attribute_sql`."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NEGATED = {"ne": "eq", "not_in": "in", "not_within_days": "within_days", "exists": "is_empty"}


def attribute_holds(actual: Any, op: str, value: Any, *, now: datetime) -> bool:
    """Whether the test is true of the attribute (None when there is none)."""
    if op in _NEGATED:
        return not attribute_holds(actual, _NEGATED[op], value, now=now)
    if op == "within_days":
        return _is_dated(actual, now - timedelta(days=value), now)
    return _TESTS[op](actual, value)


def _holds(actual: Any, value: Any) -> bool:
    items = actual if isinstance(actual, list) else [actual]
    # To Python True is 1; to JSON it is not.
    return any(_kind(item) is _kind(value) and item == value for item in items)


def _compare(actual: Any, is_so: Callable[[Any, Any], bool], value: Any) -> bool:
    is_alike = _kind(actual) is _kind(value) and _kind(actual) in {str, float}
    return is_alike and is_so(actual, value)


def _kind(value: Any) -> type:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float
    return type(value)


def _is_dated(actual: Any, since: datetime, until: datetime) -> bool:
    if not isinstance(actual, str) or not _DATED.match(actual):
        return False
    return since.date().isoformat() <= actual[:10] <= until.date().isoformat()


def _contains(actual: Any, value: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(value, str) and value in actual
    return isinstance(actual, list) and _holds(actual, value)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _holds,
    "in": lambda actual, values: any(_holds(actual, value) for value in values),
    "is_empty": lambda actual, value: (actual in (None, "", [], {})) is value,
    "contains": _contains,
    "gt": lambda actual, value: _compare(actual, gt, value),
    "gte": lambda actual, value: _compare(actual, ge, value),
    "lt": lambda actual, value: _compare(actual, lt, value),
    "lte": lambda actual, value: _compare(actual, le, value),
    "between": lambda actual, ends: _compare(actual, ge, ends[0]) and _compare(actual, le, ends[1]),
}
