"""Saved segments within a rule, and lists of customers."""

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from customers.models import Segment, SegmentMember
from customers.segments.fields.base import EVERYBODY, NO_VALUE_IS, NOBODY, Facts, Scene, SetField
from customers.segments.fields.relations import storable
from customers.segments.nodes import Condition, Target
from customers.segments.values import ONE_OF, SEVERAL, Shape, read_id
from scrm.tenancy.models import Corp, Scope

_MOST_CHOICES = 500


class SegmentField(SetField):
    """Who is in other saved segments, as their rules stand now; a list is one of them, too."""

    label = _("segment")
    ops: ClassVar[Mapping[str, Shape]] = {
        op: shape for op, shape in SEVERAL.items() if op in {*ONE_OF, "any_of", "all_of", "none_of"}
    }
    names_rows = True
    # As far as what the segments ask for does (customers/segments/past.py).
    knows_past = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}
    note = "ids of saved segments and lists"

    def read(self, value: Any, zone: ZoneInfo) -> int:
        return read_id(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        segments = Segment.objects.for_corp(corp).filter(pk__in=storable(names, bits=63))
        rows = segments.values_list("pk", "name", "rule")
        return {pk: Target((pk,), name, rule=rule) for pk, name, rule in rows}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        """Of the segments that are named those she is in."""
        is_live = facts.customer.live_follows > 0
        named = {leaf.targets[value].ids[0]: leaf.targets[value].node for value in leaf.values}
        return {pk: pk for pk, node in named.items() if node and is_live and facts.means(node)}

    def q(self, leaf: Condition, scene: Scene) -> Q:
        tests = [_members(leaf.targets[value], scene) for value in leaf.values]
        if leaf.op == "all_of":
            return reduce(and_, tests, EVERYBODY)
        any_of = reduce(or_, tests) if tests else NOBODY
        return ~any_of if leaf.op in NO_VALUE_IS else any_of

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        raise NotImplementedError("Segments are asked by their rules.")

    def some(self, scene: Scene) -> Q:
        raise NotImplementedError("There is no operator for it.")

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        held = self.held(leaf, facts)
        names = [f"«{leaf.targets[pk].name}»" for pk in held]
        return ", ".join(names) or str(_("in none of them"))

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        rows = Segment.objects.for_corp(corp).order_by("name").values_list("pk", "name")
        return [{"value": pk, "label": name} for pk, name in rows[:_MOST_CHOICES]]


def _members(target: Target, scene: Scene) -> Q:
    if target.node is None:
        raise ValueError("The segment has not been read.")
    rule = scene.q(target.node)
    # Of the past the rule around it says so.
    return rule if scene.as_of else Q(live_follows__gt=0) & rule


class ListField(SetField):
    """Who was put on a list by hand; the rule of a list names the list itself."""

    label = _("list")
    ops = ONE_OF
    names_rows = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}
    note = "ids of segments of the kind list"

    def read(self, value: Any, zone: ZoneInfo) -> int:
        return read_id(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        lists = Segment.objects.for_corp(corp).filter(kind=Segment.Kind.LIST)
        rows = lists.filter(pk__in=storable(names, bits=63)).values_list("pk", "name")
        return {pk: Target((pk,), name) for pk, name in rows}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        if "lists" not in facts.cache:
            rows = SegmentMember.objects.filter(customer=facts.customer)
            facts.cache["lists"] = {pk: pk for pk in rows.values_list("segment_id", flat=True)}
        held: dict[int, int] = facts.cache["lists"]
        return held

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        members = SegmentMember.objects.for_corp(scene.corp).filter(customer=OuterRef("pk"))
        return Q(Exists(members.filter(segment__in=ids)))

    def some(self, scene: Scene) -> Q:
        raise NotImplementedError("There is no operator for it.")

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        held = self.held(leaf, facts)
        names = [f"«{leaf.targets[pk].name}»" for pk in leaf.values if pk in held]
        return ", ".join(names) or str(_("on none of them"))

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        lists = Segment.objects.for_corp(corp).filter(kind=Segment.Kind.LIST).order_by("name")
        rows = lists.values_list("pk", "name")[:_MOST_CHOICES]
        return [{"value": pk, "label": name} for pk, name in rows]
