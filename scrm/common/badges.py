"""A status in a word with a colour, and what is shown for what nobody can know."""

from collections.abc import Iterable, Mapping

from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

# Never 0: that would be a claim.
UNKNOWN = "—"


def listed(words: Iterable[object]) -> str:
    """Words one after the other, as the language does it."""
    return _(", ").join(str(word) for word in words)


def badge(text: object, tone: str = "grey") -> SafeString:
    """Tones: grey, blue, green, amber, red, teal."""
    return format_html('<span class="scrm-badge scrm-{}">{}</span>', tone, text)


def status_badge(subject: Model, tones: Mapping[str, str], *, field: str = "status") -> SafeString:
    text = getattr(subject, f"get_{field}_display")()
    return badge(text, tones.get(getattr(subject, field), "grey"))
