"""The picture of a handover: how far it came, who gets how many, what was lost where."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Min, Q
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from customers.actions.handover.loads import Load
from customers.actions.handover.preflight import Preflight, preflight_plan
from customers.actions.handover.reasons import sentence_of
from customers.actions.handover.results import results_of
from customers.admin.handover_items import attach_chats
from customers.admin.handover_words import ITEM_TONES, LOSSES, PLAN_TONES, item_badge, why
from customers.models import HandoverItem, HandoverLeg, HandoverPlan
from scrm.channels.models import Operation
from scrm.common.badges import status_badge

S = HandoverItem.Status
_MOST_ROWS = 100
_LEVEL = 62


@dataclass(frozen=True)
class Step:
    """A column of the funnel; `height` is percent of what was planned."""

    name: str
    note: str
    count: int
    link: str
    shape: str
    shade: float


@dataclass(frozen=True)
class Loss:
    name: str
    tone: str
    count: int
    link: str


@dataclass(frozen=True)
class Row:
    item: HandoverItem
    badge: SafeString
    why: str


@dataclass(frozen=True)
class Taker:
    """A line of the matrix: what she has, what she gets, and how that ended so far."""

    load: Load
    before: float  # percent of the fullest
    added: float
    succeeded: int
    open: int
    link: str
    problem: str


@dataclass(frozen=True)
class Picture:
    plan: HandoverPlan
    badge: SafeString
    is_draft: bool
    is_running: bool
    customers: int
    groups: int
    groups_done: int
    steps: list[Step]
    losses: list[Loss]
    takers: list[Taker]
    rows: list[Row]
    more: int
    items_link: str
    # Of a draft: what would happen now.
    ready: int
    blocked: list[Loss]
    # Of what waits: when the platform hands over.
    first_takeover: datetime | None
    last_takeover: datetime | None
    next_look: datetime | None
    parked: list[str]


def picture_of(plan: HandoverPlan, *, now: datetime) -> Picture:
    """Everything the page of a plan shows; a constant number of queries for any size."""
    results = results_of(plan)
    checked = preflight_plan(plan, now=now)
    is_draft = plan.status == HandoverPlan.Status.DRAFT
    waiting = HandoverItem.objects.filter(plan=plan, status=S.WAITING)
    times = waiting.aggregate(first=Min("takeover_at"), last=Max("takeover_at"))
    legs = list(HandoverLeg.objects.filter(plan=plan))
    items = list(plan.items.with_page().select_related("corp").order_by("pk")[:_MOST_ROWS])
    attach_chats(items)
    total = plan.items.count()
    chats: dict[str, int] = results["chats"]
    is_open = plan.items.filter(status__in=HandoverItem.OPEN).exists()
    return Picture(
        plan=plan,
        badge=status_badge(plan, PLAN_TONES),
        is_draft=is_draft,
        is_running=not is_draft and is_open,
        customers=results["planned"],
        groups=sum(chats.values()),
        groups_done=chats.get(S.SUCCEEDED, 0),
        steps=_steps(plan, results),
        losses=_losses(plan, results, chats),
        takers=_takers(plan, checked, legs),
        rows=[Row(item, item_badge(item), why(item)) for item in items],
        more=max(total - len(items), 0),
        items_link=_items_link(plan),
        ready=checked.ready,
        blocked=[
            Loss(sentence_of(reason), "scrm-amber", count, "")
            for reason, count in checked.blocked.items()
        ]
        if is_draft
        else [],
        first_takeover=times["first"],
        last_takeover=times["last"],
        next_look=min((leg.next_poll_at for leg in legs if leg.next_poll_at), default=None),
        parked=_parked(plan),
    )


def _steps(plan: HandoverPlan, results: dict[str, Any]) -> list[Step]:
    taken_up = results["succeeded"] + results["rejected"] + results["waiting"]
    columns = [
        (_("planned"), _("Customers of this plan."), results["planned"], ""),
        (_("asked for"), _("WeCom was asked to hand them over."), results["asked"], ""),
        (_("taken up"), _("WeCom agreed; each is handed over after 24 hours."), taken_up, ""),
        (_("handed over"), _("The new colleague follows them."), results["succeeded"], S.SUCCEEDED),
    ]
    whole = max(results["planned"], 1)
    heights = [100 * count / whole for _name, _note, count, _status in columns]
    return [
        Step(
            name,
            note,
            count,
            _items_link(plan, status=status) if status else _items_link(plan),
            _shape(heights[n], heights[n + 1] if n < len(heights) - 1 else None),
            0.35 + 0.65 * (n + 1) / len(columns),
        )
        for n, (name, note, count, status) in enumerate(columns)
    ]


def _shape(height: float, following: float | None) -> str:
    top = 100 - height
    if following is None:
        return f"M0 {top:.2f} L{_LEVEL} {top:.2f} L{_LEVEL} 100 L0 100 Z"
    return f"M0 {top:.2f} L{_LEVEL} {top:.2f} L100 {100 - following:.2f} L100 100 L0 100 Z"


def _losses(plan: HandoverPlan, results: dict[str, Any], chats: dict[str, int]) -> list[Loss]:
    counts = {word: results[word] + chats.get(word, 0) for word in LOSSES}
    return [
        Loss(str(S(word).label), f"scrm-{ITEM_TONES[word]}", count, _items_link(plan, status=word))
        for word, count in counts.items()
        if count
    ]


def _takers(plan: HandoverPlan, checked: Preflight, legs: list[HandoverLeg]) -> list[Taker]:
    rows = plan.items.of_customers().order_by().values("to_staff")
    counted = {
        row["to_staff"]: row
        for row in rows.annotate(
            succeeded=Count("pk", filter=Q(status=S.SUCCEEDED)),
            still_open=Count("pk", filter=Q(status__in=HandoverItem.OPEN)),
        )
    }
    problems = {leg.to_staff_id: leg.problem for leg in legs}
    fullest = max((load.after for load in checked.loads), default=0) or 1
    takers = []
    for load in checked.loads:
        row = counted.get(load.staff_id, {"succeeded": 0, "still_open": 0})
        takers.append(
            Taker(
                load,
                before=100 * load.before / fullest,
                added=100 * (load.after - load.before) / fullest,
                succeeded=row["succeeded"],
                open=row["still_open"],
                link=_items_link(plan, to=load.staff_id),
                problem=problems.get(load.staff_id, ""),
            )
        )
    return takers


def _parked(plan: HandoverPlan) -> list[str]:
    """Requests that wait for somebody to correct a setting."""
    asked = plan.items.filter(status=S.ASKED).values("operation")
    parked = Operation.objects.filter(pk__in=asked, status=Operation.Status.PARKED)
    return sorted(set(parked.values_list("error", flat=True)))


def _items_link(plan: HandoverPlan, **query: Any) -> str:
    address = reverse("admin:customers_handoveritem_changelist")
    return f"{address}?{urlencode({'plan': plan.pk, **query})}"
