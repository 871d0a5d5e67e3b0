"""What incidents and archived messages are called and coloured."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from risk.models import ArchiveCursor, ArchivedMessage, Incident, Severity
from scrm.common.badges import UNKNOWN, badge

SEVERITY_TONES = {Severity.HIGH: "red", Severity.MEDIUM: "amber", Severity.LOW: "grey"}
# Kinds that have no words here are shown as the platform calls them.
KINDS: dict[str, Any] = {
    "text": _("text"),
    "link": _("link"),
    "weapp": _("mini-program"),
    "mixed": _("text and pictures"),
    "chatrecord": _("forwarded conversation"),
    "revoke": _("took a message back"),
    "image": _("picture"),
    "voice": _("voice message"),
    "video": _("video"),
    "emotion": _("sticker"),
    "file": _("file"),
    "card": _("business card"),
    "location": _("place"),
    "redpacket": _("red packet"),
    "external_redpacket": _("red packet"),
    "meeting_voice_call": _("call"),
    "voiptext": _("call"),
    "agree": _("agreement to archiving"),
    "disagree": _("refusal of archiving"),
}
STATUS_TONES = {"open": "blue", "decided": "green", "recorded": "grey"}
TEXT_TONES = {"kept": "green", "no_consent": "amber", "unreadable": "red"}
_RANK = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


def severity_badge(severity: str) -> SafeString:
    # The label says what it does as well: "high: blocks".
    word = str(Severity(severity).label).partition(":")[0].partition("：")[0]
    return badge(word, SEVERITY_TONES[Severity(severity)])


def choice_badge(value: str, choices: type[TextChoices], tones: dict[str, str]) -> SafeString:
    return badge(choices(value).label, tones.get(value, "grey"))


def waiting_badge(incident: Incident, now: datetime) -> SafeString | str:
    """How long it has waited: green, amber beyond half of the time it may wait, red beyond it."""
    if not incident.is_open:
        return UNKNOWN
    allowed = incident.decide_by - incident.opened_at
    used = (now - incident.opened_at) / allowed
    tone = "red" if used > 1 else "amber" if used > 0.5 else "green"
    return badge(timesince(incident.opened_at, now), tone)


def lag_badge(cursor: ArchiveCursor | None, now: datetime) -> SafeString:
    """How far behind the archive is; after a day it is an alarm, after five days a loss."""
    if cursor is None or cursor.caught_up_at is None:
        return badge(_t("never caught up"), "amber")
    lag = cursor.lag(now) or now - cursor.caught_up_at
    if lag.total_seconds() < 60:
        seconds = max(0, int(lag.total_seconds()))
        return badge(_t("caught up %(seconds)d s ago") % {"seconds": seconds}, "green")
    tone = (
        "red"
        if lag > settings.ARCHIVE_ALARM_AFTER
        else "amber"
        if lag.total_seconds() > 600
        else "green"
    )
    return badge(_t("caught up %(time)s ago") % {"time": timesince(cursor.caught_up_at, now)}, tone)


def marked(text: str, hits: Iterable[Mapping[str, Any]]) -> SafeString:
    """The text with what was found in it marked, overlapping passages as one in the worst colour."""
    pieces: list[str] = []
    position = 0
    for start, end, severity, rules in _passages(hits, len(text)):
        pieces.append(escape(text[position:start]))
        pieces.append(
            format_html(
                '<mark class="scrm-mark scrm-{}" title="{}">{}</mark>',
                SEVERITY_TONES[Severity(severity)],
                rules,
                text[start:end],
            )
        )
        position = end
    pieces.append(escape(text[position:]))
    return mark_safe("".join(pieces))  # noqa: S308 — every piece is escaped above


def _passages(hits: Iterable[Mapping[str, Any]], length: int) -> list[tuple[int, int, str, str]]:
    """Disjoint (start, end, worst severity, names of rules) within a text that may have been cut."""
    passages: list[tuple[int, int, str, str]] = []
    for hit in sorted(hits, key=lambda hit: (hit["start"], hit["end"])):
        start, end = max(0, hit["start"]), min(hit["end"], length)
        if start >= end:
            continue
        if passages and start < passages[-1][1]:
            first, last, severity, rules = passages.pop()
            worst = max(severity, hit["severity"], key=lambda word: _RANK[Severity(word)])
            names = rules if hit["rule"] in rules else f"{rules}, {hit['rule']}"
            passages.append((first, max(last, end), worst, names))
        else:
            passages.append((start, end, hit["severity"], hit["rule"]))
    return passages


def text_instead(message: ArchivedMessage) -> str:
    """What is shown where there is no text to show."""
    if message.recalled_at is None and message.action == "recall":
        return _t("took a message back")
    if message.text_state == ArchivedMessage.TextState.NO_TEXT:
        kind = KINDS.get(message.kind, message.kind or message.action)
        return _t("%(kind)s: not checked") % {"kind": kind}
    return str(message.get_text_state_display())
