"""A rule as one condition on customers.

Every leaf is true or false, never NULL: under `none` an unknown would otherwise hide customers
whom nothing is known about, though of them, too, the rule says no.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import and_, or_

from django.db.models import Exists, OuterRef, Q

from customers.models import CustomerTagSet
from customers.segments.fields.base import EVERYBODY, NO_VALUE_IS, NOBODY
from customers.segments.nodes import Condition, Group, Node, parts_of
from scrm.common.models import CorpQuerySet
from scrm.tenancy.models import Corp


@dataclass
class _TagTest:
    """Conditions on tags that have to hold together: one look at the customer's array.

    Joined tests would each be a pass over the table; one array answers all, and the GIN index
    finds those whom the positive ones mean.
    """

    any_of: list[list[int]] = field(default_factory=list)
    all_of: set[int] = field(default_factory=set)
    none_of: set[int] = field(default_factory=set)
    has_some: bool = False

    def as_q(self, corp: Corp) -> Q | None:
        sets = CustomerTagSet.objects.for_corp(corp).filter(customer=OuterRef("pk"))
        if self.any_of or self.all_of or self.has_some:
            for ids in self.any_of:
                sets = sets.filter(tag_ids__overlap=ids)
            if self.all_of:
                sets = sets.filter(tag_ids__contains=sorted(self.all_of))
            if self.none_of:
                sets = sets.exclude(tag_ids__overlap=sorted(self.none_of))
            return Q(Exists(sets))
        if self.none_of:
            return ~Q(Exists(sets.filter(tag_ids__overlap=sorted(self.none_of))))
        return None


@dataclass(frozen=True)
class Translator:
    """Turns the rule of a corp into a condition on customers, now or as of a past moment."""

    corp: Corp
    now: datetime
    as_of: datetime | None = None

    def q(self, node: Node) -> Q:
        if isinstance(node, Group) and node.word == "any":
            return self._disjunction(node)
        tags = _TagTest()
        tests = [
            self._take_tags(leaf, tags, is_negated=is_negated)
            if isinstance(leaf, Condition) and leaf.field == "tags" and self.as_of is None
            else self._test(leaf, is_negated=is_negated)
            for leaf, is_negated in parts_of(node)
        ]
        needed = [test for test in [*tests, tags.as_q(self.corp)] if test is not None]
        return reduce(and_, needed) if needed else EVERYBODY

    def _disjunction(self, node: Group) -> Q:
        """One look at the array for all tests of tags that somebody may pass by carrying some."""
        arrays = [None if self.as_of else _array_test(child) for child in node.children]
        tests = [
            self.q(child)
            for child, array in zip(node.children, arrays, strict=True)
            if array is None
        ]
        if together := [array for array in arrays if array is not None]:
            tests.append(Q(Exists(self._tag_sets().filter(reduce(or_, together)))))
        return reduce(or_, tests) if tests else NOBODY

    def _test(self, leaf: Node, *, is_negated: bool) -> Q:
        q = self.q(leaf) if isinstance(leaf, Group) else leaf.kind.q(leaf, self)
        return ~q if is_negated else q

    def _take_tags(self, leaf: Condition, tags: _TagTest, *, is_negated: bool) -> Q | None:
        """Add the condition to the common look at the array; return what does not fit there."""
        op, ids = leaf.op, _ids_of(leaf)
        is_wanted = not is_negated
        if op in NO_VALUE_IS:
            op, is_wanted = "any_of", not is_wanted
        if op in {"exists", "is_empty"}:
            if is_wanted is leaf.wants_some:
                tags.has_some = True
                return None
            return ~Q(Exists(self._tag_sets()))
        if op == "all_of" and is_wanted:
            tags.all_of.update(ids)
        elif op == "all_of" and len(ids) != 1:
            return ~Q(Exists(self._tag_sets().filter(tag_ids__contains=ids))) if ids else NOBODY
        elif not is_wanted:
            tags.none_of.update(ids)
        elif ids:
            tags.any_of.append(ids)
        else:
            return NOBODY
        return None

    def _tag_sets(self) -> CorpQuerySet[CustomerTagSet]:
        return CustomerTagSet.objects.for_corp(self.corp).filter(customer=OuterRef("pk"))


def _array_test(node: Node) -> Q | None:
    """A condition that only an array can fulfil, as a test of it; None for all others."""
    if not isinstance(node, Condition) or node.field != "tags" or not (ids := _ids_of(node)):
        return None
    if node.op == "all_of":
        return Q(tag_ids__contains=ids)
    return None if node.op in NO_VALUE_IS else Q(tag_ids__overlap=ids)


def _ids_of(leaf: Condition) -> list[int]:
    """The rows that the values name; none for operators without values."""
    return sorted({pk for name in leaf.values for pk in leaf.targets[name].ids})
