"""JSON that we keep, shown as a table a person can read."""

from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

_MOST_LINES = 60


def facts_table(data: Any) -> SafeString | str:
    """One line for each value; nested names are joined ("customers · platform")."""
    lines = list(_lines_of(data, ()))
    if not lines:
        return "—"
    shown = lines[:_MOST_LINES]
    if len(lines) > len(shown):
        shown.append(("…", _("and %(count)d more") % {"count": len(lines) - len(shown)}))
    rows = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", shown)
    return format_html('<table class="scrm-facts"><tbody>{}</tbody></table>', rows)


def _lines_of(data: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _lines_of(value, (*path, str(key)))
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for number, item in enumerate(data, start=1):
            yield from _lines_of(item, (*path, str(number)))
    elif data not in ({}, [], None, ""):
        text = ", ".join(map(str, data)) if isinstance(data, list) else _plain(data)
        yield " · ".join(path), text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)
