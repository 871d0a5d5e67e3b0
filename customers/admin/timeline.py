"""The timeline on a customer's page: by day, with who and why, a part at a time."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.actions.timeline import Entry, Place, timeline_of
from customers.models import Customer, TimelineEntry
from scrm.tenancy.models import Scope

_LINES_A_PART = 30

# What a person may want to see alone: words, and the types behind them.
VIEWS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "": (_("everything"), ()),
    "friends": (_("friendship"), ("follow.added", "follow.ended", "handover.done")),
    "tags": (_("tags"), ("tag.added", "tag.removed")),
    "stages": (_("stages"), ("stage.changed",)),
    "groups": (_("group chats"), ("group.joined", "group.left")),
    "orders": (_("orders"), ("order.paid", "order.refunded")),
    "events": (_("events"), ("event.received",)),
    "messages": (_("messages"), ("campaign.delivered", "moment.posted", "sop.step")),
    "risk": (_("risk"), ("risk.incident",)),
    "notes": (_("notes"), ("note",)),
}
_LOOKS: dict[str, tuple[str, str]] = {
    "follow.added": ("person_add", "green"),
    "follow.ended": ("person_remove", "red"),
    "tag.added": ("sell", "blue"),
    "tag.removed": ("label_off", "grey"),
    "stage.changed": ("timeline", "teal"),
    "group.joined": ("group_add", "green"),
    "group.left": ("group_remove", "grey"),
    "order.paid": ("shopping_bag", "green"),
    "order.refunded": ("currency_exchange", "amber"),
    "event.received": ("bolt", "blue"),
    "campaign.delivered": ("campaign", "blue"),
    "sop.step": ("account_tree", "blue"),
    "handover.done": ("swap_horiz", "amber"),
    "risk.incident": ("gpp_maybe", "red"),
    "note": ("edit_note", "amber"),
}
_OF_SOURCE = {
    TimelineEntry.Source.EVENT: "",
    TimelineEntry.Source.SYSTEM: "",
}


@dataclass(frozen=True)
class Line:
    entry: Entry
    at: datetime
    icon: str
    tone: str
    note: str


@dataclass(frozen=True)
class Day:
    date: date
    lines: list[Line]


@dataclass(frozen=True)
class Part:
    """Some days of a timeline; `older` is the address of the following part."""

    days: list[Day]
    older: str
    is_first: bool


@dataclass(frozen=True)
class View:
    words: Any
    address: str
    is_chosen: bool


def part_of(
    customer: Customer, scope: Scope, *, view: str = "", before: Place | None = None
) -> Part:
    """One part of the timeline as the person may see it."""
    types = VIEWS.get(view, VIEWS[""])[1]
    page = timeline_of(customer, before=before, limit=_LINES_A_PART, types=types, scope=scope)
    lines = [_line(entry) for entry in page.entries]
    days = [Day(day, list(group)) for day, group in groupby(lines, key=lambda line: line.at.date())]
    older = _address(customer, view=view, before=_written(page.next)) if page.next else ""
    return Part(days, older, is_first=before is None)


def views_of(customer: Customer, chosen: str = "") -> list[View]:
    return [
        View(words, _address(customer, view=key), is_chosen=key == chosen)
        for key, (words, _types) in VIEWS.items()
    ]


def read_place(text: str) -> Place | None:
    """The place an address names; None for none, or for one that nobody has written."""
    at, _bar, rest = text.partition("|")
    name, _bar, pk = rest.partition("|")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    if moment.tzinfo is None or not pk.isdecimal() or len(pk) > 18:
        return None
    return Place(moment, name, int(pk))


def _written(place: Place) -> str:
    return f"{place.at.isoformat()}|{place.name}|{place.pk}"


def _address(customer: Customer, **parameters: str) -> str:
    page = reverse("admin:customers_customer_timeline", args=[customer.pk])
    given = urlencode({key: value for key, value in parameters.items() if value})
    return f"{page}?{given}" if given else page


def _line(entry: Entry) -> Line:
    icon, tone = _LOOKS.get(entry.type, ("circle", "grey"))
    note = entry.why or str(_OF_SOURCE.get(entry.source, entry.source.label))
    return Line(entry, timezone.localtime(entry.at), icon, tone, note)
