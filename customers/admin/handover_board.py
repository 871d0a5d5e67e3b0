"""Who has left or is leaving, with what still waits: the cards above the list of customers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from customers.actions.handover.waiting import waiting_chats
from customers.models import Follow, HandoverItem
from scrm.tenancy.models import Corp, Scope, Staff

_MOST_CARDS = 60


@dataclass(frozen=True)
class Card:
    """One leaver: customers and groups that wait, and customers on their way."""

    staff: Staff
    waiting: int
    on_the_way: int
    chats: int

    @property
    def has_left(self) -> bool:
        return self.staff.status == Staff.Status.LEFT

    @property
    def since(self) -> datetime | None:
        return self.staff.left_at if self.has_left else self.staff.leaving_since

    @property
    def is_safe_to_delete(self) -> bool:
        """Nothing is left to lose with the account."""
        return not self.has_left and not (self.waiting or self.on_the_way or self.chats)


def board_of(scope: Scope, corps: Iterable[Corp]) -> list[Card]:
    """A card per leaver who still has something, or who can go; three queries and the chats."""
    leavers: QuerySet[Staff] = Staff.objects.in_scope(scope).leavers()
    found = {staff.pk: staff for staff in leavers.select_related("corp")}
    waiting = _counted(found)
    on_the_way = _on_the_way(found)
    chats = Counter(
        chat.staff_id
        for corp in corps
        if (theirs := [staff for staff in found.values() if staff.corp_id == corp.pk])
        for chat in waiting_chats(theirs, corp=corp)
    )
    cards = [
        Card(staff, waiting[pk] - on_the_way[pk], on_the_way[pk], chats[pk])
        for pk, staff in found.items()
        if waiting[pk] or chats[pk] or staff.status != Staff.Status.LEFT
    ]
    cards.sort(key=lambda card: (-(card.waiting + card.chats), card.staff.pk))
    return cards[:_MOST_CARDS]


def _counted(staff: Iterable[int]) -> Counter[int]:
    rows = Follow.objects.live().filter(staff__in=list(staff)).order_by().values_list("staff")
    return Counter(dict(rows.annotate(Count("pk"))))


def _on_the_way(staff: Iterable[int]) -> Counter[int]:
    items = HandoverItem.objects.under_way().filter(
        Q(customer__isnull=False), from_staff__in=list(staff)
    )
    return Counter(dict(items.order_by().values_list("from_staff").annotate(Count("pk"))))
