"""What the platform would refuse with a number, or cut off unseen, is said before it is asked."""

from collections.abc import Sized
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from scrm.channels.errors import InputRefused

# The platform's days begin and end at midnight in China.
CHINA = ZoneInfo("Asia/Shanghai")
_LONGEST_SPAN = 30


def at_most(things: Sized, most: int, what: str) -> None:
    if len(things) > most:
        sentence = _("%(what)s: at most %(most)d, not %(given)d.")
        raise InputRefused(sentence % {"what": what, "most": most, "given": len(things)})


def within_bytes(text: str, most: int, what: str) -> None:
    """Chinese characters count three, which is why a text that looks short may be too long."""
    given = len(text.encode())
    if given > most:
        sentence = _("%(what)s: at most %(most)d bytes, not %(given)d; a Chinese character has three.")  # fmt: skip
        raise InputRefused(sentence % {"what": what, "most": most, "given": given})


def span_of_days(first: date, last: date) -> tuple[int, int]:
    """The first and the last day as the platform spells days: the second each begins in China."""
    if first > last or last - first >= timedelta(days=_LONGEST_SPAN):
        raise InputRefused(_("Figures are told of one to thirty days at a time."))
    return _midnight(first), _midnight(last)


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), CHINA).timestamp())
