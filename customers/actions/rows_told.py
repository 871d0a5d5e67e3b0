"""Reading the rows that a brand's systems tell, JSON or file: each problem with its place."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from customers.actions.identities import KINDS, Ref, digest_of
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

# A clock that goes wrong; what it dates further ahead would outdate everything told after it.
_AHEAD = timedelta(days=1)
_MAX_JSON = 32_000


class RowReader:
    """Reads one row field by field and keeps what is wrong with it in `problems`."""

    def __init__(self, row: Mapping[str, Any], *, now: datetime) -> None:
        self.row = row
        self.now = now
        self.problems: list[FieldProblem] = []

    def refuse(self, name: str, code: str, message: str) -> None:
        pointer = name.replace("~", "~0").replace("/", "~1")
        self.problems.append(FieldProblem(f"/{pointer}", code, message))

    def refuse_unknown(self, known: frozenset[str]) -> None:
        for name in self.row:
            if name not in known:
                self.refuse(str(name), "unknown", _("There is no such field."))

    def text(self, name: str, *, limit: int) -> str:
        value = self._required(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not 0 < len(value.strip()) <= limit:
            self.refuse(
                name, "invalid", _("Give a text of 1 to %(limit)d characters.") % {"limit": limit}
            )
            return ""
        text = value.strip()
        if not text.isprintable():
            self.refuse(name, "invalid", _("This text has a character that cannot be printed."))
        return text

    def choice(self, name: str, words: list[str]) -> str:
        value = self._required(name)
        if value is None:
            return ""
        if value not in words:
            message = _("Give one of: %(words)s.") % {"words": ", ".join(words)}
            self.refuse(name, "invalid_choice", message)
            return ""
        return str(value)

    def whole(self, name: str, *, most: int, is_required: bool = False) -> int | None:
        value = self._required(name) if is_required else self.row.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            message = _("Give a whole number from 0 to %(most)d.") % {"most": most}
            self.refuse(name, "invalid", message)
            return None
        return value

    def moment(self, name: str, *, is_required: bool = False) -> datetime | None:
        value = self._required(name) if is_required else self.row.get(name)
        if value is None:
            return None
        moment = _moment_of(value)
        if moment is None:
            message = _("Give the time with its offset, such as 2026-03-01T09:00:00+08:00.")
            self.refuse(name, "invalid", message)
        elif moment > self.now + _AHEAD:
            self.refuse(name, "in_future", _("This is more than a day ahead."))
            return None
        return moment

    def structure(self, name: str, kind: type, *, default: Callable[[], Any]) -> Any:
        """A list or an object of any shape, up to 32 000 characters of JSON."""
        value = self.row.get(name)
        if value is None:
            return default()
        if not isinstance(value, kind):
            self.refuse(
                name,
                "invalid",
                _("This is to be a list.") if kind is list else _("This is to be an object."),
            )
            return default()
        written = json.dumps(value, ensure_ascii=False)
        if len(written) > _MAX_JSON:
            message = _("This is longer than %(limit)d characters.") % {"limit": _MAX_JSON}
            self.refuse(name, "too_long", message)
        elif not _can_be_stored(written):
            message = _("This text has a character that cannot be stored.")
            self.refuse(name, "invalid_character", message)
        return value

    def refs(self) -> tuple[Ref, ...]:
        """Who is meant, the surest first; none when the row names nobody."""
        found = []
        for kind in KINDS:
            value = self.row.get(kind)
            if value is None or value == "":
                continue
            if not isinstance(value, str):
                self.refuse(kind, "invalid", _("Give this as text."))
                continue
            found.append((str(kind), value))
        return tuple(found)

    def _required(self, name: str) -> Any:
        value = self.row.get(name)
        if value is None:
            self.refuse(name, "required", _("This field is required."))
        return value


def check_refs(reader: RowReader, refs: tuple[Ref, ...], *, corp: Corp) -> tuple[str, bytes | None]:
    """Under which kind and digest the row waits, or would: by the surest name it gives."""
    awaited: tuple[str, bytes | None] = ("", None)
    for kind, value in refs:
        try:
            digest = digest_of(kind, value, corp=corp)
        except InvalidInput as error:
            reader.problems.extend(error.errors)
            continue
        if not awaited[0]:
            awaited = kind, digest
    return awaited


def refuse_nameless(reader: RowReader) -> None:
    message = _("Say whose this is: external_userid, unionid, member_id or phone.")
    reader.refuse("external_userid", "required", message)


def _can_be_stored(written: str) -> bool:
    """PostgreSQL's JSON knows no NUL, and no half of a surrogate pair."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return "\\u0000" not in written.replace("\\\\", "")


def _moment_of(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else None
    if not isinstance(value, str) or not re.match(r"\d{4}-", value):
        return None
    try:
        moment = parse_datetime(value)
        # PostgreSQL must be able to hold it in UTC.
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
