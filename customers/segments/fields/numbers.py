"""What is counted: orders, events, recency, frequency and money."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import BooleanField, Count, Exists, F, Func, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.models import BrandEvent, CustomerValue, EventType, Order, ValueClass
from customers.segments.fields.base import Facts, Field, Input, Scene, SetField, Test
from customers.segments.nodes import Condition
from customers.segments.values import CHOICE, FLAGS, ORDER, Refusal, Shape, read_amount, read_text
from customers.segments.words import NUMBER_WORDS
from scrm.common.models import CorpQuerySet
from scrm.tenancy.models import Corp, Scope

EVENTS, COUNT = "events.", ".count"
_COMPARISONS = {"eq": eq, "gt": gt, "gte": ge, "lt": lt, "lte": le}
_LOOKUPS = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}


def number_holds(actual: int | None, leaf: Condition, *, is_known: bool) -> bool:
    """Whether the test is true of a number; None is a number that nobody knows."""
    if leaf.op in FLAGS:
        return is_known is leaf.wants_some
    if leaf.op in {"ne", "not_in"}:
        return actual not in leaf.values
    if actual is None:
        return False
    if leaf.op == "in":
        return actual in leaf.values
    if leaf.op == "between":
        return bool(leaf.value[0] <= actual <= leaf.value[1])
    return bool(_COMPARISONS[leaf.op](actual, leaf.value))


def number_q(column: str, leaf: Condition) -> Q:
    """The test, except for the flags, of a column that is never NULL."""
    match leaf.op:
        case "eq" | "in":
            return Q(**{f"{column}__in": leaf.values})
        case "ne" | "not_in":
            return ~Q(**{f"{column}__in": leaf.values})
        case "between":
            low, high = leaf.value
            return Q(**{f"{column}__gte": low, f"{column}__lte": high})
        case _:
            return Q(**{f"{column}__{_LOOKUPS[leaf.op]}": leaf.value})


class NumberField(Field):
    ops: ClassVar[Mapping[str, Shape]] = {**CHOICE, **ORDER}
    input = Input.NUMBER
    op_words = NUMBER_WORDS
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}

    def read(self, value: Any, zone: ZoneInfo) -> int:
        return read_amount(value, zone)

    def item_in_words(self, leaf: Condition, item: Any) -> str:
        return in_yuan(item) if self.input == Input.MONEY else str(item)

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        actual = self.actual(leaf, facts)
        return _t("nothing") if actual is None else self.item_in_words(leaf, actual)

    def is_impossible(self, tests: Sequence[Test], *, now: datetime) -> bool:
        """Between two neighbouring values that are named all tests say the same."""
        # Counts with another window are other numbers.
        if len({leaf.within_days for leaf, _negated in tests}) > 1:
            return False
        tests = [test for test in tests if test[0].op in FLAGS or test[0].values]
        named = {value for leaf, _negated in tests for value in leaf.values}
        # None of these numbers is ever below 0.
        near = {max(0, value + step) for value in named | {0} for step in (-1, 0, 1)}
        candidates = [
            (None, False),
            *((value, is_known) for value in near for is_known in (True, False)),
        ]
        return not any(
            all(
                number_holds(value, leaf, is_known=is_known) is not negated
                for leaf, negated in tests
            )
            for value, is_known in candidates
        )


def in_yuan(fen: int) -> str:
    return f"¥{fen / 100:,.2f}"


class CountedField(NumberField):
    """A number made from the rows of a customer; who has none has 0 of it."""

    has_window = True

    @abstractmethod
    def rows(self, leaf: Condition, corp: Corp, now: datetime) -> QuerySet[Any]:
        """The rows that count, of all customers."""

    # How many (or how much) the rows of one customer are.
    number: Any

    def q(self, leaf: Condition, scene: Scene) -> Q:
        rows = self.rows(leaf, scene.corp, scene.now)
        if leaf.op in FLAGS:
            some = Q(_Among(rows.values("customer_id").distinct()))
            return some if leaf.wants_some else ~some
        counted = rows.order_by().values("customer_id").annotate(number=self.number)
        test = number_q("number", leaf)
        if number_holds(0, leaf, is_known=False):
            # Who has no row has 0 and is meant: look for those who are not.
            return ~Q(_Among(counted.filter(~test).values("customer_id")))
        return Q(_Among(counted.filter(test).values("customer_id")))

    def holds(self, leaf: Condition, facts: Facts) -> bool:
        count, number = self._counted(leaf, facts)
        return number_holds(number, leaf, is_known=count > 0)

    def actual(self, leaf: Condition, facts: Facts) -> Any:
        return self._counted(leaf, facts)[1]

    def name_in_words(self, leaf: Condition) -> str:
        name = self.bare_name(leaf)
        if leaf.within_days is None:
            return name
        words = {"field": name, "value": leaf.within_days}
        return _t("%(field)s within the last %(value)s days") % words

    def bare_name(self, leaf: Condition) -> str:
        return str(self.label)

    def _counted(self, leaf: Condition, facts: Facts) -> tuple[int, int]:
        key = (leaf.field, leaf.within_days)
        if key not in facts.cache:
            rows = self.rows(leaf, facts.customer.corp, facts.now)
            found = rows.filter(customer=facts.customer).aggregate(
                n=Count("pk"), number=self.number
            )
            facts.cache[key] = (found["n"], int(found["number"] or 0))
        counted: tuple[int, int] = facts.cache[key]
        return counted


class _Among(Func):
    """Whether the customer is one of those that a grouped query names.

    `EXISTS (… FROM (grouped) …)`: the planner makes a hash join of it, and of its contrary an
    anti-join. `NOT IN (grouped)` would be gone through anew for each customer once the list does
    not fit its memory, and a subquery for each customer asks a million times.
    """

    conditional = True
    output_field = BooleanField()

    def __init__(self, grouped: QuerySet[Any, Any]) -> None:
        super().__init__(F("pk"))
        self.grouped = grouped

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]
        sql, params = self.grouped.query.sql_with_params()
        column, column_params = compiler.compile(self.source_expressions[0])
        found = f"EXISTS (SELECT 1 FROM ({sql}) grouped WHERE grouped.customer_id = {column})"  # noqa: S608
        return found, (*params, *column_params)


class OrdersField(CountedField):
    """Orders that were paid once, whatever was given back since; amounts without what was."""

    def __init__(self, *, is_amount: bool) -> None:
        self.number = Sum(F("amount_fen") - F("refunded_fen")) if is_amount else Count("pk")
        self.input = Input.MONEY if is_amount else Input.NUMBER
        self.label = _("amount of orders") if is_amount else _("orders")
        self.note = "fen, without refunds" if is_amount else "paid orders"

    def rows(self, leaf: Condition, corp: Corp, now: datetime) -> QuerySet[Any]:
        rows = Order.objects.for_corp(corp).paid().filter(customer__isnull=False)
        if leaf.within_days is None:
            return rows
        return rows.filter(paid_at__gte=now - timedelta(days=leaf.within_days))


class EventsField(CountedField):
    """`events.<type>.count`: events of the brand's systems that were taken."""

    label = _("events")
    number = Count("pk")
    note = "events of one type"

    def rows(self, leaf: Condition, corp: Corp, now: datetime) -> QuerySet[Any]:
        rows = BrandEvent.objects.for_corp(corp).filter(
            customer__isnull=False, type=event_type(leaf.field), status=BrandEvent.Status.TAKEN
        )
        if leaf.within_days is None:
            return rows
        return rows.filter(occurred_at__gte=now - timedelta(days=leaf.within_days))

    def bare_name(self, leaf: Condition) -> str:
        return _t("events «%(type)s»") % {"type": event_type(leaf.field)}

    def keys(self, corp: Corp) -> list[str]:
        registered = EventType.objects.for_corp(corp).values_list("name", flat=True)
        newest = BrandEvent.objects.for_corp(corp).order_by("-received_at", "-pk")
        return sorted({*registered, *newest.values_list("type", flat=True)[:500]})


def event_type(name: str) -> str:
    return name.removeprefix(EVENTS).removesuffix(COUNT)


def _value_of(facts: Facts) -> CustomerValue | None:
    if "value" not in facts.cache:
        facts.cache["value"] = CustomerValue.objects.filter(customer=facts.customer).first()
    value: CustomerValue | None = facts.cache["value"]
    return value


def _values(scene: Scene) -> CorpQuerySet[CustomerValue]:
    return CustomerValue.objects.for_corp(scene.corp).filter(customer=OuterRef("pk"))


class RfmField(NumberField):
    """A number of last night's reckoning; who never bought has `without`."""

    def __init__(
        self, column: str, label: Any, *, without: int | None, note: str, is_money: bool = False
    ) -> None:
        self.column, self.without = column, without
        self.label, self.note = label, note
        self.input = Input.MONEY if is_money else Input.NUMBER

    def q(self, leaf: Condition, scene: Scene) -> Q:
        if leaf.op in FLAGS:
            known = Q(Exists(_values(scene)))
            return known if leaf.wants_some else ~known
        test = number_q(self.column, leaf)
        if number_holds(self.without, leaf, is_known=False):
            return ~Q(Exists(_values(scene).filter(~test)))
        return Q(Exists(_values(scene).filter(test)))

    def holds(self, leaf: Condition, facts: Facts) -> bool:
        is_known = _value_of(facts) is not None
        return number_holds(self.actual(leaf, facts), leaf, is_known=is_known)

    def actual(self, leaf: Condition, facts: Facts) -> Any:
        value = _value_of(facts)
        return getattr(value, self.column) if value else self.without


class ValueClassField(SetField):
    """The class of RFM; who never bought is `non_buyer`, which counts as empty."""

    label = _("value class")
    is_single = True
    item_schema: ClassVar[Mapping[str, Any]] = {"enum": list(ValueClass.values)}
    note = "class of the value; who never bought is non_buyer, which counts as empty"

    def read(self, value: Any, zone: ZoneInfo) -> str:
        text = read_text(value, zone)
        if text not in ValueClass.values:
            known = ", ".join(ValueClass.values)
            raise Refusal("invalid", _t("There are these classes: %(known)s.") % {"known": known})
        return text

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        value = _value_of(facts)
        held = value.value_class if value else str(ValueClass.NON_BUYER)
        return {held: held}

    def is_known(self, held: Any) -> bool:
        return bool(set(held) - {ValueClass.NON_BUYER})

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        if ValueClass.NON_BUYER in ids:
            return ~Q(Exists(_values(scene).exclude(value_class__in=ids)))
        return Q(Exists(_values(scene).filter(value_class__in=ids)))

    def some(self, scene: Scene) -> Q:
        return Q(Exists(_values(scene).exclude(value_class=ValueClass.NON_BUYER)))

    def item_in_words(self, leaf: Condition, item: Any) -> str:
        return str(ValueClass(item).label)

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        return str(ValueClass(self.actual(leaf, facts)).label)

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        return [{"value": value, "label": str(label)} for value, label in ValueClass.choices]

    def _candidates(self, tests: Sequence[Test]) -> list[set[Any]]:
        return [{value} for value in ValueClass.values]
