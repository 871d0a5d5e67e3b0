"""Who waits for a new colleague, with what is known of each and what keeps them waiting."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import DateTimeField, Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce

from customers.actions.handover import reasons
from customers.actions.handover.belongings import Belonging, chats_of
from customers.actions.handover.preflight import IN_SERVICE_WINDOW, LONGEST_GONE
from customers.models import Follow, FollowQuerySet, HandoverItem, HandoverKind, HandoverPlan
from scrm.tenancy.models import Corp, Staff


def waiting_follows(follows: FollowQuerySet, *, now: datetime) -> FollowQuerySet:
    """Those of `follows` that wait, with `waits_since` and what `obstacle_of` reads."""
    items = HandoverItem.objects.filter(customer=OuterRef("customer"), from_staff=OuterRef("staff"))
    open_plans = (HandoverPlan.Status.DRAFT, HandoverPlan.Status.EXECUTING)
    planned = items.filter(
        status=HandoverItem.Status.PLANNED, plan__status__in=open_plans
    ).order_by("-pk")
    at = Coalesce("takeover_at", "asked_at")
    spent = (
        HandoverItem.objects.filter(
            customer=OuterRef("customer"),
            kind=HandoverKind.IN_SERVICE,
            status__in=[*HandoverItem.UNDER_WAY, HandoverItem.Status.SUCCEEDED],
        )
        .annotate(at=at)
        .filter(at__gt=now - IN_SERVICE_WINDOW)
        .order_by("-at")
        .values("at")
    )
    return follows.waiting().annotate(
        waits_since=Coalesce(
            "staff__left_at", "staff__leaving_since", output_field=DateTimeField()
        ),
        is_under_way=Exists(items.under_way()),
        planned_in=Subquery(planned.values("plan")[:1]),
        second_last=Subquery(spent[1:2], output_field=DateTimeField()),
    )


def obstacle_of(follow: Follow, *, now: datetime) -> str:
    """Why a waiting relation cannot be handed over now; empty when it can."""
    giver = follow.staff
    if getattr(follow, "is_under_way", False):
        return reasons.IN_TRANSFER
    if giver.status == Staff.Status.LEFT:
        is_too_late = giver.left_at is not None and giver.left_at < now - LONGEST_GONE
        return reasons.LEFT_TOO_LONG_AGO if is_too_late else ""
    return reasons.IN_SERVICE_LIMIT if getattr(follow, "second_last", None) else ""


def waiting_chats(givers: Iterable[Staff], *, corp: Corp) -> list[Belonging]:
    """The chats of these leavers that are not on their way to somebody."""
    owned = chats_of([giver.pk for giver in givers], corp=corp)
    under_way = HandoverItem.objects.for_corp(corp).under_way().of_chats()
    moving = set(under_way.values_list("chat_id", flat=True))
    return [chat for chat in owned if chat.chat_id not in moving]


def leavers_of(corp: Corp) -> list[Staff]:
    """Who has left or is leaving, the latest first."""
    waiting = Staff.objects.for_corp(corp).leavers()
    return list(waiting.order_by("-left_at", "-leaving_since", "pk"))
