"""One customer from all sides."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.actions.timeline import Entry, timeline_of
from customers.admin.pieces import ADD_WAYS, attach_followers, chip, person, standing_of
from customers.admin.timeline import Part, View, part_of, views_of
from customers.models import Customer, Follow, Stage, TagAssignment, TimelineEntry
from scrm.common.badges import UNKNOWN, status_badge
from scrm.tenancy.models import Scope, Staff

_MOST_GIVEN = 500

FOLLOW_TONES = {
    "live": "green",
    "deleted_by_customer": "red",
    "deleted_by_staff": "amber",
    "transferred": "blue",
    "gone": "grey",
}


@dataclass(frozen=True)
class Friend:
    """One member of staff and what binds them to the customer."""

    follow: Follow
    badge: SafeString
    channel: str
    chips: list[SafeString]


@dataclass(frozen=True)
class TagRow:
    kind: Any
    group: str
    chips: list[SafeString]


@dataclass(frozen=True)
class Board:
    """The stages, why the customer stands where she does, and until when rules leave it so."""

    stages: list[Stage]
    last: Entry | None
    held_until: datetime | None


@dataclass(frozen=True)
class Portrait:
    customer: Customer
    person: SafeString
    standing: SafeString
    friends: list[Friend]
    tags: list[TagRow]
    chats: list[Any]
    attributes: list[tuple[str, Any]]
    board: Board
    views: list[View]
    timeline: Part
    may_note: bool


def portrait_of(
    customer: Customer, scope: Scope, *, now: datetime, may_note: bool = False
) -> Portrait:
    attach_followers([customer])
    assignments = list(
        TagAssignment.objects.filter(customer=customer, tag__deleted_at=None)
        .select_related("tag__group", "follow")
        .order_by("tag__kind", "tag__group_id", "tag_id")
    )
    return Portrait(
        customer=customer,
        person=person(str(customer), customer.company, seed=customer.external_userid, is_big=True),
        standing=standing_of(customer),
        friends=_friends_of(customer, assignments, scope),
        tags=_rows_of(assignments, _givers_of(customer)),
        chats=_chats_of(customer, scope),
        attributes=sorted(customer.attributes.items()),
        board=_board_of(customer, now=now),
        views=views_of(customer),
        timeline=part_of(customer, scope),
        may_note=may_note,
    )


def _board_of(customer: Customer, *, now: datetime) -> Board:
    held = customer.stage_held_until
    stages = Stage.objects.for_corp(customer.corp).order_by("order", "pk")
    last = timeline_of(customer, limit=1, types=["stage.changed"]).entries
    return Board(list(stages), last[0] if last else None, held if held and held > now else None)


def _givers_of(customer: Customer) -> dict[int, str]:
    """Who gave each tag last, in a word, as far as the timeline tells."""
    given = TimelineEntry.objects.filter(customer=customer, type=TimelineEntry.Type.TAG_ADDED)
    latest = given.order_by("-at", "-pk").values_list("data__tag", "source")[:_MOST_GIVEN]
    words = dict(TimelineEntry.Source.choices)
    return {tag_id: str(words[source]) for tag_id, source in reversed(latest)}


def _friends_of(customer: Customer, assignments: list[TagAssignment], scope: Scope) -> list[Friend]:
    tags: dict[int | None, list[SafeString]] = defaultdict(list)
    for assignment in assignments:
        tags[assignment.follow_id].append(chip(assignment.tag))
    visible = Staff.objects.in_scope(scope).values("pk")
    follows = customer.follows.filter(staff__in=visible).select_related("staff")
    ordered = sorted(follows, key=lambda each: (each.status != "live", each.added_at))
    return [
        Friend(each, status_badge(each, FOLLOW_TONES), _channel_of(each), tags[each.pk])
        for each in ordered
    ]


def _channel_of(follow: Follow) -> str:
    way = ADD_WAYS.get(follow.add_way)
    parts = [str(way) if way else "", follow.state]
    return " · ".join(part for part in parts if part) or UNKNOWN


def _rows_of(assignments: list[TagAssignment], givers: dict[int, str]) -> list[TagRow]:
    """By group, each tag once however many follows carry it; ended follows do not count."""
    live = [each for each in assignments if each.follow_id is None or _is_live(each)]
    groups: dict[tuple[Any, str], dict[int, TagAssignment]] = defaultdict(dict)
    for each in sorted(live, key=lambda each: each.since, reverse=True):
        groups[each.tag.get_kind_display(), each.tag.group.name][each.tag_id] = each
    return [
        TagRow(kind, group, [_dated(each, givers) for each in earliest.values()])
        for (kind, group), earliest in groups.items()
    ]


def _dated(assignment: TagAssignment, givers: dict[int, str]) -> SafeString:
    since = date_format(timezone.localtime(assignment.since), "Y-m-d")
    note = " · ".join(filter(None, [since, givers.get(assignment.tag_id, "")]))
    return format_html(
        '<span>{} <small class="scrm-faint">{}</small></span>', chip(assignment.tag), note
    )


def _is_live(assignment: TagAssignment) -> bool:
    return assignment.follow is not None and assignment.follow.status == Follow.Status.LIVE


def _chats_of(customer: Customer, scope: Scope) -> list[Any]:
    # Memberships point down at customers from the app above; they are read by the reverse name.
    memberships = customer.memberships.filter(left_at__isnull=True)
    if not scope.everything and customer.corp_id not in scope.corp_ids:
        owners = Staff.objects.in_scope(scope).values("pk")
        memberships = memberships.filter(chat__owner__in=owners)
    return list(memberships.select_related("chat").order_by("-joined_at")[:50])
