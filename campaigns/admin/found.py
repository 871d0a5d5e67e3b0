"""What screening found, shown where it stands in the message."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.actions.attaching import shown_attachments
from campaigns.actions.screening import Found, Screened
from campaigns.models import Campaign
from risk.actions.screening import VerdictWord

_FIELDS: dict[str, Any] = {
    "title": gettext_lazy("title"),
    "desc": gettext_lazy("description"),
    "url": gettext_lazy("address"),
    "page": gettext_lazy("page"),
}


@dataclass(frozen=True)
class Part:
    """One text of the message, with the passages marked and why each was found."""

    place: str
    text: SafeString
    reasons: list[str]


@dataclass(frozen=True)
class Shown:
    is_blocked: bool
    parts: list[Part]


def shown_findings(campaign: Campaign, screened: Screened) -> Shown | None:
    """None when there is nothing a person has to look at."""
    if screened.word == VerdictWord.PASS:
        return None
    attachments = shown_attachments(campaign.attachments, corp=campaign.corp)
    return Shown(screened.is_blocked, list(_parts(campaign.content, attachments, screened)))


def marked(text: str, spans: list[tuple[int, int]]) -> SafeString:
    """The text with its spans highlighted; overlapping ones are marked as one."""
    return format_html_join("", "{}", ((piece,) for piece in _pieces(text, _joined(spans))))


def _parts(content: str, attachments: list[dict[str, Any]], screened: Screened) -> Iterator[Part]:
    by_path: dict[str, list[Found]] = {}
    for each in screened.found:
        by_path.setdefault(each.path, []).append(each)
    for path, found in by_path.items():
        text = _text_at(path, content, attachments)
        spans = [(each.hit.start, each.hit.end) for each in found]
        reasons = dict.fromkeys(f"{each.hit.category}: {each.hit.rule}" for each in found)
        yield Part(_place_of(path), marked(text, spans), list(reasons))


def _text_at(path: str, content: str, attachments: list[dict[str, Any]]) -> str:
    if path == "/content":
        return content
    _root, _list, position, name = path.split("/")
    return str(attachments[int(position)].get(name, ""))


def _place_of(path: str) -> str:
    if path == "/content":
        return _("text")
    _root, _list, position, name = path.split("/")
    place = {"number": int(position) + 1, "field": _FIELDS.get(name, name)}
    return _("attachment %(number)d, %(field)s") % place


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _pieces(text: str, spans: list[tuple[int, int]]) -> Iterator[str]:
    at = 0
    for start, end in spans:
        yield text[at:start]
        yield format_html("<mark>{}</mark>", text[start:end])
        at = end
    yield text[at:]
