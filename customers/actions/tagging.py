"""Who carries which tag: ours at once, the platform's by asking it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import models, transaction

from customers.actions.derived import lock_customers
from customers.actions.own_tags import Done, change_own_tags
from customers.actions.platform_tagging import ask_platform
from customers.actions.tag_changes import Change, Origin, read_change, read_rivals
from customers.actions.timeline import by_whom, source_of
from customers.models import Customer, CustomerQuerySet, Follow, Tag, TimelineEntry
from scrm.audit.actions.recording import Actor, record
from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class Tagged:
    """Tags of ours that were added and removed, and follows the platform was asked to change.

    `renewed` are those carried already whose end was set anew.
    """

    added: int = 0
    removed: int = 0
    asked: int = 0
    renewed: int = 0


@transaction.atomic
def tag_customers(  # noqa: PLR0913 (one change, spelled out)
    customers: CustomerQuerySet | Iterable[Customer],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    add: Sequence[Tag] = (),
    remove: Sequence[Tag] = (),
    until: datetime | None = None,
    source: TimelineEntry.Source | None = None,
    why: Mapping[str, Any] | None = None,
) -> Tagged:
    """Give tags to customers and take tags from them.

    Our own tags change at once, whatever the number of customers. For platform tags each live
    follow that needs it gets an operation, and our rows follow when the platform has accepted.
    Who is given one tag of an exclusive group loses the others. Tags given end at `until`, or when
    their `lasts_days` are over. Every change is noted on the timelines and in the past of the tags
    with `source` (who says so) and what `why` adds.
    """
    origin = Origin(source or source_of(actor), by_whom(actor) | dict(why or {}))
    change = read_change(add, remove, until=until, corp=corp, origin=origin, now=now)
    chosen = _chosen(customers, corp=corp)
    # What is looked at before it is changed has to stay as it is. Tags that are only given meet
    # constraints instead, and hundreds of thousands of customers are gone through once.
    if _looks_first(change) and not lock_customers(chosen):
        return Tagged()
    rivals = [tag for tag in read_rivals(change.add) if tag not in change.remove]
    change = replace(change, displaced=tuple(rivals))
    # The platform first, and counted first: `chosen` may itself ask for tags that change now.
    follows = Follow.objects.filter(customer__in=chosen.order_by().values("pk"))
    asked = ask_platform(follows, change.of(platform=True))
    ours = change_own_tags(chosen, own := change.of(platform=False))
    if ours.added or ours.removed or ours.renewed or asked:
        subject, count = _subject(chosen, ours if own else None, corp=corp)
        data = _told(add, remove, until) | {"customers": count, "asked": asked}
        record("customers.tagged", actor=actor, corp=corp, subject=subject, now=now, data=data)
    return Tagged(ours.added, ours.removed, asked, ours.renewed)


def _looks_first(change: Change) -> bool:
    is_exclusive = any(tag.is_exclusive for tag in change.add)
    return bool(change.remove) or is_exclusive or bool(change.of(platform=True))


def _subject(
    chosen: CustomerQuerySet, ours: Done | None, *, corp: Corp
) -> tuple[models.Model, int]:
    """What the audit entry is about: the sole customer, or the corp; and how many were meant."""
    count = ours.customers if ours else chosen.count()
    sole = Customer.objects.filter(pk=ours.first) if ours else chosen
    return (sole.get() if count == 1 else corp), count


def _told(add: Sequence[Tag], remove: Sequence[Tag], until: datetime | None) -> dict[str, Any]:
    data: dict[str, Any] = {"add": [tag.pk for tag in add], "remove": [tag.pk for tag in remove]}
    return data | ({"until": until.isoformat()} if until else {})


def _chosen(customers: CustomerQuerySet | Iterable[Customer], *, corp: Corp) -> CustomerQuerySet:
    if isinstance(customers, CustomerQuerySet):
        return customers.for_corp(corp)
    return Customer.objects.for_corp(corp).filter(pk__in=[customer.pk for customer in customers])
