"""One customer from all sides."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from customers.admin.pieces import ADD_WAYS, chip, person, standing_of
from customers.models import Customer, Follow, Tag, TagAssignment
from scrm.common.badges import UNKNOWN, status_badge
from scrm.tenancy.models import Scope, Staff

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
class Portrait:
    customer: Customer
    person: SafeString
    standing: SafeString
    friends: list[Friend]
    tags: list[TagRow]
    chats: list[Any]
    attributes: list[tuple[str, Any]]


def portrait_of(customer: Customer, scope: Scope) -> Portrait:
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
        tags=_rows_of(assignments),
        chats=_chats_of(customer, scope),
        attributes=sorted(customer.attributes.items()),
    )


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


def _rows_of(assignments: list[TagAssignment]) -> list[TagRow]:
    """By group, each tag once however many follows carry it; ended follows do not count."""
    live = [each for each in assignments if each.follow_id is None or _is_live(each)]
    groups: dict[tuple[Any, str], dict[int, Tag]] = defaultdict(dict)
    for each in live:
        groups[each.tag.get_kind_display(), each.tag.group.name][each.tag_id] = each.tag
    return [
        TagRow(kind, group, [chip(tag) for tag in tags.values()])
        for (kind, group), tags in groups.items()
    ]


def _is_live(assignment: TagAssignment) -> bool:
    return assignment.follow is not None and assignment.follow.status == Follow.Status.LIVE


def _chats_of(customer: Customer, scope: Scope) -> list[Any]:
    # Memberships point down at customers from the app above; they are read by the reverse name.
    memberships = customer.memberships.filter(left_at__isnull=True)
    if not scope.everything and customer.corp_id not in scope.corp_ids:
        owners = Staff.objects.in_scope(scope).values("pk")
        memberships = memberships.filter(chat__owner__in=owners)
    return list(memberships.select_related("chat").order_by("-joined_at")[:50])
