"""People, tags and follows as small pieces of a page, fetched for a whole page at once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from customers.models import Customer, CustomerTagSet, Follow, Tag
from scrm.common.badges import UNKNOWN, badge, listed
from scrm.tenancy.models import Staff

_MOST_CHIPS = 3
_MOST_NAMES = 2

# How somebody came to be a customer: `add_way` of the platform [doc 92114].
ADD_WAYS: dict[int, Any] = {
    1: _l("scanned a QR code"),
    2: _l("found by phone number"),
    3: _l("sent as a card"),
    4: _l("from a group chat"),
    5: _l("from the phone's address book"),
    6: _l("from WeChat contacts"),
    8: _l("added by a customer service app"),
    9: _l("found by e-mail"),
    10: _l("from Channels"),
    11: _l("from a calendar"),
    12: _l("from a meeting"),
    13: _l("WeCom of a WeChat friend"),
    14: _l("through a device"),
    15: _l("door-to-door service"),
    16: _l("acquisition link"),
    17: _l("custom development"),
    18: _l("answer to a demand"),
    21: _l("third-party presales"),
    22: _l("possible business partner"),
    24: _l("asked by the customer"),
    201: _l("shared by a colleague"),
    202: _l("assigned by an administrator"),
}


def person(name: str, note: object = "", *, seed: str = "", is_big: bool = False) -> SafeString:
    """The initial on a colour that stays the same for the same person; no picture from outside."""
    return format_html(
        '<span class="scrm-person"><span class="scrm-avatar{}" style="--hue:{}">{}</span>'
        "<span><b>{}</b>{}</span></span>",
        " big" if is_big else "",
        crc32((seed or name).encode()) % 360,
        initial_of(name),
        name,
        format_html("<small>{}</small>", note) if note else "",
    )


def initial_of(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum()), "·")


def chip(tag: Tag) -> SafeString:
    return format_html(
        '<span class="scrm-chip scrm-chip-{}" title="{} · {}">{}</span>',
        tag.kind, tag.get_kind_display(), tag.group.name, tag.name,
    )  # fmt: skip


def chips(tags: Sequence[Tag], *, most: int = _MOST_CHIPS) -> SafeString | str:
    if not tags:
        return UNKNOWN
    shown = format_html_join("", "{}", ((chip(tag),) for tag in tags[:most]))
    rest = tags[most:]
    more: SafeString | str = ""
    if rest:
        names = listed(tag.name for tag in rest)
        more = format_html(
            '<span class="scrm-chip scrm-chip-more" title="{}">+{}</span>', names, len(rest)
        )
    return format_html('<span class="scrm-chips">{}{}</span>', shown, more)


def names_of(people: Sequence[str]) -> str:
    """Two names and how many more."""
    if not people:
        return UNKNOWN
    text = listed(people[:_MOST_NAMES])
    more = len(people) - _MOST_NAMES
    return _("%(names)s and %(count)d more") % {"names": text, "count": more} if more > 0 else text


def attach_tags(customers: Iterable[Customer]) -> None:
    """Set `shown_tags` on each: two queries for any number of customers."""
    by_id = {customer.pk: customer for customer in customers}
    sets = dict(CustomerTagSet.objects.filter(pk__in=by_id).values_list("pk", "tag_ids"))
    wanted = {tag_id for tag_ids in sets.values() for tag_id in tag_ids}
    tags = {tag.pk: tag for tag in Tag.objects.filter(pk__in=wanted).select_related("group")}
    for pk, customer in by_id.items():
        found = [tags[tag_id] for tag_id in sets.get(pk, ()) if tag_id in tags]
        customer.shown_tags = sorted(found, key=_tag_order)  # type: ignore[attr-defined]


def attach_followers(customers: Iterable[Customer]) -> None:
    """Set `followers` on each, the names of those who follow now, and `is_waiting`: one query."""
    by_id = {customer.pk: customer for customer in customers}
    followers: dict[int, list[str]] = defaultdict(list)
    kept: set[int] = set()
    live = Follow.objects.live().filter(customer__in=by_id).order_by("-is_owner", "added_at", "pk")
    rows = live.values_list("customer_id", "staff__name", "staff__status", "staff__leaving_since")
    for customer_id, name, status, leaving_since in rows:
        followers[customer_id].append(name)
        if status != Staff.Status.LEFT and leaving_since is None:
            kept.add(customer_id)
    for pk, customer in by_id.items():
        customer.followers = followers[pk]  # type: ignore[attr-defined]
        # Everybody who follows has left or is leaving: somebody has to take over.
        customer.is_waiting = bool(followers[pk]) and pk not in kept  # type: ignore[attr-defined]


def _tag_order(tag: Tag) -> tuple[int, int, int]:
    # Platform tags first: they are what staff see in the chat.
    return (("wecom", "system", "auto").index(tag.kind), tag.group_id, tag.pk)


def standing_of(customer: Customer) -> SafeString:
    if customer.is_blocked:
        return badge(_("never write to"), "red")
    if getattr(customer, "is_waiting", False):
        return badge(_("waits for a new member of staff"), "amber")
    return badge(_("friend"), "green") if customer.live_follows else badge(_("lost"), "grey")
