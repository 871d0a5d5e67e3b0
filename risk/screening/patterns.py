"""What is recognised by its form: telephone and card numbers, addresses of mail and of pages."""

import re
from collections.abc import Iterable, Iterator, Sequence

from risk.screening.folding import Folded, is_invisible

# How a digit is written besides itself; full-width and circled ones are folded before.
_WRITTEN = {
    "0": "〇零", "1": "一壹幺", "2": "二贰两", "3": "三叁", "4": "四肆",
    "5": "五伍", "6": "六陆", "7": "七柒", "8": "八捌", "9": "九玖",
}  # fmt: skip
DIGITS = {digit: digit for digit in _WRITTEN} | {
    char: digit for digit, chars in _WRITTEN.items() for char in chars
}
# Between digits these end a number, unless they stand between all of its digits.
_ENDS = frozenset(",，、;；:：/\n。!！?？%")

Span = tuple[int, int]


def _beginnings(firsts: str, seconds: str) -> list[str]:
    """The first characters of numbers: three digits, or two of which one is a Chinese numeral.

    Few words begin so, and ages and years do not.
    """
    pairs = [
        a + b
        for first in firsts
        for second in seconds
        for a in first + _WRITTEN[first]
        for b in second + _WRITTEN[second]
    ]
    written = [pair for pair in pairs if not pair.isascii()]
    return written + [pair + third for pair in pairs if pair.isascii() for third in DIGITS]


# Of mobile numbers of the mainland; and of bank cards, which nobody spells out.
PHONE_BEGINNINGS = _beginnings("1", "3456789")
CARD_BEGINNINGS = [each for each in _beginnings("34569", "0123456789") if each.isascii()]

_DIGIT = "[" + "".join(DIGITS) + "]"
_PHONE = re.compile(f"{_DIGIT}{{11}}")
_CARD = re.compile("[0-9]{15,19}")


def phone_at(folded: Folded, start: int) -> Span | None:
    """The mobile number that begins with the character `start` of the folded text."""
    if not _PHONE.match(folded.text, start) or not _begins(folded, start):
        return None
    end = start + 11
    is_number = not _goes_on(folded, end) and _is_together(folded, start, end)
    return (start, end) if is_number else None


def card_at(folded: Folded, start: int) -> Span | None:
    """The bank card number that begins there: 15 to 19 digits that satisfy Luhn's check."""
    match = _CARD.match(folded.text, start)
    if not match or not _begins(folded, start):
        return None
    for end in range(match.end(), start + 14, -1):
        if not _goes_on(folded, end) and _is_together(folded, start, end):
            return (start, end) if satisfies_luhn(folded.text[start:end]) else None
    return None


def satisfies_luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) << (place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_together(folded: Folded, start: int, end: int) -> bool:
    """Whether nothing between the digits ends a number."""
    gaps = [_gap(folded, place) for place in range(start + 1, end)]
    return len(set(gaps)) == 1 or not any(map(_ENDS.intersection, gaps))


def _gap(folded: Folded, place: int) -> str:
    return "".join(char for char in folded.hides(place) if not is_invisible(char))


def _begins(folded: Folded, start: int) -> bool:
    """Whether no digit goes before the number; a country code may."""
    text = folded.text
    if text[max(start - 2, 0) : start] == "86":
        before = start - 2
        return not _goes_on(folded, before) or text[max(before - 2, 0) : before] == "00"
    return not _goes_on(folded, start)


def _goes_on(folded: Folded, place: int) -> bool:
    if not 0 < place < len(folded.text):
        return False
    before, after = folded.text[place - 1], folded.text[place]
    are_digits = before in DIGITS and after in DIGITS and before.isascii() == after.isascii()
    return are_digits and all(map(is_invisible, folded.hides(place)))


_ADDRESS = re.compile(
    r"(?<![a-z0-9._%+-])[a-z0-9._%+-]++@(?:[a-z0-9-]+\.)+[a-z]{2,24}(?![a-z0-9-])"
)
# Without a scheme only under endings that people use: 3.5kg, 报价.xlsx and e.g. are no links.
_ENDINGS = (
    "com|cn|net|org|top|xyz|vip|shop|site|club|online|cc|io|me|info|tv|co|link|ltd|app|store|work"
    "|tech|fun|pub|live|world|biz|wang|ren|xin|ink|red|mobi|asia|pro|gov|edu|hk|tw|jp|kr|sg|us|uk"
    "|eu|ru|de|fr|ai|im|la|ws|ly|gl|to|icu|cyou|life|art|chat|group|cloud|space|website|win|bid"
)
_LINK = re.compile(
    r"(?P<scheme>(?:https?|ftp|weixin|wxwork)://)(?P<authority>[^\s/?#\"'<>，。、；！？（）《》“”]++)"
    r"(?P<path>[/?#][!#-;=?-\[\]_a-z~]*)?"
    rf"|(?<![a-z0-9@._-])(?P<host>(?:[a-z0-9_-]++\.)+(?:{_ENDINGS}))(?::\d{{1,5}})?(?![a-z0-9_.-]*[a-z0-9_@])"
    r"(?P<rest>[/?#][!#-;=?-\[\]_a-z~]*)?"
)


# What is left of a link when it is folded has one of these in it.
LINK_SIGNS = ["http", "ftp", "weixin", "wxwork", *_ENDINGS.split("|")]


def may_have_link(text: str) -> bool:
    return any(sign in text for sign in (".", "。", "//", "．", "｡", "／／"))


def emails_in(light: Folded) -> Iterator[Span]:
    for match in _ADDRESS.finditer(light.text):
        yield match.span()


def links_in(light: Folded, *, allowed: Sequence[str]) -> Iterator[Span]:
    """Links to hosts other than those allowed and what is below them."""
    for match in _LINK.finditer(light.text):
        if not _is_below(_host(match), allowed):
            yield match.span()


def _host(match: "re.Match[str]") -> str:
    # Whatever stands before the @ is a name to log in with, be it written like a host.
    authority = match["authority"] or match["host"]
    return authority.rpartition("@")[2].partition(":")[0].strip(".")


def _is_below(host: str, allowed: Iterable[str]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in allowed)


def windows(occurrences: Sequence[tuple[int, int, int]], *, groups: int, within: int) -> list[Span]:
    """The shortest passages with a word of every group and at most `within` characters between.

    `occurrences` are (end, start, group), sorted.
    """
    latest: dict[int, tuple[int, int]] = {}
    found: list[Span] = []
    for end, start, group in occurrences:
        if group not in latest or start >= latest[group][0]:
            latest[group] = (start, end)
        if len(latest) < groups:
            continue
        begin = min(each[0] for each in latest.values())
        said = sum(each[1] - each[0] for each in latest.values())
        finish = max(each[1] for each in latest.values())
        if finish - begin - said <= within and (not found or begin > found[-1][0]):
            found.append((begin, finish))
    return found
