"""What binds a customer to others: tags, followers, the codes they came through."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy as _

from customers.models import (
    CustomerTagSet,
    Follow,
    FollowQuerySet,
    PastTagAssignment,
    Tag,
    TagAssignment,
    TimelineEntry,
)
from customers.segments.fields.base import NOBODY, Facts, Input, Scene, SetField
from customers.segments.nodes import Condition, Target
from customers.segments.values import SEVERAL, Shape, read_id, read_text
from scrm.common.models import CorpQuerySet
from scrm.tenancy.models import Corp, Department, Scope, Staff

_LOOKED_AT = 200


class TagsField(SetField):
    """Tags of all kinds, by our ids; of the past as assignments and their ends tell it."""

    label = _("tags")
    ops = SEVERAL
    names_rows = True
    knows_past = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}
    note = "ids of tags"

    def read(self, value: Any, zone: ZoneInfo) -> int:
        return read_id(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        tags = Tag.objects.for_corp(corp).current().filter(pk__in=storable(names, bits=31))
        return {pk: Target((pk,), name) for pk, name in tags.values_list("pk", "name")}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        if "tags" not in facts.cache:
            carried = CustomerTagSet.objects.filter(customer=facts.customer).first()
            facts.cache["tags"] = {tag_id: tag_id for tag_id in carried.tag_ids} if carried else {}
        held: dict[int, int] = facts.cache["tags"]
        return held

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        if "tag_names" not in facts.cache:
            tags = Tag.objects.filter(pk__in=self.held(leaf, facts)).order_by("pk")
            facts.cache["tag_names"] = [f"«{tag.name}»" for tag in tags]
        return ", ".join(facts.cache["tag_names"]) or str(_("nothing"))

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        if scene.as_of is None:
            return Q(Exists(self.sets(scene).filter(tag_ids__overlap=ids)))
        return self._carried(Q(tag__in=ids), scene, scene.as_of)

    def some(self, scene: Scene) -> Q:
        if scene.as_of is None:
            return Q(Exists(self.sets(scene)))
        return self._carried(Q(), scene, scene.as_of)

    def sets(self, scene: Scene) -> CorpQuerySet[CustomerTagSet]:
        """The customer's array of today."""
        return CustomerTagSet.objects.for_corp(scene.corp).filter(customer=OuterRef("pk"))

    def _carried(self, tags: Q, scene: Scene, at: datetime) -> Q:
        """A platform tag counts for as long as its follow lived."""
        hers = Q(customer=OuterRef("pk"), since__lte=at) & tags
        through = Follow.objects.filter(pk=OuterRef("follow_id")).filter(lived_at(at))
        counts = Q(follow__isnull=True) | Q(Exists(through))
        present = TagAssignment.objects.for_corp(scene.corp).filter(hers, counts)
        past = PastTagAssignment.objects.for_corp(scene.corp).filter(hers, counts, ended_at__gt=at)
        return Q(Exists(present)) | Q(Exists(past))


def lived_at(at: datetime) -> Q:
    """Follows that lived at a moment.

    The row tells of the last time that the two were friends. Who was, ended it and came back is
    found on the timeline: a beginning by then, and no end between it and the moment.
    """
    told = TimelineEntry.objects.annotate(userid=KeyTextTransform("staff", "data"))
    ended_since = told.filter(
        customer=OuterRef("customer_id"),
        type=TimelineEntry.Type.FOLLOW_ENDED,
        userid=OuterRef("userid"),
        at__gte=OuterRef("at"),
        at__lte=at,
    )
    earlier = told.filter(
        ~Exists(ended_since),
        customer=OuterRef("customer_id"),
        type=TimelineEntry.Type.FOLLOW_ADDED,
        userid=OuterRef("staff__userid"),
        at__lte=at,
    )
    lasting = Q(added_at__lte=at) & (Q(ended_at__isnull=True) | Q(ended_at__gt=at))
    return lasting | (Q(added_at__gt=at) & Q(Exists(earlier)))


def live_follows(scene: Scene) -> FollowQuerySet:
    """The customer's follows that live, or lived at the moment that is asked about."""
    follows = Follow.objects.for_corp(scene.corp).filter(customer=OuterRef("pk"))
    return follows.live() if scene.as_of is None else follows.filter(lived_at(scene.as_of))


class StaffField(SetField):
    label = _("followed by")
    ops = SEVERAL
    names_rows = True
    knows_past = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    note = "userids of those who follow"

    def read(self, value: Any, zone: ZoneInfo) -> str:
        return read_text(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        staff = Staff.objects.for_corp(corp).filter(userid__in=names)
        rows = staff.values_list("userid", "pk", "name")
        return {userid: Target((pk,), name or userid) for userid, pk, name in rows}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        return {pk: userid for pk, (userid, _name, _state) in _followers(facts).items()}

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        names = [f"«{name}»" for _userid, name, _state in _followers(facts).values()]
        return ", ".join(names) or str(_("nothing"))

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        return Q(Exists(live_follows(scene).filter(staff__in=ids)))

    def some(self, scene: Scene) -> Q:
        return Q(Exists(live_follows(scene)))


class DepartmentField(SetField):
    """Departments of the followers, each with all below it."""

    label = _("department")
    ops = SEVERAL
    names_rows = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}
    note = "platform ids of departments; each means all below it"

    def read(self, value: Any, zone: ZoneInfo) -> int:
        return read_id(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        departments = list(Department.objects.for_corp(corp).filter(deleted_at__isnull=True))
        below: dict[int, list[Department]] = defaultdict(list)
        for department in departments:
            below[department.parent_id_on_platform].append(department)
        return {
            department.department_id: Target(tuple(_subtree(department, below)), department.name)
            for department in departments
            if department.department_id in names
        }

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        if "departments" not in facts.cache:
            through = Staff.departments.through.objects.filter(staff__in=_followers(facts))
            rows = Department.objects.filter(pk__in=through.values("department_id"))
            facts.cache["departments"] = dict(rows.values_list("pk", "department_id"))
        held: dict[int, int] = facts.cache["departments"]
        return held

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        staff = Staff.objects.for_corp(scene.corp).in_departments(ids).values("pk")
        return Q(Exists(live_follows(scene).filter(staff__in=staff)))

    def some(self, scene: Scene) -> Q:
        placed = Staff.objects.for_corp(scene.corp).filter(departments__isnull=False)
        return Q(Exists(live_follows(scene).filter(staff__in=placed.values("pk"))))


def _subtree(department: Department, below: Mapping[int, list[Department]]) -> Iterator[int]:
    seen = {department.pk}
    waiting = [department]
    while waiting:
        node = waiting.pop()
        yield node.pk
        children = [child for child in below.get(node.department_id, ()) if child.pk not in seen]
        seen.update(child.pk for child in children)
        waiting.extend(children)


class CodeField(SetField):
    """The codes (`state`) of live follows, as texts: a code may have been deleted since."""

    label = _("live code")
    ops: ClassVar[Mapping[str, Shape]] = {**SEVERAL, "contains": Shape.ONE}
    input = Input.TEXT
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    note = "the state of a live follow: what the platform said of the code somebody came through"

    def read(self, value: Any, zone: ZoneInfo) -> str:
        return read_text(value, zone)

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        return {state: state for _id, _name, state in _followers(facts).values() if state}

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        named = [state for state in ids if state]
        return Q(Exists(live_follows(scene).filter(state__in=named))) if named else NOBODY

    def some(self, scene: Scene) -> Q:
        return Q(Exists(live_follows(scene).exclude(state="")))

    def q(self, leaf: Condition, scene: Scene) -> Q:
        if leaf.op != "contains":
            return super().q(leaf, scene)
        coded = live_follows(scene).exclude(state="")
        return Q(Exists(coded.filter(state__contains=leaf.value)))

    def _hold(self, held: set[Any], leaf: Condition) -> bool:
        if leaf.op != "contains":
            return super()._hold(held, leaf)
        return any(isinstance(state, str) and leaf.value in state for state in held)

    def is_impossible(self, tests: Any, *, now: datetime) -> bool:
        plain = [test for test in tests if test[0].op != "contains"]
        return super().is_impossible(plain, now=now)

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        states = Follow.objects.for_corp(corp).live().exclude(state="").order_by("-pk")
        newest = states.values_list("state", flat=True)[: 10 * _LOOKED_AT]
        return [{"value": state, "label": state} for state in sorted(set(newest))[:_LOOKED_AT]]


def _followers(facts: Facts) -> dict[int, tuple[str, str, str]]:
    """Who follows: row ids of staff, with userid, name and the code."""
    if "followers" not in facts.cache:
        follows = Follow.objects.live().filter(customer=facts.customer)
        rows = follows.values_list("staff_id", "staff__userid", "staff__name", "state")
        facts.cache["followers"] = {
            pk: (userid, name or userid, state) for pk, userid, name, state in rows
        }
    followers: dict[int, tuple[str, str, str]] = facts.cache["followers"]
    return followers


def storable(ids: set[Any], *, bits: int) -> list[int]:
    """The ids that fit the column: others name nothing."""
    return sorted(one for one in ids if 0 < one < 2**bits)
