"""What a field of a rule is: one class says all there is to say of it.

How it is read, which rows its values name, its condition in SQL, its value for one customer in
Python, its words, and what the editor offers. An app above customers adds a field of its own with
`register_field` (customers/segments/fields/__init__.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from django.db.models import BooleanField, Q, Value
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.segments.nodes import Condition, Moment, Node, Target
from customers.segments.values import CHOICE, FLAGS, Shape
from customers.segments.words import CHOICE_WORDS, OP_WORDS, listed
from scrm.tenancy.models import Corp, Scope

EVERYBODY = Q(Value(True, output_field=BooleanField()))  # noqa: FBT003
NOBODY = Q(Value(False, output_field=BooleanField()))  # noqa: FBT003
NO_VALUE_IS = frozenset({"ne", "not_in", "none_of"})

Text = str | Promise
# A leaf, and whether its contrary is meant.
Test = tuple[Condition, bool]


class Input(StrEnum):
    """What the editor shows for one item of a value."""

    CHOICES = "choices"
    MOMENT = "moment"
    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    SCALAR = "scalar"


class Scene(Protocol):
    """Whom a rule is asked about in SQL: customers of a corp, now or as of a moment of the past."""

    @property
    def corp(self) -> Corp: ...

    @property
    def now(self) -> datetime: ...

    @property
    def as_of(self) -> datetime | None: ...

    def q(self, node: Node) -> Q: ...


class Facts(Protocol):
    """One customer, and what is the case for her; `cache` keeps what fields have read."""

    customer: Customer
    now: datetime
    cache: dict[Any, Any]

    def means(self, node: Node) -> bool: ...


class Field(ABC):
    """One field, or a family of fields whose name has a free part (`attribute.*`)."""

    label: Text
    ops: ClassVar[Mapping[str, Shape]]
    input: Input
    # The JSON Schema of one item of a value.
    item_schema: ClassVar[Mapping[str, Any]]
    # Values are ids of rows, which are looked up.
    names_rows: ClassVar[bool] = False
    # `within_days` may stand beside the value.
    has_window: ClassVar[bool] = False
    # Can be asked about a moment of the past.
    knows_past: ClassVar[bool] = False
    # What operators are called, where it is not the common words.
    op_words: ClassVar[Mapping[str, Text]] = {}
    # The field in the schema, and its values.
    note: str = ""

    @abstractmethod
    def read(self, value: Any, zone: ZoneInfo) -> Any:
        """One item of a value; raises Refusal."""

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        """The rows that are named, by the name used; one query for all."""
        return {}

    @abstractmethod
    def q(self, leaf: Condition, scene: Scene) -> Q:
        """The condition on customers; true or false for each, never NULL."""

    @abstractmethod
    def holds(self, leaf: Condition, facts: Facts) -> bool:
        """Whether the condition is true of the customer; the same answer as `q`."""

    @abstractmethod
    def actual(self, leaf: Condition, facts: Facts) -> Any:
        """What the field holds for the customer, as JSON."""

    def is_impossible(self, tests: Sequence[Test], *, now: datetime) -> bool:
        """Whether nobody can pass these tests of the field together; False when in doubt."""
        return False

    # --- words -------------------------------------------------------------------------------
    def name_in_words(self, leaf: Condition) -> str:
        return str(self.label)

    def item_in_words(self, leaf: Condition, item: Any) -> str:
        if isinstance(item, Moment):
            return item.text
        target = leaf.targets.get(item)
        return f"«{target.name}»" if target else str(item)

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        """What is the case, for people."""
        actual = self.actual(leaf, facts)
        if isinstance(actual, list):
            return listed(str(item) for item in actual) or _("nothing")
        return str(actual) if actual not in (None, "") else _("nothing")

    def describe(self, leaf: Condition) -> str:
        """The condition as a person would say it."""
        field = self.name_in_words(leaf)
        if leaf.op in FLAGS:
            sentence = _("%(field)s is known") if leaf.wants_some else _("%(field)s is empty")
            return sentence % {"field": field}
        items = [self.item_in_words(leaf, item) for item in leaf.values]
        texts: dict[str, Any] = {"field": field, "value": listed(items) or _("nothing")}
        if leaf.op == "between":
            texts |= {"from": items[0], "to": items[1]}
        return str({**OP_WORDS, **self.op_words}[leaf.op]) % texts

    # --- what the editor offers --------------------------------------------------------------
    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        """{value, label, note}: values as rules hold them, labels as people read them.

        Only what `scope` shows.
        """
        return []

    def keys(self, corp: Corp) -> list[str]:
        """For a family: free parts of the name that are in use."""
        return []


class SetField(Field):
    """A field whose value is a set: tags, followers, or one of a few words."""

    ops: ClassVar[Mapping[str, Shape]] = CHOICE
    input = Input.CHOICES
    op_words = CHOICE_WORDS
    # Everybody has at most one value.
    is_single: ClassVar[bool] = False

    @abstractmethod
    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        """The customer's values: what values of rules are compared with, and as JSON."""

    @abstractmethod
    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        """Who has one of these values, of which there is at least one."""

    @abstractmethod
    def some(self, scene: Scene) -> Q:
        """Who has any value."""

    def is_known(self, held: Iterable[Any]) -> bool:
        return bool(set(held))

    def wanted(self, leaf: Condition) -> list[list[Any]]:
        """For each value of the leaf what it is compared with."""
        if self.names_rows:
            return [list(leaf.targets[value].ids) for value in leaf.values]
        return [[value] for value in leaf.values]

    def q(self, leaf: Condition, scene: Scene) -> Q:
        if leaf.op in FLAGS:
            return self.some(scene) if leaf.wants_some else ~self.some(scene)
        wanted = self.wanted(leaf)
        if leaf.op == "all_of":
            q = EVERYBODY
            for ids in wanted:
                q &= self._one_of(ids, scene)
            return q
        together = self._one_of(sorted({one for ids in wanted for one in ids}), scene)
        return ~together if leaf.op in NO_VALUE_IS else together

    def _one_of(self, ids: list[Any], scene: Scene) -> Q:
        return self.any_of(ids, scene) if ids else NOBODY

    def holds(self, leaf: Condition, facts: Facts) -> bool:
        return self._hold(set(self.held(leaf, facts)), leaf)

    def _hold(self, held: set[Any], leaf: Condition) -> bool:
        if leaf.op in FLAGS:
            return self.is_known(held) is leaf.wants_some
        wanted = [held.intersection(ids) for ids in self.wanted(leaf)]
        if leaf.op == "all_of":
            return all(wanted)
        return any(wanted) is (leaf.op not in NO_VALUE_IS)

    def actual(self, leaf: Condition, facts: Facts) -> Any:
        values = sorted(self.held(leaf, facts).values())
        if self.is_single:
            return values[0] if values else None
        return values

    def is_impossible(self, tests: Sequence[Test], *, now: datetime) -> bool:
        # A value that is still to be chosen is no contradiction, nor is one that nobody has yet.
        tests = [
            test
            for test in tests
            if test[0].op in FLAGS or (test[0].values and all(self.wanted(test[0])))
        ]
        if self.is_single:
            return not any(
                all(self._hold(held, leaf) is not is_negated for leaf, is_negated in tests)
                for held in self._candidates(tests)
            )
        needed: list[set[Any]] = []
        barred: set[Any] = set()
        must_be_empty = must_have_some = False
        for leaf, is_negated in tests:
            is_contrary = is_negated is (leaf.op not in NO_VALUE_IS)
            ids = [set(each) for each in self.wanted(leaf)]
            if leaf.op in FLAGS:
                must_be_empty |= leaf.wants_some is is_negated
                must_have_some |= leaf.wants_some is not is_negated
            elif leaf.op == "all_of":
                # Its contrary says only that one of them is missing.
                needed += [] if is_negated else ids
            elif is_contrary:
                barred = barred.union(*ids)
            else:
                needed.append(set().union(*ids))
        if must_be_empty and must_have_some:
            return True
        return any(each and (must_be_empty or each <= barred) for each in needed)

    def _candidates(self, tests: Sequence[Test]) -> list[set[Any]]:
        """No value, each that is named, and one that is not."""
        named = {one for leaf, _negated in tests for ids in self.wanted(leaf) for one in ids}
        return [set(), {object()}, *({one} for one in named)]
