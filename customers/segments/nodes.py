"""What a rule is made of once it has been read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Moment:
    """A time of a rule; a mere date is the whole day, from `start` up to but not with `end`."""

    start: datetime
    end: datetime | None
    text: str

    def is_at(self, at: datetime) -> bool:
        return at == self.start if self.end is None else self.start <= at < self.end

    def is_before(self, at: datetime) -> bool:
        """Whether `at` is later than the moment (than the end of its day)."""
        return at > self.start if self.end is None else at >= self.end


@dataclass(frozen=True)
class Condition:
    """One test of one field; `targets` are the rows that its value names, by the name used."""

    field: str
    op: str
    value: Any
    pointer: str
    targets: Mapping[Any, "Target"]


@dataclass(frozen=True)
class Target:
    """A row that a rule names: its ids (several for a department with all below), and its name."""

    ids: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Group:
    """`all`, `any` or `none` of the children."""

    word: str
    children: tuple["Node", ...]
    pointer: str


Node = Group | Condition


def conditions_of(node: Node) -> Iterator[Condition]:
    if isinstance(node, Condition):
        yield node
        return
    for child in node.children:
        yield from conditions_of(child)
