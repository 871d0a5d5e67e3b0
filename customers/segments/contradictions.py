"""Rules that nobody can fulfil, whatever is the case."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from customers.segments.fields.base import Test
from customers.segments.nodes import Condition, Group, Node, parts_of
from customers.segments.words import describe_node

# So many alternatives are looked at; with more we do not say.
_MOST_LOOKS = 2_000


@dataclass(frozen=True)
class Contradiction:
    """A place that nobody can fulfil; `is_whole` when the rule as a whole means nobody."""

    pointer: str
    words: str
    is_whole: bool


def find_contradictions(node: Node, *, now: datetime) -> list[Contradiction]:
    """Where conditions exclude each other: «nobody can be both»."""
    return _Search(now).run(node)


class _Search:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.looks = 0

    def run(self, node: Node) -> list[Contradiction]:
        clash, branches = self._look(list(parts_of(node)), [])
        if clash is not None:
            return [Contradiction(clash[0].pointer, clash[1], is_whole=True)]
        return [Contradiction(leaf.pointer, words, is_whole=False) for leaf, words in branches]

    def _look(
        self, parts: Sequence[tuple[Node, bool]], around: Sequence[Test]
    ) -> tuple[tuple[Condition, str] | None, list[tuple[Condition, str]]]:
        """What makes the parts impossible together, if anything; and dead alternatives below."""
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            return None, []
        tests = [*around, *((part, neg) for part, neg in parts if isinstance(part, Condition))]
        if clash := _clash(tests, self.now):
            return clash, []
        dead: list[tuple[Condition, str]] = []
        for part, is_negated in parts:
            # What is left of groups are alternatives: `any`, or the contrary of `all` and `none`.
            if not isinstance(part, Group) or not part.children:
                continue
            clashes = []
            for child in part.children:
                negates_child = is_negated and part.word == "all"
                found, below = self._look(list(parts_of(child, is_negated=negates_child)), tests)
                dead += below
                clashes += [found] if found else []
            if len(clashes) == len(part.children):
                return clashes[0], []
            dead += clashes
        return None, dead


def _clash(tests: Sequence[Test], now: datetime) -> tuple[Condition, str] | None:
    for together in _by_field(tests):
        if together[0][0].kind.is_impossible(together, now=now):
            leaf = together[-1][0]
            return leaf, _in_words(together)
    return None


def _by_field(tests: Sequence[Test]) -> Iterator[list[Test]]:
    fields: dict[tuple[str, int | None], list[Test]] = defaultdict(list)
    for leaf, is_negated in tests:
        fields[leaf.field, leaf.within_days].append((leaf, is_negated))
    yield from fields.values()


def _in_words(tests: Sequence[Test]) -> str:
    said = [
        _("not (%(condition)s)") % {"condition": describe_node(leaf)}
        if is_negated
        else describe_node(leaf)
        for leaf, is_negated in tests
    ]
    if len(said) == 1:
        return _("Nobody can fulfil this: %(condition)s.") % {"condition": said[0]}
    return _("Nobody can fulfil all of these: %(conditions)s.") % {"conditions": "; ".join(said)}
