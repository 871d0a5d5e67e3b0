"""What a customer is: gender, stage, times, attributes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Exists,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.stages import DEFAULT_STAGES
from customers.models import Customer, Stage, TimelineEntry
from customers.segments.attribute_facts import attribute_holds
from customers.segments.attribute_sql import attribute_q
from customers.segments.fields.base import (
    Facts,
    Field,
    Input,
    Scene,
    SetField,
    Test,
)
from customers.segments.nodes import Condition, Moment, Target
from customers.segments.values import (
    CHOICE,
    DAYS,
    FLAGS,
    ORDER,
    Refusal,
    Shape,
    read_id,
    read_moment,
    read_scalar,
    read_text,
)
from customers.segments.words import TIME_WORDS
from scrm.tenancy.models import Corp, Scope

ATTRIBUTE = "attribute."
_LOOKED_AT = 5_000


class GenderField(SetField):
    label = _("gender")
    is_single = True
    item_schema: ClassVar[Mapping[str, Any]] = {"enum": [0, 1, 2]}
    note = "0 unknown, 1 male, 2 female; unknown counts as empty"

    def read(self, value: Any, zone: ZoneInfo) -> int:
        gender = read_id(value, zone)
        if gender not in {0, 1, 2}:
            raise Refusal("invalid", _t("A gender is 0 (unknown), 1 (male) or 2 (female)."))
        return gender

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        return {facts.customer.gender: facts.customer.gender}

    def is_known(self, held: Iterable[Any]) -> bool:
        return bool(set(held) - {0})

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        return Q(gender__in=ids)

    def some(self, scene: Scene) -> Q:
        return ~Q(gender=0)

    def item_in_words(self, leaf: Condition, item: Any) -> str:
        return str(Customer.Gender(item).label)

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        return facts.customer.get_gender_display()

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        return [{"value": int(one), "label": str(word)} for one, word in Customer.Gender.choices]

    def _candidates(self, tests: Sequence[Test]) -> list[set[Any]]:
        return [{0}, {1}, {2}]


class StageField(SetField):
    """The stage by its key; of the past as the timeline tells it."""

    label = _("stage")
    is_single = True
    names_rows = True
    knows_past = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    note = "the key of a stage"

    def read(self, value: Any, zone: ZoneInfo) -> str:
        return read_text(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        stages = Stage.objects.for_corp(corp).values_list("key", "pk", "name")
        found = {key: Target((pk,), name) for key, pk, name in stages}
        # A corp has the default stages from the first sync on; before it, nobody is in one.
        known = found or {key: Target((), name) for key, name in DEFAULT_STAGES.items()}
        return {key: target for key, target in known.items() if key in names}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        stage = facts.customer.stage
        return {stage.pk: stage.key} if stage else {}

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        if scene.as_of is None:
            # The second half makes NULL a no.
            return Q(stage__in=ids, stage__isnull=False)
        keys = Stage.objects.for_corp(scene.corp).filter(pk__in=ids).values_list("key", flat=True)
        was = In(_stage_as_of(scene.as_of), list(keys))
        return Q(Coalesce(was, Value(False), output_field=BooleanField()))  # noqa: FBT003

    def some(self, scene: Scene) -> Q:
        if scene.as_of is None:
            return Q(stage__isnull=False)
        known = Coalesce(_stage_as_of(scene.as_of), Value(""), output_field=CharField())
        return ~Q(In(known, [""]))

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        return facts.customer.stage.name if facts.customer.stage else _t("nothing")

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        stages = Stage.objects.for_corp(corp).order_by("order", "pk")
        return [{"value": stage.key, "label": stage.name} for stage in stages]


def _stage_as_of(at: datetime) -> Combinable:
    """The key of the stage at a moment, or NULL.

    What the last change until then led to; before the first change, what that one led away from;
    of somebody whose stage never changed, the stage of today.
    """
    changes = TimelineEntry.objects.filter(
        customer=OuterRef("pk"), type=TimelineEntry.Type.STAGE_CHANGED
    )
    before = changes.filter(at__lte=at).order_by("-at", "-pk")
    after = changes.filter(at__gt=at).order_by("at", "pk")
    return Case(
        When(
            Q(Exists(before)), then=Subquery(before.values(told=KeyTextTransform("to", "data"))[:1])
        ),
        When(
            Q(Exists(after)), then=Subquery(after.values(told=KeyTextTransform("from", "data"))[:1])
        ),
        default=Subquery(Stage.objects.filter(pk=OuterRef("stage_id")).values("key")[:1]),
        output_field=CharField(),
    )


class TimeField(Field):
    """A time that may be unknown; what is unknown is neither before nor after anything."""

    ops: ClassVar[Mapping[str, Shape]] = {
        "eq": Shape.ONE,
        "ne": Shape.ONE,
        **ORDER,
        **DAYS,
        **FLAGS,
    }
    input = Input.MOMENT
    op_words = TIME_WORDS
    item_schema: ClassVar[Mapping[str, Any]] = {
        "type": "string",
        "description": "ISO 8601; a date is the whole day.",
    }

    def __init__(self, column: str, label: Any) -> None:
        self.column = column
        self.label = label

    def read(self, value: Any, zone: ZoneInfo) -> Moment:
        return read_moment(value, zone)

    def q(self, leaf: Condition, scene: Scene) -> Q:
        name, value = self.column, leaf.value
        known = Q(**{f"{name}__isnull": False})
        match leaf.op:
            case "exists" | "is_empty":
                return known if leaf.wants_some else ~known
            case "within_days" | "not_within_days":
                # No upper end: the platform's clock may run a little ahead of ours.
                within = known & Q(**{f"{name}__gte": scene.now - timedelta(days=value)})
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

    def holds(self, leaf: Condition, facts: Facts) -> bool:
        return _time_holds(getattr(facts.customer, self.column), leaf, facts.now)

    def actual(self, leaf: Condition, facts: Facts) -> Any:
        at: datetime | None = getattr(facts.customer, self.column)
        return at.astimezone(facts.customer.corp.zone).isoformat() if at else None

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        at: datetime | None = getattr(facts.customer, self.column)
        if at is None:
            return _t("nothing")
        return at.astimezone(facts.customer.corp.zone).strftime("%Y-%m-%d %H:%M")

    def is_impossible(self, tests: Sequence[Test], *, now: datetime) -> bool:
        """Between two neighbouring edges all tests say the same: one look at each side is enough."""
        instant = timedelta(microseconds=1)
        edges: set[datetime] = set()
        for leaf, _negated in tests:
            if leaf.op in DAYS:
                edges.add(now - timedelta(days=leaf.value))
            elif leaf.op not in FLAGS:
                moments: list[Moment] = leaf.values
                edges |= {each.start for each in moments}
                edges |= {each.end for each in moments if each.end}
        candidates: list[datetime | None] = [None, now]
        for edge in edges:
            candidates += [edge - instant, edge, edge + instant]
        return not any(
            all(_time_holds(at, leaf, now) is not negated for leaf, negated in tests)
            for at in candidates
        )


def _since(name: str, moment: Moment) -> Q:
    return Q(**{f"{name}__gte": moment.start})


def _until(name: str, moment: Moment) -> Q:
    """Up to and with the moment, or the last instant of its day."""
    if moment.end is None:
        return Q(**{f"{name}__lte": moment.start})
    return Q(**{f"{name}__lt": moment.end})


def _time_holds(at: datetime | None, leaf: Condition, now: datetime) -> bool:
    match leaf.op:
        case "exists" | "is_empty":
            return (at is not None) is leaf.wants_some
        case "ne":
            return at is None or not leaf.value.is_at(at)
        case "not_within_days":
            return at is None or at < now - timedelta(days=leaf.value)
        case "within_days":
            return at is not None and at >= now - timedelta(days=leaf.value)
        case "between":
            low, high = leaf.value
            return at is not None and at >= low.start and not high.is_before(at)
        case _:
            return at is not None and _COMPARISONS[leaf.op](leaf.value, at)


_COMPARISONS: dict[str, Callable[[Moment, datetime], bool]] = {
    "eq": Moment.is_at,
    "gt": Moment.is_before,
    "gte": lambda moment, at: at >= moment.start,
    "lt": lambda moment, at: at < moment.start,
    "lte": lambda moment, at: not moment.is_before(at),
}


class AttributeField(Field):
    """`attribute.<key>`: one of the corp's own, a JSON value of any shape."""

    label = _("attribute")
    ops: ClassVar[Mapping[str, Shape]] = {**CHOICE, **ORDER, **DAYS, "contains": Shape.ONE}
    input = Input.SCALAR
    op_words = TIME_WORDS
    item_schema: ClassVar[Mapping[str, Any]] = {"type": ["string", "number", "boolean"]}

    def read(self, value: Any, zone: ZoneInfo) -> str | int | float | bool:
        return read_scalar(value, zone)

    def q(self, leaf: Condition, scene: Scene) -> Q:
        local = scene.now.astimezone(scene.corp.zone)
        return attribute_q(_key(leaf), leaf.op, leaf.value, now=local)

    def holds(self, leaf: Condition, facts: Facts) -> bool:
        local = facts.now.astimezone(facts.customer.corp.zone)
        return attribute_holds(self.actual(leaf, facts), leaf.op, leaf.value, now=local)

    def actual(self, leaf: Condition, facts: Facts) -> Any:
        return facts.customer.attributes.get(_key(leaf))

    def name_in_words(self, leaf: Condition) -> str:
        return f"«{_key(leaf)}»"

    def keys(self, corp: Corp) -> list[str]:
        newest = Customer.objects.for_corp(corp).order_by("-added_at", "-pk")[:_LOOKED_AT]
        rows = newest.values_list("attributes", flat=True)
        return sorted({key for attributes in rows for key in attributes})


def _key(leaf: Condition) -> str:
    return leaf.field.removeprefix(ATTRIBUTE)
