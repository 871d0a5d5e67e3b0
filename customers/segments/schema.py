"""The grammar of rules as JSON Schema; ids are checked against the corp when a rule is read."""

import re
from typing import Any

from customers.segments.fields import KEY_LENGTH, fields
from customers.segments.fields.base import Field
from customers.segments.reading import DEEPEST, GROUPS, MOST_CONDITIONS, MOST_VALUES
from customers.segments.values import MOST_DAYS, Shape


def rule_schema() -> dict[str, Any]:
    """The schema with all fields that are registered by now."""
    conditions = [_condition(name, field) for name, field in fields().items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segment rule",
        "description": (
            "Ranges over customers with a live follow. Empty all: everyone; empty any: nobody; "
            f"empty none: everyone. At most {DEEPEST} levels and {MOST_CONDITIONS} conditions. "
            "ne, not_in and none_of mean that no value is. within_days: the last N × 24 hours; "
            "beside a value of orders or events it says which of them count. Money is in fen."
        ),
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {"oneOf": [*(_group(word) for word in GROUPS), {"$ref": "#/$defs/condition"}]},
            "condition": {"oneOf": [each for group in conditions for each in group]},
        },
    }


def _group(word: str) -> dict[str, Any]:
    children = {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": MOST_CONDITIONS}
    return {
        "type": "object",
        "properties": {word: children},
        "required": [word],
        "additionalProperties": False,
    }


def _condition(name: str, kind: Field) -> list[dict[str, Any]]:
    """One schema for each shape of value that the field takes."""
    field: dict[str, Any] = {"const": name}
    if "*" in name:
        pattern = rf".{{1,{KEY_LENGTH}}}".join(re.escape(part) for part in name.split("*"))
        field = {"type": "string", "pattern": f"^{pattern}$"}
    if kind.note:
        field["description"] = kind.note
    window = {"within_days": _value(Shape.DAYS, kind)} if kind.has_window else {}
    by_shape: dict[Shape, list[str]] = {}
    for op, shape in kind.ops.items():
        by_shape.setdefault(shape, []).append(op)
    return [
        {
            "type": "object",
            "properties": {"field": field, "op": {"enum": ops}, "value": _value(shape, kind)}
            | window,
            "required": ["field", "op"] if shape == Shape.FLAG else ["field", "op", "value"],
            "additionalProperties": False,
        }
        for shape, ops in by_shape.items()
    ]


def _value(shape: Shape, kind: Field) -> dict[str, Any]:
    match shape:
        case Shape.ONE:
            return dict(kind.item_schema)
        case Shape.MANY:
            return {"type": "array", "items": dict(kind.item_schema), "maxItems": MOST_VALUES}
        case Shape.RANGE:
            return {"type": "array", "items": dict(kind.item_schema), "minItems": 2, "maxItems": 2}
        case Shape.DAYS:
            return {"type": "integer", "minimum": 0, "maximum": MOST_DAYS}
        case Shape.FLAG:
            return {"anyOf": [{"type": ["boolean", "null"]}, {"type": "array", "maxItems": 0}]}
