"""The screening engine: rules in, an automaton out, passages found in one pass over each text.

    rules = RuleSet([Rule("Private contact", "diversion", "high", words=("加微信",))])
    rules.screen(["可以 加　微♡信 吗"])  →  [[Found(rule, 3, 8)]]

1. *Fold* (folding.py): a table over code points drops what hides a word and evens out how it is
   written; the way back to the text as given is kept.
2. *Match*: one automaton holds all words, their further spellings (disguises.py), allowed phrases,
   the words of "words near each other" and the first digits of numbers. Lexicons that see through
   repeats or look-alikes are matched once more on the text folded that way; only when there are any.
3. *Judge* each match: is it a word of its own, is it inside an allowed phrase, does the number go
   on, are the words near enough? Only texts with a match come here, and few have one.

Many texts are screened as one, with a barrier between them that no word can cross.

Latin words and numbers match as wholes: `vx` is in "加vx12" and in "v x", not in "devx". Separators
inside a word do not matter, for any script: that is what disguises are made of.

Nothing here knows Django, a corp or a clock.
"""

import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, groupby
from typing import Any, NamedTuple

import daachorse

from risk.screening import disguises, patterns
from risk.screening.folding import (
    Collapsed,
    Folded,
    Places,
    Table,
    fold,
    fold_words,
    is_invisible,
    join,
    light_table,
    lookalike_table,
    plain_table,
)

# Of each severity, and by text: a hostile text could contain a million. The worst are never lost.
MAX_FOUND = 1000
# Characters screened as one; keeps the memory of a large batch bounded.
_BATCH = 500_000


@dataclass(frozen=True, eq=False)
class Rule:
    """What must not be said, as far as the engine is concerned; compared by identity."""

    name: str
    category: str
    severity: str
    kind: str = "words"  # or a RiskRule.Kind
    words: Sequence[str] = ()
    allow: Sequence[str] = ()
    directions: Collection[str] = ()
    departments: Collection[int] = ()
    options: Collection[str] = ()  # repeats, lookalikes, split, pinyin
    settings: Mapping[str, Any] = field(default_factory=dict)
    # By which whoever made the rule knows it.
    key: str = ""


class Found(NamedTuple):
    """A passage that a rule forbids: `text[start:end]`."""

    rule: Rule
    start: int
    end: int


Find = Callable[[str], list[tuple[int, int, int]]]


class _Mark(NamedTuple):
    """What finding a pattern means for a rule."""

    role: str
    rule: int
    # allowed: how long the phrase is as written; near: which group of words.
    detail: int = 0


_WORD, _ALLOWED, _NEAR, _LINK = "word", "allowed", "near", "link"
_BEGINNINGS = {"phone": patterns.PHONE_BEGINNINGS, "bank_card": patterns.CARD_BEGINNINGS}
_NUMBERS = {"phone": patterns.phone_at, "bank_card": patterns.card_at}


class _Channel:
    """One way to read texts, and the automaton of what is looked for in them."""

    def __init__(self, table: Table, *, collapses: bool = False) -> None:
        self.table = table
        self.collapses = collapses
        self._marks: dict[str, list[_Mark]] = {}
        # Collapsed word → how often its characters must stand, for every word that becomes it.
        self._repeats: dict[str, list[tuple[_Mark, list[int]]]] = defaultdict(list)

    def add(self, words: Sequence[str], mark: _Mark) -> None:
        """Look for these words, as they are when folded."""
        self.add_folded(fold_words(words, self.table), mark)

    def add_folded(self, words: Iterable[str], mark: _Mark) -> None:
        marks = self._marks
        for folded in words:
            word = self._collapsed(folded, mark) if self.collapses else folded
            known = marks.get(word)
            if known is None:
                marks[word] = [mark]
            elif mark not in known:
                known.append(mark)
        marks.pop("", None)

    def compile(self) -> None:
        self._patterns = list(self._marks)
        self._roles = list(self._marks.values())
        self._lengths = [len(pattern) for pattern in self._patterns]
        self._automaton = daachorse.CharwiseDoubleArrayAhoCorasick(
            self._patterns, use_prefilter=False
        )
        # Text → (start, end, pattern) of the longest match at each end.
        self.find: Find = self._automaton.find_overlapping_no_suffix
        self._endings = self._find_endings()
        self._allowing = {
            number
            for number, marks in enumerate(self._roles)
            if marks[0].role == _ALLOWED or any(mark.role == _ALLOWED for mark in marks[1:])
        }
        self._allowing |= {
            whole for whole, ends in self._endings.items() if self._allowing.intersection(ends)
        }
        # One word of those that are forbidden near each other says nothing alone.
        self._halves = {
            number
            for number, marks in enumerate(self._roles)
            if marks[0].role == _NEAR and len(marks) == 1 and number not in self._endings
        }

    def matters(self, found: Sequence[tuple[int, int, int]]) -> bool:
        return len(found) > 1 or found[0][2] not in self._halves

    def allows(self, found: Sequence[tuple[int, int, int]]) -> bool:
        """Whether an allowed phrase is among the matches."""
        return bool(self._allowing) and any(number in self._allowing for _, _, number in found)

    @property
    def is_empty(self) -> bool:
        return not self._marks

    def marks(
        self, read: Folded, found: Iterable[tuple[int, int, int]]
    ) -> Iterator[tuple[_Mark, int, int]]:
        """What every match means, those inside others too."""
        for _, end, longest in found:
            for number in (longest, *self._endings.get(longest, ())):
                start = end - self._lengths[number]
                for mark in self._roles[number]:
                    if not self.collapses or self._repeats_enough(read, number, start, mark):
                        yield mark, start, end

    def _find_endings(self) -> dict[int, list[int]]:
        """Pattern → the shorter patterns it ends in; the automaton reports the longest only.

        So that a text of a million 哈 makes a million matches, not as many for every length.
        """
        endings: dict[int, list[int]] = {}
        joined, barriers = join(self._patterns)
        whole_at = {end: number for number, end in enumerate([*barriers.tolist(), len(joined)])}
        for _, end, number in self._automaton.find_overlapping(joined):
            whole = whole_at.get(end, number)
            if whole != number:
                endings.setdefault(whole, []).append(number)
        return endings

    def _collapsed(self, word: str, mark: _Mark) -> str:
        runs = [(char, len(list(run))) for char, run in groupby(word)]
        collapsed = "".join(char for char, _ in runs)
        self._repeats[collapsed].append((mark, [length for _, length in runs]))
        return collapsed

    def _repeats_enough(self, read: Folded, number: int, start: int, mark: _Mark) -> bool:
        """天天 is not in a single 天, but in 天天天."""
        runs = read.runs[start : start + self._lengths[number]]  # type: ignore[attr-defined]
        return any(
            owner == mark and all(has >= needs for has, needs in zip(runs, wanted, strict=True))
            for owner, wanted in self._repeats[self._patterns[number]]
        )


class RuleSet:
    """Compiled rules. Nothing in it changes any more: processes swap it, threads share it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        plain = _Channel(plain_table())
        ways = {(False, False): plain}
        for number, rule in enumerate(rules):
            _add_allowed(plain, rule, number)
            if rule.kind == "words":
                _add_words(ways, rule, number)
            else:
                _add_pattern(plain, rule, number)
        # The plain one stays first: it finds what is allowed.
        self.channels = [channel for channel in ways.values() if not channel.is_empty]
        for channel in self.channels:
            channel.compile()
        self.emails = [number for number, rule in enumerate(rules) if rule.kind == "email"]
        self.links = {
            number: tuple(host.lower().strip(".") for host in rule.settings.get("hosts", ()))
            for number, rule in enumerate(rules)
            if rule.kind == "link"
        }
        self.knows_departments = any(rule.departments for rule in rules)
        self.everywhere = frozenset(range(len(rules)))
        self._holding: dict[Any, frozenset[int]] = {}

    def holding(self, direction: str | None, departments: frozenset[int] | None) -> frozenset[int]:
        """The numbers of the rules that hold there; None: wherever it may be."""
        key = (direction, departments)
        if key not in self._holding:
            self._holding[key] = frozenset(
                number
                for number, rule in enumerate(self.rules)
                if direction is None or not rule.directions or direction in rule.directions
                if departments is None
                or not rule.departments
                or not departments.isdisjoint(rule.departments)
            )
        return self._holding[key]

    def screen(
        self, texts: Sequence[str], *, holding: frozenset[int] | None = None
    ) -> list[Sequence[Found]]:
        """The forbidden passages of each text, in the order of the text."""
        held = self.everywhere if holding is None else holding
        if len(texts) == 1:
            return [self._screen(texts, texts[0], None, held).get(0, ())]
        found: list[Sequence[Found]] = [()] * len(texts)
        for first, batch in _batches(texts) if texts else ():
            for number, passages in self._screen(batch, *join(batch), held).items():
                found[first + number] = passages
        return found

    def _screen(
        self, texts: Sequence[str], joined: str, barriers: Places | None, held: frozenset[int]
    ) -> dict[int, list[Found]]:
        """Number of a text → what is in it. Most texts end here, with nothing found."""
        matched: list[tuple[_Channel, Folded, list[tuple[int, int, int]]]] = []
        folded: Folded | None = None
        for channel in self.channels:
            if folded is None or folded.table is not channel.table:
                folded = fold(joined, channel.table, barriers=barriers)
            read = Collapsed(folded) if channel.collapses else folded
            found = channel.find(read.text)
            if found and channel.matters(found):
                matched.append((channel, read, found))
        mailed = self.emails and _with_at(texts)
        if not matched and not mailed:
            return {}
        starts = [0] if barriers is None else [0, *(barriers + 1).tolist()]
        screening = _Screening(self, texts, starts, held)
        for channel, read, found in matched:
            screening.judge(channel, read, found)
        screening.look_for_emails(mailed)
        return screening.found()


def plain_reading(text: str) -> str:
    """The text as words are looked for in it."""
    return fold(text, plain_table()).text


class _Screening:
    """Judges the matches in some texts."""

    def __init__(
        self, rules: RuleSet, texts: Sequence[str], starts: Sequence[int], held: frozenset[int]
    ) -> None:
        self._rules = rules
        self._texts = texts
        self._starts = starts
        self._held = held
        # By rule: allowed passages in order, and how far those up to each of them reach.
        self._allowed: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._reach: dict[int, list[int]] = {}
        self._passages: dict[int, set[tuple[int, int, int]]] = defaultdict(set)
        # By text and rule: words that were found to stand near others; texts that may have a link.
        self._near: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
        self._linked: set[tuple[int, int]] = set()
        self._counts: dict[tuple[int, str], int] = defaultdict(int)
        # Texts with more than anybody reads, by severity.
        self._full: set[tuple[int, str]] = set()

    def found(self) -> dict[int, list[Found]]:
        rules = self._rules.rules
        return {
            text: [Found(rules[rule], start, end) for start, end, rule in sorted(passages)]
            for text, passages in self._passages.items()
        }

    def judge(self, channel: _Channel, read: Folded, found: Sequence[tuple[int, int, int]]) -> None:
        """Take in what was found by one way of reading."""
        read.expect(len(found))
        if channel.allows(found):
            self._take_allowed(read, channel.marks(read, found))
        for mark, start, end in channel.marks(read, found):
            if mark.role != _ALLOWED and mark.rule in self._held:
                text = self._text_at(read.first[start])
                if not self._is_full(text, mark.rule):
                    self._take(text, mark, read, start, end)
        if self._near:
            self._take_near(read)
        if self._linked:
            self._take_links()

    def _take(self, text: int, mark: _Mark, read: Folded, start: int, end: int) -> None:
        if find := _NUMBERS.get(mark.role):
            if number := find(read, start):
                self._pass_on(text, mark.rule, read.span(*number))
        elif mark.role == _LINK:
            self._linked.add((text, mark.rule))
        elif _is_whole(read, start, end):
            if mark.role == _NEAR:
                self._near[text, mark.rule].append((end, start, mark.detail))
            else:
                self._pass_on(text, mark.rule, read.span(start, end))

    def look_for_emails(self, texts: Iterable[int]) -> None:
        rules = self._held.intersection(self._rules.emails)
        for text in texts if rules else ():
            light = fold(self._texts[text], light_table())
            for span in patterns.emails_in(light):
                for rule in rules:
                    self._pass_on(text, rule, self._in_row(text, light.span(*span)))

    def _take_links(self) -> None:
        for text, rule in self._linked:
            if patterns.may_have_link(self._texts[text]):
                light = fold(self._texts[text], light_table())
                for span in patterns.links_in(light, allowed=self._rules.links[rule]):
                    self._pass_on(text, rule, self._in_row(text, light.span(*span)))
        self._linked.clear()

    def _in_row(self, text: int, span: tuple[int, int]) -> tuple[int, int]:
        """A passage of one text as a passage of all of them in a row."""
        begins = self._starts[text]
        return span[0] + begins, span[1] + begins

    def _take_allowed(self, read: Folded, matches: Iterable[tuple[_Mark, int, int]]) -> None:
        for mark, start, end in matches:
            if mark.role == _ALLOWED and _is_whole(read, start, end):
                begin, finish = read.span(start, end)
                # As it is written: pulled apart it would make a hole for 微信，支付.
                if finish - begin <= mark.detail:
                    self._allowed[mark.rule].append((begin, finish))
        for rule, spans in self._allowed.items():
            spans.sort()
            self._reach[rule] = list(accumulate((finish for _, finish in spans), max))

    def _take_near(self, read: Folded) -> None:
        for (text, rule), occurrences in self._near.items():
            settings = self._rules.rules[rule].settings
            for window in patterns.windows(
                sorted(occurrences), groups=len(settings["words"]), within=settings["within"]
            ):
                self._pass_on(text, rule, read.span(*window))
        self._near.clear()

    def _pass_on(self, text: int, rule: int, span: tuple[int, int]) -> None:
        """Note a passage, unless it is allowed or nobody would read it any more."""
        if self._is_full(text, rule) or (rule in self._reach and self._is_allowed(rule, *span)):
            return
        severity = (text, self._rules.rules[rule].severity)
        begins = self._starts[text]
        passages = self._passages[text]
        before = len(passages)
        passages.add((span[0] - begins, span[1] - begins, rule))
        self._counts[severity] += len(passages) - before
        if self._counts[severity] == MAX_FOUND:
            self._full.add(severity)

    def _is_full(self, text: int, rule: int) -> bool:
        return bool(self._full) and (text, self._rules.rules[rule].severity) in self._full

    def _is_allowed(self, rule: int, start: int, end: int) -> bool:
        before = bisect_right(self._allowed[rule], start, key=lambda span: span[0]) - 1
        return before >= 0 and self._reach[rule][before] >= end

    def _text_at(self, place: int) -> int:
        return bisect_right(self._starts, place) - 1


def _add_words(ways: dict[tuple[bool, bool], _Channel], rule: Rule, number: int) -> None:
    repeats, looks = "repeats" in rule.options, "lookalikes" in rule.options
    mark = _Mark(_WORD, number)
    words = fold_words(rule.words, plain_table())
    spellings = list(words)
    if "split" in rule.options:
        for word in words:
            spellings += disguises.split_spellings(word)
    if "pinyin" in rule.options:
        for word in words:
            spellings += disguises.pinyin_spellings(word)
    # Collapsed matching finds what plain matching does, too.
    way = ways.setdefault((False, repeats), _Channel(plain_table(), collapses=repeats))
    way.add_folded(spellings, mark)
    if looks:
        table = _lookalike_table()
        way = ways.setdefault((True, repeats), _Channel(table, collapses=repeats))
        way.add(rule.words, mark)


def _add_allowed(plain: _Channel, rule: Rule, number: int) -> None:
    by_length: dict[int, list[str]] = defaultdict(list)
    for phrase in rule.allow:
        by_length[len(phrase.strip())].append(phrase)
    for length, phrases in by_length.items():
        plain.add(phrases, _Mark(_ALLOWED, number, length))


def _add_pattern(plain: _Channel, rule: Rule, number: int) -> None:
    if rule.kind in _BEGINNINGS:
        plain.add_folded(_BEGINNINGS[rule.kind], _Mark(rule.kind, number))
    elif rule.kind == "link":
        plain.add_folded(patterns.LINK_SIGNS, _Mark(_LINK, number))
    elif rule.kind == "words_together":
        for group, words in enumerate(rule.settings["words"]):
            plain.add(words, _Mark(_NEAR, number, group))


@cache
def _lookalike_table() -> Table:
    return lookalike_table(disguises.lookalike_classes())


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Texts in pieces of bounded length, with the number of the first."""
    if sum(map(len, texts)) <= _BATCH:
        yield 0, texts
        return
    first = length = 0
    for number, text in enumerate(texts):
        if length and length + len(text) > _BATCH:
            yield first, texts[first:number]
            first, length = number, 0
        length += len(text)
    yield first, texts[first:]


def _with_at(texts: Sequence[str]) -> list[int]:
    """The numbers of the texts that may have an address of mail in them."""
    return [number for number, text in enumerate(texts) if "@" in text or "＠" in text]


def _is_whole(read: Folded, start: int, end: int) -> bool:
    """Whether a match is not the middle of a longer Latin word or number."""
    if read.table is plain_table() and not _script(read.text[start]) | _script(read.text[end - 1]):
        return True
    return not _goes_on(read, start) and not _goes_on(read, end)


def _goes_on(read: Folded, place: int) -> bool:
    """Whether the characters before and at `place` are of one word, or of one number."""
    if not 0 < place < len(read.text):
        return False
    before = _script(read.original[read.last[place - 1]])
    if not before or before != _script(read.original[read.first[place]]):
        return False
    return all(map(is_invisible, read.hides(place)))


@cache
def _script(char: str) -> int:
    """0 for Chinese and its like, where nothing separates words; 1 for letters, 2 for digits."""
    base = unicodedata.normalize("NFKD", char)[0]
    if base.isdecimal():
        return 2
    return int(base.isalpha() and base < "\u0e00")
