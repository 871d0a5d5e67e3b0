"""What a rule is made of once it has been read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from customers.segments.fields.base import Field


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
class Target:
    """What a rule names: its row ids (several for a department with all below), and its name.

    A saved segment also has a `rule`, and once that has been read, a `node`.
    """

    ids: tuple[int, ...]
    name: str
    rule: Any = None
    node: "Node | None" = None


@dataclass(frozen=True)
class Condition:
    """One test of one field; `targets` are the rows that its value names, by the name used.

    `within_days` narrows what is counted (orders, events) to the last N × 24 hours.
    """

    field: str
    op: str
    value: Any
    pointer: str
    targets: Mapping[Any, Target]
    kind: "Field"
    within_days: int | None = None

    @property
    def values(self) -> list[Any]:
        """The values; none for operators that take none."""
        if self.op in {"exists", "is_empty"}:
            return []
        return self.value if isinstance(self.value, list) else [self.value]

    @property
    def wants_some(self) -> bool:
        """What `exists` and `is_empty` ask with true or false: whether there is a value."""
        return bool((self.op == "exists") is self.value)


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


def parts_of(node: Node, *, is_negated: bool = False) -> Iterator[tuple[Node, bool]]:
    """What has to hold together, each with whether its contrary is meant."""
    if isinstance(node, Group) and node.word == ("any" if is_negated else "all"):
        for child in node.children:
            yield from parts_of(child, is_negated=is_negated)
    elif isinstance(node, Group) and node.word == "none" and not is_negated:
        for child in node.children:
            yield from parts_of(child, is_negated=True)
    else:
        yield node, is_negated
