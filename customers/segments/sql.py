"""A rule as one condition on customers.

Every leaf is true or false, never NULL: under `none` an unknown would otherwise hide customers
whom nothing is known about, though of them, too, the rule says no.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import BooleanField, Exists, OuterRef, Q, Value

from customers.models import CustomerTagSet, Follow, FollowQuerySet
from customers.segments.attribute_sql import attribute_q
from customers.segments.fields import attribute_key
from customers.segments.nodes import Condition, Group, Moment, Node
from scrm.common.models import CorpQuerySet
from scrm.tenancy.models import Corp, Staff

EVERYBODY = Q(Value(True, output_field=BooleanField()))  # noqa: FBT003
NOBODY = Q(Value(False, output_field=BooleanField()))  # noqa: FBT003
_NO_VALUE_IS = frozenset({"ne", "not_in", "none_of"})


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
    """Turns the rule of a corp into a condition on customers as of `now`."""

    corp: Corp
    now: datetime

    def q(self, node: Node) -> Q:
        if isinstance(node, Group) and node.word == "any":
            return self._disjunction(node)
        tags = _TagTest()
        tests = [
            self._take_tags(leaf, tags, is_negated=is_negated)
            if isinstance(leaf, Condition) and leaf.field == "tags"
            else self._test(leaf, is_negated=is_negated)
            for leaf, is_negated in _parts(node, is_negated=False)
        ]
        needed = [test for test in [*tests, tags.as_q(self.corp)] if test is not None]
        return reduce(and_, needed) if needed else EVERYBODY

    def _disjunction(self, node: Group) -> Q:
        """One look at the array for all tests of tags that somebody may pass by carrying some."""
        arrays = [_array_test(child) for child in node.children]
        tests = [
            self.q(child)
            for child, array in zip(node.children, arrays, strict=True)
            if array is None
        ]
        if together := [array for array in arrays if array is not None]:
            tests.append(Q(Exists(self._tag_sets().filter(reduce(or_, together)))))
        return reduce(or_, tests) if tests else NOBODY

    def _test(self, leaf: Node, *, is_negated: bool) -> Q:
        q = self.q(leaf) if isinstance(leaf, Group) else self._condition(leaf)
        return ~q if is_negated else q

    def _take_tags(self, leaf: Condition, tags: _TagTest, *, is_negated: bool) -> Q | None:
        """Add the condition to the common look at the array; return what does not fit there."""
        op, ids = leaf.op, _ids_of(leaf)
        is_wanted = not is_negated
        if op in _NO_VALUE_IS:
            op, is_wanted = "any_of", not is_wanted
        if op in {"exists", "is_empty"}:
            if is_wanted is ((op == "exists") is leaf.value):
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

    def _condition(self, leaf: Condition) -> Q:
        match leaf.field:
            case "staff" | "department":
                return self._followers(leaf)
            case "stage":
                ids = _ids_of(leaf)
                # The second half makes NULL a no.
                return _choice(leaf, Q(stage__in=ids, stage__isnull=False) if ids else NOBODY)
            case "gender":
                values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
                return _choice(leaf, Q(gender__in=values) if values else NOBODY)
            case "added_at" | "last_interaction_at":
                return _time(leaf, now=self.now)
            case _:
                local = self.now.astimezone(self.corp.zone)
                return attribute_q(attribute_key(leaf.field), leaf.op, leaf.value, now=local)

    def _followers(self, leaf: Condition) -> Q:
        if leaf.op in {"exists", "is_empty"}:
            follows = self._live_follows()
            if leaf.field == "department":
                placed = Staff.objects.for_corp(self.corp).filter(departments__isnull=False)
                follows = follows.filter(staff__in=placed.values("pk"))
            return _some(Exists(follows), leaf)
        targets = [leaf.targets[name] for name in _values_of(leaf)]
        if leaf.op == "all_of":
            each = [self._followed_by(leaf.field, target.ids) for target in targets]
            return reduce(and_, each) if each else EVERYBODY
        any_of = self._followed_by(leaf.field, _ids_of(leaf)) if targets else NOBODY
        return ~any_of if leaf.op in _NO_VALUE_IS else any_of

    def _followed_by(self, field: str, ids: Sequence[int]) -> Q:
        if field == "staff":
            return Q(Exists(self._live_follows().filter(staff__in=ids)))
        staff = Staff.objects.for_corp(self.corp).in_departments(ids).values("pk")
        return Q(Exists(self._live_follows().filter(staff__in=staff)))

    def _live_follows(self) -> FollowQuerySet:
        return Follow.objects.for_corp(self.corp).live().filter(customer=OuterRef("pk"))


def _parts(node: Node, *, is_negated: bool) -> Iterator[tuple[Node, bool]]:
    """What has to hold together, each with whether its contrary is meant."""
    if isinstance(node, Group) and node.word == ("any" if is_negated else "all"):
        for child in node.children:
            yield from _parts(child, is_negated=is_negated)
    elif isinstance(node, Group) and node.word == "none" and not is_negated:
        for child in node.children:
            yield from _parts(child, is_negated=True)
    else:
        yield node, is_negated


def _array_test(node: Node) -> Q | None:
    """A condition that only an array can fulfil, as a test of it; None for all others."""
    if not isinstance(node, Condition) or node.field != "tags" or not (ids := _ids_of(node)):
        return None
    if node.op == "all_of":
        return Q(tag_ids__contains=ids)
    return None if node.op in _NO_VALUE_IS else Q(tag_ids__overlap=ids)


def _values_of(leaf: Condition) -> list[Any]:
    return leaf.value if isinstance(leaf.value, list) else [leaf.value]


def _ids_of(leaf: Condition) -> list[int]:
    """The rows that the values name; none for operators without values."""
    if leaf.op in {"exists", "is_empty"}:
        return []
    return sorted({pk for name in _values_of(leaf) for pk in leaf.targets[name].ids})


def _some(test: Exists | Q, leaf: Condition) -> Q:
    """Whether there is a value, as `exists` and `is_empty` ask with true or false."""
    return Q(test) if (leaf.op == "exists") is leaf.value else ~Q(test)


def _choice(leaf: Condition, chosen: Q) -> Q:
    """A field with one value out of a few, or with none."""
    if leaf.op in {"exists", "is_empty"}:
        return _some(~Q(gender=0) if leaf.field == "gender" else Q(stage__isnull=False), leaf)
    return ~chosen if leaf.op in _NO_VALUE_IS else chosen


def _time(leaf: Condition, *, now: datetime) -> Q:
    """A time that may be unknown; what is unknown is neither before nor after anything."""
    name, value = leaf.field, leaf.value
    known = Q(**{f"{name}__isnull": False})
    match leaf.op:
        case "exists" | "is_empty":
            return _some(known, leaf)
        case "within_days" | "not_within_days":
            # No upper end: the platform's clock may run a little ahead of ours.
            within = known & Q(**{f"{name}__gte": now - timedelta(days=value)})
            return within if leaf.op == "within_days" else ~within
        case "between":
            return known & _since(name, value[0]) & _until(name, value[1])
        case "eq" | "ne":
            same = known & _since(name, value) & _until(name, value)
            return ~same if leaf.op == "ne" else same
        case "gt" | "gte":
            return known & (_since(name, value) if leaf.op == "gte" else ~_until(name, value))
        case _:
            return known & (_until(name, value) if leaf.op == "lte" else ~_since(name, value))


def _since(name: str, moment: Moment) -> Q:
    return Q(**{f"{name}__gte": moment.start})


def _until(name: str, moment: Moment) -> Q:
    """Up to and with the moment, or the last instant of its day."""
    if moment.end is None:
        return Q(**{f"{name}__lte": moment.start})
    return Q(**{f"{name}__lt": moment.end})
