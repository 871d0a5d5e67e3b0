"""JSON that we keep, shown as a table a person can read."""

from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from scrm.common.badges import UNKNOWN

_MOST_LINES = 60
# The order people expect; JSON in the database keeps none.
_COLUMNS = ("platform", "local", "created", "updated", "ended", "repaired")
_ROWS = ("staff", "tags", "customers", "follows", "groups", "members")

# What the keys mean; one without words is shown as it is written.
WORDS: dict[str, Any] = {
    "add": _("tags given"),
    "added": pgettext_lazy("count", "added"),
    "after": _("afterwards"),
    "asked": pgettext_lazy("count", "asked"),
    "answers": _("answers"),
    "attachments": _("attachments"),
    "before": _("before"),
    "campaign": _("campaign"),
    "called_back": pgettext_lazy("count", "called back"),
    "chat_ids": _("group chats"),
    "content": _("text"),
    "created": pgettext_lazy("count", "created"),
    "customers": _("customers"),
    "decision": _("decision"),
    "ended": pgettext_lazy("count", "ended"),
    "errcode": _("error code"),
    "exchanged": _("replaced"),
    "external_userid": _("external id"),
    "external_userids": _("customers"),
    "filter": _("filter"),
    "follows": _("follows"),
    "from": _("from"),
    "from_userid": _("who hands over"),
    "groups": _("group chats"),
    "is_resigned": _("has left the corp"),
    "item_id": _("customer"),
    "key": _("key"),
    "local": _("here"),
    "members": _("group members"),
    "message": _("what it said"),
    "msgid": _("platform id"),
    "name": _("name"),
    "planned": _("planned"),
    "paths": _("places"),
    "platform": _("platform"),
    "reason": _("reason"),
    "refused": _("refused"),
    "remove": _("tags taken"),
    "removed": pgettext_lazy("count", "removed"),
    "repaired": pgettext_lazy("count", "repaired"),
    "rows": _("rows"),
    "scopes": _("scopes"),
    "sender": _("sender"),
    "staff": _("staff"),
    "status": _("status"),
    "tags": _("tags"),
    "tasks": _("tasks"),
    "text": _("text"),
    "to": _("to"),
    "to_userid": _("taker"),
    "updated": pgettext_lazy("count", "updated"),
    "userid": _("userid"),
}


def facts_table(data: Any) -> SafeString | str:
    """A table of figures when every row has the same columns, else one line for each value."""
    if _is_matrix(data):
        return _matrix(data)
    lines = list(_lines_of(data, ()))
    if not lines:
        return UNKNOWN
    shown = lines[:_MOST_LINES]
    if len(lines) > len(shown):
        shown.append(("…", _t("and %(count)d more") % {"count": len(lines) - len(shown)}))
    rows = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", shown)
    return format_html('<table class="scrm-facts"><tbody>{}</tbody></table>', rows)


def _is_matrix(data: Any) -> bool:
    if not isinstance(data, dict) or len(data) < 2:
        return False
    rows = list(data.values())
    return all(isinstance(row, dict) and row and row.keys() == rows[0].keys() for row in rows) and (
        all(isinstance(value, int) for row in rows for value in row.values())
    )


def _matrix(data: dict[str, dict[str, int]]) -> SafeString:
    columns = sorted(next(iter(data.values())), key=lambda name: _place(name, _COLUMNS))
    head = format_html_join("", '<th class="n">{}</th>', ((_word(name),) for name in columns))
    rows = format_html_join(
        "",
        "<tr><td>{}</td>{}</tr>",
        (
            (_word(name), format_html_join("", '<td class="n">{}</td>', ((f"{row[column]:,}",) for column in columns)))
            for name, row in sorted(data.items(), key=lambda pair: _place(pair[0], _ROWS))
        ),
    )  # fmt: skip
    return format_html(
        '<table class="scrm-table"><thead><tr><th></th>{}</tr></thead><tbody>{}</tbody></table>',
        head,
        rows,
    )


def _place(name: str, usual: tuple[str, ...]) -> int:
    return usual.index(name) if name in usual else len(usual)


def _lines_of(data: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _lines_of(value, (*path, _word(str(key))))
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for number, item in enumerate(data, start=1):
            yield from _lines_of(item, (*path, str(number)))
    elif data not in ({}, [], None, ""):
        text = ", ".join(map(str, data)) if isinstance(data, list) else _plain(data)
        yield " · ".join(path), text


def _word(key: str) -> str:
    return str(WORDS.get(key, key))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _t("yes") if value else _t("no")
    return str(value)
