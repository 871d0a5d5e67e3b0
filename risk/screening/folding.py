"""How a text is read before words are looked for in it, and how to find the way back.

One table says for every code point what it counts as: itself, another one, several, or nothing.
Full-width becomes half-width, traditional becomes simplified, capitals become small, accents fall
off; spaces, punctuation, emoji, controls and zero-width characters count as nothing. Words go
through the same table as texts, so a character means the same wherever it stands: what needs the
neighbours to be decided (乾坤 and 乾燥) is one character for us.
"""

import unicodedata
from codecs import utf_32_le_decode, utf_32_le_encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]
Row = Places | list[int]

DROPPED = 0
# Stands between texts that are read together; no character of a text can become it.
BARRIER = "\U0010ffff"
# Values from here on are not characters: they number what expands into several.
_EXPANDS = 0x110000
# Letters by category that show nothing, and marks that look like letters once taken apart.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_SIGNS = frozenset("\u2122\u2120")  # ™ and ℠ stand between characters like an emoji
# What an address is made of besides letters and digits; a full-width comma ends one.
_IN_ADDRESS = ".:/?#@&=%+-_~"
_HANGUL = range(0xAC00, 0xD7A4)
# Where characters stand that count as something else than themselves.
_PLANES = (range(0x20000), range(0x2F800, 0x2FA20), range(0xE0000, 0xE0200))


class Table:
    """What every code point counts as."""

    def __init__(self, values: Codes, expansions: Sequence[str] = ()) -> None:
        self.values = values
        self.expansions = expansions

    def expand(self, values: Codes) -> tuple[Codes, Places]:
        """The values with every expansion written out, and which value each came from."""
        places = np.flatnonzero(values >= _EXPANDS)
        texts = [self.expansions[value - _EXPANDS] for value in values[places].tolist()]
        written = values.copy()
        written[places] = [ord(text[0]) for text in texts]
        behind = np.repeat(places + 1, [len(text) - 1 for text in texts])
        rest = [ord(char) for text in texts for char in text[1:]]
        source = np.arange(len(values))
        return np.insert(written, behind, rest), np.insert(source, behind, behind - 1)


class Folded:
    """A text as it counts, and the places of its characters in the text as given."""

    __slots__ = ("_first", "_source", "_values", "original", "table", "text")

    def __init__(
        self, original: str, table: Table, values: Codes, *, source: Places | None = None
    ) -> None:
        self.original = original
        self.table = table
        # Raises UnicodeDecodeError where a value is the number of an expansion.
        self.text = utf_32_le_decode(values)[0].replace("\0", "")  # type: ignore[arg-type]  # a buffer
        self._values = values
        self._source = source
        self._first: Row | None = None

    @property
    def first(self) -> Row:
        """Where in the original each character that counts begins; known when it is asked for."""
        if self._first is None:
            self._first = self.places()
        return self._first

    def expect(self, questions: int) -> None:
        """Many questions are answered faster by a list than by an array, few by the array."""
        if questions > len(self.text) // 16:
            self._first = self.places().tolist()

    def places(self) -> Places:
        kept = self._values.nonzero()[0]
        return kept if self._source is None else self._source[kept]

    @property
    def last(self) -> Row:
        """And where it ends: the last place that belongs to it."""
        return self.first

    def hides(self, place: int) -> str:
        """What was dropped between the characters `place - 1` and `place`."""
        return self.original[self.last[place - 1] + 1 : self.first[place]]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The passage of the original, without what was dropped before and after it."""
        return int(self.first[start]), int(self.last[end - 1]) + 1


class Collapsed(Folded):
    """The same with every run of one character as one character."""

    __slots__ = ("_begins", "_ends", "_last", "runs")

    def __init__(self, folded: Folded) -> None:
        codes = np.frombuffer(utf_32_le_encode(folded.text)[0], "<u4")
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        begins = np.concatenate((np.zeros(min(len(codes), 1), dtype=np.intp), changes))
        ends = np.append(changes, len(codes))[: len(begins)]
        super().__init__(folded.original, folded.table, codes[begins])
        self.runs = ends - begins
        places = folded.places()
        self._begins, self._ends = places[begins], places[ends - 1]
        self._last: Row | None = None

    @property
    def last(self) -> Row:
        return self._ends if self._last is None else self._last

    def expect(self, questions: int) -> None:
        super().expect(questions)
        if questions > len(self.text) // 16:
            self._last = self._ends.tolist()

    def places(self) -> Places:
        return self._begins


def fold(text: str, table: Table, *, barriers: Places | None = None) -> Folded:
    """Read a text; `barriers` are the places of characters that separate texts."""
    codes = np.frombuffer(utf_32_le_encode(text, "surrogatepass")[0], "<u4")
    values = table.values.take(codes)
    if barriers is not None:
        values[barriers] = ord(BARRIER)
    try:
        return Folded(text, table, values)
    except UnicodeDecodeError:
        # Something expands. Rare, so it may cost more.
        written, source = table.expand(values)
        return Folded(text, table, written, source=source)


def fold_words(words: Sequence[str], table: Table) -> list[str]:
    """Many short texts at once; no offsets."""
    joined, barriers = join(words)
    return fold(joined, table, barriers=barriers).text.split(BARRIER) if words else []


def join(texts: Sequence[str]) -> tuple[str, Places]:
    """Texts in a row with one character between each two, and the places of these."""
    lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
    return "\n".join(texts), np.cumsum(lengths[:-1] + 1) - 1


def is_invisible(char: str) -> bool:
    """Whether a dropped character leaves no trace: what it stands between, stands together."""
    return char in _BLANK or unicodedata.category(char) in {"Mn", "Me", "Cf", "Cc"} - {"\n"}


@cache
def plain_table() -> Table:
    """The table by which words are found."""
    return _build(_counts_as, also=_simplified())


@cache
def light_table() -> Table:
    """For addresses: width and case only; punctuation stays, invisible characters go."""
    return _build(_light)


def lookalike_table(classes: Mapping[str, str]) -> Table:
    """The plain table with each of these characters as the one that stands for its class."""
    plain = plain_table()
    stands_for = np.arange(_EXPANDS + len(plain.expansions), dtype="<u4")
    for char, representative in classes.items():
        stands_for[ord(char)] = ord(representative)
    values = stands_for[plain.values]
    for char, representative in classes.items():
        values[ord(char)] = ord(representative)
    expansions = ["".join(classes.get(char, char) for char in each) for each in plain.expansions]
    return Table(values, expansions)


def _build(rule: Callable[[int], str], *, also: Iterable[str] = ()) -> Table:
    values = np.arange(_EXPANDS, dtype="<u4")
    # Surrogates, private use and the specials planes show nothing a reader could read.
    values[0xD800:0xF900] = values[0xE0200:] = DROPPED
    expansions: dict[str, int] = {}
    for code in chain(*_PLANES, map(ord, also)):
        counted = rule(code)
        if len(counted) < 2:
            values[code] = ord(counted) if counted else DROPPED
        else:
            values[code] = _EXPANDS + expansions.setdefault(counted, len(expansions))
    return Table(values, list(expansions))


def _counts_as(code: int) -> str:
    char = chr(code)
    if code < 0x80:
        return char.lower() if char.isalnum() else ""
    if code in _HANGUL:
        return char
    if char in _SIGNS:
        return ""
    decomposed = unicodedata.normalize("NFKD", char)
    if decomposed == char:
        digit = unicodedata.digit(char, None)
        decomposed = char if digit is None else str(digit)
    simplified = _simplified()
    return "".join(
        simplified.get(part, part)
        for part in unicodedata.normalize("NFKD", decomposed.casefold())
        if _is_read(part)
    )


def _is_read(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LN" or (category == "Mc" and char not in _BLANK)


def _light(code: int) -> str:
    char = chr(code)
    if char in "\u3002\uff0e\uff61":
        return "."
    if char in "\r\n\t\x0b\x0c":
        return " "
    if is_invisible(char):
        return ""
    folded = unicodedata.normalize("NFKC", char)
    is_part = len(folded) == 1 and folded.isascii() and (folded.isalnum() or folded in _IN_ADDRESS)
    return folded.lower() if is_part else char


# Forms that OpenCC writes for the second character of each pair in some phrases or regions only;
# whoever writes one means the other. Where both are simplified characters of their own (坐 and 座),
# they stay two: tests/risk/test_folding.py holds what that leaves.
_DECIDED = (
    "瞭了 覆复 藉借 祇只 衹只 伕夫 牠它 牴抵 暱昵 揹背 彷仿 著着 簷檐 痺痹 粧妆 擡抬 敍叙 枱台 糭粽 衞卫 馀余 锺钟"
    " 谘咨 讬托 侭尽 麺面 薰熏 睪睾 鲶鲇"
)


@cache
def _simplified() -> dict[str, str]:
    """Traditional → simplified, one character for one."""
    once = dict(_pairs()) | {pair[0]: pair[1] for pair in _DECIDED.split()}
    return {char: once.get(to, to) for char, to in once.items()}


def _pairs() -> Iterator[tuple[str, str]]:
    source = files("opencc").joinpath("dictionary/TSCharacters.txt").read_text("utf-8")
    for line in source.splitlines():
        traditional, _, choices = line.partition("\t")
        if choices:
            yield traditional, choices.split()[0]
