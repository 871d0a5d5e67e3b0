"""What became of a handover: the platform's results taken down, and told in figures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Max, Q

from customers.actions.follows import end_follows
from customers.actions.handover import reasons
from customers.actions.handover.settling import Change, lock_plan, update_progress, write_changes
from customers.actions.handover.taken_over import take_over
from customers.models import Follow, HandoverItem, HandoverLeg, HandoverPlan
from scrm.channels.base import TransferState

S = HandoverItem.Status

# [doc 94088]
_DONE, _WAITING, _REFUSED, _FULL = 1, 2, 3, 4
# Somebody else's handover of the same customer, started in the console, shows in no result of ours.
_ELSEWHERE_AFTER = timedelta(hours=1)
_ON_THE_WAY = (40100, 40129)
# The platform takes a customer over after 24 hours; who has no result by then never gets one.
OPEN_FOR = timedelta(days=8)


class _Earlier(NamedTuple):
    """How often a customer was asked for between the same two before, and the last takeover."""

    times: int = 0
    takeover_at: datetime | None = None


@transaction.atomic
def apply_states(leg: HandoverLeg, states: Sequence[TransferState] | None, *, now: datetime) -> int:
    """Settle the waiting items of one leg by what the platform said; return how many.

    Only waiting items are touched: a second or an older result changes nothing. Without `states`
    the platform could not be read, and only what has waited for too long is settled.
    """
    plan = lock_plan(leg.plan_id)
    waiting = HandoverItem.objects.filter(
        plan=plan, to_staff=leg.to_staff_id, status=S.WAITING, customer__isnull=False
    )
    items = list(waiting.select_related("customer").order_by("customer_id"))
    if states is None:
        changes = [_overdue(item) for item in items if now >= _asked_at(item, now) + OPEN_FOR]
    else:
        said = _by_customer(states)
        earlier = _earlier(leg, plan, items)
        judged = [
            _change(
                plan,
                item,
                said.get(_external_userid(item), []),
                earlier.get(item.customer_id, _Earlier()),
                now=now,
            )
            for item in items
        ]
        changes = [each for item, each in zip(items, judged, strict=True) if _is_news(item, each)]
    write_changes(changes, now=now, was=[S.WAITING])
    _move(plan, leg, items, changes, now=now)
    update_progress(plan, now=now)
    return sum(change.status != S.WAITING for change in changes)


def _by_customer(states: Sequence[TransferState]) -> dict[str, list[TransferState]]:
    """The rows of each customer: one for each time she was asked for, the newest last."""
    rows: dict[str, list[TransferState]] = {}
    for state in states:
        rows.setdefault(state.external_userid, []).append(state)
    return rows


def _change(
    plan: HandoverPlan,
    item: HandoverItem,
    rows: list[TransferState],
    earlier: _Earlier,
    *,
    now: datetime,
) -> Change:
    state = _current(item, rows, earlier)
    match state.status if state else None:
        case 1 if state:
            return Change(item.pk, S.SUCCEEDED, takeover_at=state.takeover_at or now)
        case 3:
            return Change(item.pk, S.REJECTED, reasons.CUSTOMER_REFUSED)
        case 4 if plan.status == HandoverPlan.Status.EXECUTING:
            return Change(item.pk, S.PLANNED, reasons.TAKER_FULL, is_tried=True)
        case 4:
            return Change(item.pk, S.OVER_CAPACITY, reasons.TAKER_FULL, is_tried=True)
        case _:
            return _goes_on(item, state, is_listed=bool(rows), now=now)


def _current(
    item: HandoverItem, rows: list[TransferState], earlier: _Earlier
) -> TransferState | None:
    """The row that is about this request; None while there is none.

    A row of a customer who never was on the way between the same two before is about this
    request, whatever the clocks say. Of the others an old result may still be listed: theirs
    counts when the request was seen under way since, when there are more rows than there were
    requests before, or when it tells of a later takeover.
    """
    if under_way := [row for row in rows if row.status == _WAITING]:
        return under_way[-1]
    if not rows:
        return None
    last = rows[-1]
    is_later = bool(
        last.takeover_at and (not earlier.takeover_at or last.takeover_at > earlier.takeover_at)
    )
    was_seen = item.takeover_at is not None
    is_ours = was_seen or len(rows) > earlier.times or (last.status == _DONE and is_later)
    return last if is_ours else None


def _earlier(
    leg: HandoverLeg, plan: HandoverPlan, items: list[HandoverItem]
) -> dict[int | None, _Earlier]:
    """What was asked for between the same two before, by customer."""
    before = HandoverItem.objects.asked_between(plan.from_staff_id, leg.to_staff_id)
    mine = [item.pk for item in items]
    # The platform lists the results of those who left and of those who stay apart.
    before = before.filter(kind=plan.kind, customer__in=[item.customer_id for item in items])
    rows = before.exclude(pk__in=mine)
    counted = rows.order_by().values_list("customer").annotate(Count("pk"), Max("takeover_at"))
    return {customer: _Earlier(times, at) for customer, times, at in counted}


def _goes_on(
    item: HandoverItem, state: TransferState | None, *, is_listed: bool, now: datetime
) -> Change:
    asked_at = _asked_at(item, now)
    is_elsewhere = item.errcode in _ON_THE_WAY and not is_listed
    if is_elsewhere and now >= asked_at + _ELSEWHERE_AFTER:
        return Change(item.pk, S.FAILED, reasons.IN_TRANSFER, item.errcode)
    if now >= asked_at + OPEN_FOR:
        return _overdue(item)
    takeover_at = state.takeover_at if state else item.takeover_at
    return Change(item.pk, S.WAITING, "", item.errcode, takeover_at=takeover_at)


def _overdue(item: HandoverItem) -> Change:
    return Change(item.pk, S.FAILED, reasons.NO_RESULT, item.errcode)


def _asked_at(item: HandoverItem, now: datetime) -> datetime:
    return item.asked_at or now


def _external_userid(item: HandoverItem) -> str:
    return item.customer.external_userid if item.customer else ""


def _is_news(item: HandoverItem, change: Change) -> bool:
    return change.status != S.WAITING or change.takeover_at != item.takeover_at


def _move(
    plan: HandoverPlan,
    leg: HandoverLeg,
    items: list[HandoverItem],
    changes: list[Change],
    *,
    now: datetime,
) -> None:
    customers = {item.pk: item.customer_id for item in items}
    taken = {
        customers[each.item_id]: each.takeover_at or now
        for each in changes
        if each.status == S.SUCCEEDED
    }
    take_over(
        {pk: at for pk, at in taken.items() if pk is not None},
        giver=plan.from_staff,
        taker=leg.to_staff,
        corp=plan.corp,
        now=now,
    )
    if plan.is_resigned:
        refused = [customers[each.item_id] for each in changes if each.status == S.REJECTED]
        lost = Follow.objects.live().filter(staff=plan.from_staff_id, customer__in=refused)
        ids = list(lost.values_list("pk", flat=True))
        # Who left cannot keep her; an event says by whom it was ended, if one comes.
        end_follows(ids, status=Follow.Status.GONE, now=now)


def results_of(plan: HandoverPlan) -> dict[str, Any]:
    """How many customers stand where; `planned` are all, `asked` were asked for at least once.

    `groups` have their new owner, `chats` are all groups by where they stand.
    """
    rows = plan.items.values("status").annotate(
        customers=Count("pk", filter=Q(chat_id="")), chats=Count("pk", filter=~Q(chat_id=""))
    )
    by_status = {str(row["status"]): row for row in rows.order_by()}
    customers = {status: row["customers"] for status, row in by_status.items()}
    chats = {status: row["chats"] for status, row in by_status.items() if row["chats"]}
    ever_asked = plan.items.of_customers().filter(asked_at__isnull=False)
    return {
        "planned": sum(customers.values()),
        "asked": ever_asked.count(),
        **{word: customers.get(word, 0) for word in _FIGURES},
        "groups": chats.get(S.SUCCEEDED, 0),
        "chats": chats,
    }


_FIGURES = (
    "waiting", "succeeded", "rejected", "over_capacity", "failed", "blocked", "cancelled",
)  # fmt: skip
