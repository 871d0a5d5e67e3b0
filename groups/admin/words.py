"""What statuses and numbers of the platform are called, and how they look."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from groups.models import GroupTag
from scrm.common.badges import UNKNOWN, listed

CHAT_TONES = {
    "normal": "green",
    "owner_left": "red",
    "inheriting": "amber",
    "inherited": "blue",
    "dismissed": "grey",
}
CODE_TONES = {
    "creating": "amber",
    "active": "green",
    "failed": "red",
    "empty": "red",
    "deleted": "grey",
}
# join_scene of groupchat/get [doc 92122].
JOIN_SCENES: dict[int, Any] = {
    1: _("invited by a member of staff"),
    2: _("by an invitation link"),
    3: _("scanned the group's QR code"),
}
_MOST_CHIPS = 3


def tag_chips(tags: Iterable[GroupTag]) -> SafeString | str:
    names = sorted(tag.name for tag in tags)
    if not names:
        return UNKNOWN
    chip = '<span class="scrm-chip scrm-chip-system">{}</span>'
    shown = format_html_join("", chip, ((name,) for name in names[:_MOST_CHIPS]))
    rest = names[_MOST_CHIPS:]
    more: SafeString | str = ""
    if rest:
        more = format_html(
            '<span class="scrm-chip scrm-chip-more" title="{}">+{}</span>', listed(rest), len(rest)
        )
    return format_html('<span class="scrm-chips">{}{}</span>', shown, more)


def moves_words(joined: int, left: int) -> SafeString | str:
    """ "+3 −1"; nothing moved is 0."""
    if not joined and not left:
        return "0"
    plus = format_html('<span class="scrm-up">+{}</span>', joined) if joined else ""
    minus = format_html('<span class="scrm-down">−{}</span>', left) if left else ""
    return format_html('<span class="scrm-num">{} {}</span>', plus, minus)
