"""Opaque cursors that remember where a walk stands, under which filters, and since when."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from scrm.sandbox.call import Call
from scrm.sandbox.errors import Refused

Row = TypeVar("Row")


def read_position(call: Call, *filters: object) -> list[int]:
    """Return where the cursor left off ([] = start); 40058 forged, 60268 other filters, 50100 old."""
    cursor = call.optional_text("cursor")
    if not cursor:
        return []
    fields = _decode(cursor)
    if fields.get("of") != _digest(call, filters):
        raise Refused(60268)
    if call.now - fields["since"] > call.world.options.cursor_seconds:
        raise Refused(50100)
    position: list[int] = fields["at"]
    return position


def make_cursor(call: Call, position: Sequence[int], *filters: object) -> str:
    fields = {"of": _digest(call, filters), "at": list(position), "since": call.now}
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def take_page(
    call: Call, rows: Sequence[Row], limit: int, *filters: object
) -> tuple[list[Row], str]:
    """Return one page of a list that only grows at its end, and the cursor of the next one."""
    start = (read_position(call, *filters) or [0])[0]
    page = list(rows[start : start + limit])
    end = start + limit
    return page, make_cursor(call, [end], *filters) if end < len(rows) else ""


def _decode(cursor: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        fields = json.loads(raw)
    except ValueError as error:
        raise Refused(40058, "cursor") from error
    if not isinstance(fields, dict) or not {"of", "at", "since"} <= fields.keys():
        raise Refused(40058, "cursor")
    return fields


def _digest(call: Call, filters: tuple[object, ...]) -> str:
    return hashlib.sha256(repr((call.path, filters)).encode()).hexdigest()[:16]
