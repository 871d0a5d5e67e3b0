"""Tests of one attribute (a JSON value of any shape) in SQL.

Built from expressions on `attributes` and not from raw SQL: a queryset that is used inside
another one gives its tables other names.
"""

import json
from datetime import datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, Case, F, Func, JSONField, Q, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

_NEGATED = {"ne": "eq", "not_in": "in", "not_within_days": "within_days", "exists": "is_empty"}
_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def attribute_q(key: str, op: str, value: Any, *, now: datetime) -> Q:
    """The condition on the attribute; `now` is in the corp's zone."""
    if op in _NEGATED:
        return ~attribute_q(key, _NEGATED[op], value, now=now)
    attribute = _Piece(F("attributes"), Value(key), joiner=" -> ", output=JSONField())
    match op:
        case "eq" | "in":
            return _holds(attribute, value if op == "in" else [value])
        case "is_empty":
            return _is_empty(attribute) if value else ~_is_empty(attribute)
        case "contains":
            return _contains(attribute, value)
        case "within_days":
            since = now - timedelta(days=value)
            return _is_dated(attribute, since.date().isoformat(), now.date().isoformat())
        case _:
            ends = zip(("gte", "lte"), value, strict=True) if op == "between" else [(op, value)]
            return reduce(and_, [_compare(attribute, *end) for end in ends])


class _Piece(Func):
    """Operands joined by an operator."""

    def __init__(
        self,
        *operands: Combinable,
        joiner: str = "",
        template: str = "(%(expressions)s)",
        output: Any = None,
    ) -> None:
        super().__init__(
            *operands,
            arg_joiner=joiner,
            template=template,
            output_field=output or BooleanField(),
        )


def _known(test: Func) -> Q:
    """The test, with no attribute counted as a no."""
    return Q(Coalesce(test, Value(False), output_field=BooleanField()))  # noqa: FBT003


def _holds(attribute: _Piece, values: list[Any]) -> Q:
    """Whether the attribute is one of the values, or a list that has one of them."""
    wanted = Value([json.dumps(value) for value in values], output_field=ArrayField(TextField()))
    return _known(
        _Piece(attribute, wanted, joiner=" @> ANY(", template="(%(expressions)s::jsonb[]))")
    )


def _is_empty(attribute: _Piece) -> Q:
    nothing = "(%(expressions)s IN ('null'::jsonb, '\"\"'::jsonb, '[]'::jsonb, '{}'::jsonb))"
    test = _Piece(attribute, template=nothing)
    return Q(Coalesce(test, Value(True), output_field=BooleanField()))  # noqa: FBT003


def _if_type(attribute: _Piece, kind: str, test: Func) -> Q:
    """The test where the attribute is of the JSON type: only then may it be cast."""
    is_kind = _Piece(attribute, template=f"(jsonb_typeof(%(expressions)s) = '{kind}')")
    case = Case(
        When(Q(is_kind), then=test),
        default=Value(False),  # noqa: FBT003
        output_field=BooleanField(),
    )
    return Q(case)


def _text(attribute: _Piece) -> _Piece:
    return _Piece(attribute, template="(%(expressions)s #>> '{}')", output=TextField())


def _compare(attribute: _Piece, op: str, value: Any) -> Q:
    joiner = f" {_ORDER[op]} "
    if isinstance(value, str):
        # By code point, so that ISO dates sort as dates and the server's locale has no say.
        collated = '(%(expressions)s COLLATE "C")'
        test = _Piece(_text(attribute), Value(value), joiner=joiner, template=collated)
        return _if_type(attribute, "string", test)
    number = _Piece(attribute, template="(%(expressions)s::numeric)")
    limit = Value(json.dumps(value))
    test = _Piece(number, limit, joiner=joiner, template="(%(expressions)s::numeric)")
    return _if_type(attribute, "number", test)


def _contains(attribute: _Piece, value: Any) -> Q:
    item = Value(json.dumps(value))
    in_list = _Piece(attribute, item, joiner=" @> ", template="(%(expressions)s::jsonb)")
    found = _if_type(attribute, "array", in_list)
    if isinstance(value, str):
        position = "(strpos(%(expressions)s) > 0)"
        test = _Piece(_text(attribute), Value(value), joiner=", ", template=position)
        found |= _if_type(attribute, "string", test)
    return found


def _is_dated(attribute: _Piece, since: str, until: str) -> Q:
    """Whether a text begins with an ISO date of these days."""
    text = _text(attribute)
    day = _Piece(text, template="(left(%(expressions)s, 10))", output=TextField())
    is_date = _Piece(text, template="(%(expressions)s ~ '^\\d{4}-\\d{2}-\\d{2}')")
    collated = '(%(expressions)s COLLATE "C")'
    after = _Piece(day, Value(since), joiner=" >= ", template=collated)
    before = _Piece(day, Value(until), joiner=" <= ", template=collated)
    return (
        _if_type(attribute, "string", is_date)
        & _if_type(attribute, "string", after)
        & _if_type(attribute, "string", before)
    )
