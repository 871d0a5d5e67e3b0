"""What happened to a customer: noting facts, and telling them with those that others keep."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from customers.actions.timeline_words import Names, find_names, tell_entry
from customers.models import Customer, TimelineEntry
from scrm.audit.actions.recording import Actor
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Scope, Staff

_ROWS_A_STATEMENT = 1000
_OWN = "fact"

# What the API promises (exact meanings 13); some are told by parts of the product still to come.
TYPES = (
    "follow.added", "follow.ended", "tag.added", "tag.removed", "stage.changed", "group.joined",
    "group.left", "order.paid", "order.refunded", "event.received", "campaign.delivered",
    "moment.posted", "sop.step", "handover.done", "risk.incident", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One fact of one customer; `at` on the platform's clock, where it tells."""

    customer_id: int
    type: TimelineEntry.Type
    at: datetime
    source: TimelineEntry.Source
    data: dict[str, Any] = field(default_factory=dict)


def note_facts(facts: Iterable[Fact], *, corp: Corp, now: datetime) -> int:
    """Note facts, in the transaction that makes them true."""
    rows = [
        TimelineEntry(
            corp=corp,
            customer_id=fact.customer_id,
            type=fact.type,
            at=fact.at,
            source=fact.source,
            data=fact.data,
            recorded_at=now,
            is_fresh=fact.type in TimelineEntry.TRIGGERS,
        )
        for fact in facts
    ]
    TimelineEntry.objects.bulk_create(rows, batch_size=_ROWS_A_STATEMENT)
    return len(rows)


def source_of(actor: Actor) -> TimelineEntry.Source:
    """Who says so, when it is said by whoever acts."""
    return {
        AuditEntry.ActorKind.USER: TimelineEntry.Source.PERSON,
        AuditEntry.ActorKind.API_KEY: TimelineEntry.Source.API,
        AuditEntry.ActorKind.SYSTEM: TimelineEntry.Source.SYSTEM,
    }[actor.kind]


def by_whom(actor: Actor) -> dict[str, str]:
    """Whose name a fact carries: that of a person or a key, not of the machinery."""
    return {} if actor.kind == AuditEntry.ActorKind.SYSTEM else {"by": actor.name}


@dataclass(frozen=True)
class Told:
    """A fact in words of the active language, with the ids behind them; `why` for people only."""

    title: str
    data: dict[str, Any]
    source: TimelineEntry.Source = TimelineEntry.Source.SYSTEM
    why: str = ""


@dataclass(frozen=True)
class FactSource:
    """Facts of one type that other rows tell.

    `rows(customer, scope)` are those of one customer, in no order; `scope` is that of the person
    who reads, or None. `at` names the column, never null, that says when it happened.
    """

    type: str
    rows: Callable[[Customer, Scope | None], QuerySet[Any]]
    at: str
    tell: Callable[[Any], Told]


_sources: dict[str, FactSource] = {}


def register_source(source: FactSource) -> None:
    """Tell facts of one type from rows of another app; called once, when the app is ready."""
    _sources[source.type] = source


@dataclass(frozen=True, order=True)
class Place:
    """Where an entry stands: newest first, and in one order within the same moment."""

    at: datetime
    name: str
    pk: int


@dataclass(frozen=True)
class Entry:
    """One line of a timeline."""

    place: Place
    type: str
    title: str
    data: dict[str, Any]
    source: TimelineEntry.Source
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.place.name}-{self.place.pk}"

    @property
    def at(self) -> datetime:
        return self.place.at


@dataclass(frozen=True)
class Page:
    """Some entries, newest first; `next` is where the following page begins, None at the end."""

    entries: list[Entry]
    next: Place | None


@dataclass(frozen=True)
class _Found:
    place: Place
    row: Any
    source: FactSource | None


def timeline_of(
    customer: Customer,
    *,
    before: Place | None = None,
    limit: int = 50,
    types: Collection[str] = (),
    scope: Scope | None = None,
) -> Page:
    """A page of a customer's timeline; as many queries for a long life as for a short one.

    `scope` leaves out what concerns staff whom the reader may not see.
    """
    own = _own_rows(customer, types=types, scope=scope)
    found = [
        _Found(Place(row.at, _OWN, row.pk), row, None)
        for row in _window(own, "at", _OWN, before, limit)
    ]
    for source in _sources.values():
        if not types or source.type in types:
            rows = source.rows(customer, scope)
            found += [
                _Found(Place(attrgetter(source.at)(row), source.type, row.pk), row, source)
                for row in _window(rows, source.at, source.type, before, limit)
            ]
    found.sort(key=attrgetter("place"), reverse=True)
    shown = found[:limit]
    names = find_names([each.row for each in shown if each.source is None], corp=customer.corp)
    following = shown[-1].place if len(found) > limit else None
    return Page([_entry(each, names) for each in shown], following)


def entry_of(row: TimelineEntry) -> Entry:
    """A single fact of ours, told."""
    names = find_names([row], corp=row.corp)
    return _entry(_Found(Place(row.at, _OWN, row.pk), row, None), names)


def _own_rows(
    customer: Customer, *, types: Collection[str], scope: Scope | None
) -> QuerySet[TimelineEntry]:
    rows = TimelineEntry.objects.filter(customer=customer)
    if types:
        rows = rows.filter(type__in=list(types))
    if scope is None or scope.everything or customer.corp_id in scope.corp_ids:
        return rows
    visible = Staff.objects.in_scope(scope).filter(corp=customer.corp_id).values("userid")
    of_staff = rows.annotate(of_staff=KeyTextTransform("staff", "data"))
    return of_staff.filter(Q(of_staff__isnull=True) | Q(of_staff__in=visible))


def _window(
    rows: QuerySet[Any], at: str, name: str, before: Place | None, limit: int
) -> Sequence[Any]:
    """The newest rows behind a place, and one more to know whether there are further ones."""
    if before is not None:
        earlier = Q(**{f"{at}__lt": before.at})
        if name < before.name:
            earlier |= Q(**{at: before.at})
        elif name == before.name:
            earlier |= Q(**{at: before.at, "pk__lt": before.pk})
        # Said again by itself, because an index is not searched by an OR.
        rows = rows.filter(earlier, **{f"{at}__lte": before.at})
    return list(rows.order_by(f"-{at}", "-pk")[: limit + 1])


def _entry(found: _Found, names: Names) -> Entry:
    if found.source is None:
        row: TimelineEntry = found.row
        title, why = tell_entry(row, names)
        source = TimelineEntry.Source(row.source)
        return Entry(found.place, row.type, title, row.data, source, why)
    told = found.source.tell(found.row)
    return Entry(found.place, found.source.type, told.title, told.data, told.source, told.why)
