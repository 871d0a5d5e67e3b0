"""Asking the platform, through the outbox, to hand over what a plan has ready.

An item leaves in the transaction that enqueues its request, so it is asked once however often
this runs. What cannot go is told why, and who lost her taker meanwhile finds another one first.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from math import ceil

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q

from customers.actions.handover import reasons
from customers.actions.handover.assigning import assign_takers, items_without_taker
from customers.actions.handover.preflight import verdicts_on
from customers.actions.handover.settling import Change, lock_plan, update_progress, write_changes
from customers.models import HandoverItem, HandoverItemQuerySet, HandoverLeg, HandoverPlan
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.channels.actions.outbox import cancel_operation, enqueue_operation
from scrm.channels.models import Operation
from scrm.channels.operations import TRANSFER_CHATS, TRANSFER_CUSTOMERS
from scrm.channels.pace import BUDGET, clock_from
from scrm.tenancy.models import Corp, Staff

logger = logging.getLogger(__name__)

S = HandoverItem.Status

PER_CALL = 100  # [doc 92125, 92127]
CHATS_A_DAY = 300  # of one former owner [doc 92127]


def send_due_items(*, now: datetime, limit: int = 50) -> int:
    """Go on with every plan that has something to ask for now; return how many items left."""
    clock = clock_from(now)
    sent = 0
    for plan_id in _plans_to_go_on_with(now)[:limit]:
        if clock() >= now + BUDGET:
            break
        try:
            sent += send_plan(plan_id, now=clock())
        except Exception:
            # One plan that cannot go on must not stop the others; the next tick tries again.
            logger.exception("Asking for a handover failed", extra={"plan": plan_id})
    return sent


def _plans_to_go_on_with(now: datetime) -> list[int]:
    items = HandoverItem.objects.filter(plan=OuterRef("pk"))
    to_ask = items.filter(status=S.PLANNED).filter(_due(now))
    to_withdraw = items.filter(status=S.ASKED, operation__status__in=_WITHDRAWABLE)
    plans = HandoverPlan.objects.filter(
        Q(Exists(to_ask), status=HandoverPlan.Status.EXECUTING)
        | Q(Exists(to_withdraw), status=HandoverPlan.Status.CANCELLED)
    )
    return list(plans.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def send_plan(plan_id: int, *, now: datetime) -> int:
    """Enqueue what the plan can ask for now; return how many items left."""
    plan = lock_plan(plan_id)
    if plan.status == HandoverPlan.Status.CANCELLED:
        withdraw_requests(plan, actor=SYSTEM, now=now)
    if plan.status != HandoverPlan.Status.EXECUTING:
        return 0
    # Two plans of the same leaver find out one after the other what the other has asked for.
    Staff.objects.select_for_update(no_key=True).get(pk=plan.from_staff_id)
    _find_takers(plan, now=now)
    _block(plan, now=now)
    ready = HandoverItem.objects.filter(_due(now), plan=plan, status=S.PLANNED)
    priority = _priority_of(plan, ready)
    sent = _ask_for_customers(plan, ready, priority=priority, now=now)
    sent += _ask_for_chats(plan, ready, priority=priority, now=now)
    update_progress(plan, now=now)
    return sent


def withdraw_requests(plan: HandoverPlan, *, actor: Actor, now: datetime) -> None:
    """Withdraw requests that have not left; the outbox reports each back to `answers`.

    The outbox locks an operation and then its plan; here it is the other way round, so this never
    waits for an operation. What is skipped is withdrawn by a later tick if it comes back.
    """
    asked = HandoverItem.objects.filter(plan=plan, status=S.ASKED)
    waiting = Operation.objects.filter(pk__in=asked.values("operation"), status__in=_WITHDRAWABLE)
    for operation in waiting.order_by("pk").select_for_update(of=["self"], skip_locked=True):
        cancel_operation(operation, actor=actor, now=now)


_WITHDRAWABLE = (Operation.Status.PENDING, Operation.Status.PARKED)


def _due(now: datetime) -> Q:
    return Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now)


def _find_takers(plan: HandoverPlan, *, now: datetime) -> None:
    """Items whose taker is gone or full go to the next; they end here when there is none."""
    orphaned = items_without_taker(plan)
    if not orphaned:
        return
    assign_takers(plan, orphaned)
    left_over = items_without_taker(plan)
    nobody_has_room = plan.items.filter(reason=reasons.TAKER_FULL).exists()
    items = HandoverItem.objects.filter(pk__in=left_over)
    changes = [_last_word(item, nobody_has_room=nobody_has_room) for item in items]
    write_changes(changes, now=now, was=[S.PLANNED])


def _last_word(item: HandoverItem, *, nobody_has_room: bool) -> Change:
    if item.reason == reasons.TAKER_FULL or (nobody_has_room and not item.tried):
        return Change(item.pk, S.OVER_CAPACITY, reasons.TAKER_FULL, item.errcode)
    if item.tried:
        return Change(item.pk, S.FAILED, item.reason or reasons.NO_TAKER, item.errcode)
    return Change(item.pk, S.BLOCKED, reasons.NO_TAKER)


def _block(plan: HandoverPlan, *, now: datetime) -> None:
    changes = [
        Change(verdict.item_id, S.BLOCKED, verdict.reason, next_attempt_at=verdict.free_at)
        for verdict in verdicts_on(plan, now=now)
        if verdict.reason
    ]
    write_changes(changes, now=now, was=[S.PLANNED])


def _priority_of(plan: HandoverPlan, ready: HandoverItemQuerySet) -> Operation.Priority:
    """Whoever executes a plan of a few calls waits for it."""
    by_taker = ready.order_by().values_list("to_staff", "kind").annotate(Count("pk"))
    calls = sum(ceil(count / PER_CALL) for _taker, _kind, count in by_taker)
    is_persons = plan.executed_by.startswith(f"{AuditEntry.ActorKind.USER}:")
    return Operation.Priority.of_act(calls, is_persons=is_persons)


def _ask_for_customers(
    plan: HandoverPlan,
    ready: HandoverItemQuerySet,
    *,
    priority: Operation.Priority,
    now: datetime,
) -> int:
    by_taker: dict[int, list[HandoverItem]] = defaultdict(list)
    for item in ready.of_customers().select_related("customer", "to_staff").order_by("id"):
        by_taker[item.to_staff_id or 0].append(item)
    _ensure_legs(plan, by_taker)
    for items in by_taker.values():
        for chunk in _chunks(items):
            asked_for = _customers(chunk)
            _enqueue(plan, chunk, TRANSFER_CUSTOMERS, asked_for, priority=priority, now=now)
    return sum(map(len, by_taker.values()))


def _customers(items: Sequence[HandoverItem]) -> dict[str, object]:
    ids = {item.customer_id: item.customer.external_userid for item in items if item.customer}
    taker = items[0].to_staff_id
    # Old results between the same two look like new ones, if an answer should be lost.
    before = (
        HandoverItem.objects.asked_between(items[0].from_staff_id, taker)
        .filter(customer__in=ids, kind=items[0].kind)
        .exclude(pk__in=[item.pk for item in items])
    )
    times = before.order_by().values_list("customer").annotate(Count("pk"))
    earlier = {ids[customer_id]: count for customer_id, count in times}
    return {"external_userids": list(ids.values()), "earlier": earlier}


def _ask_for_chats(
    plan: HandoverPlan,
    ready: HandoverItemQuerySet,
    *,
    priority: Operation.Priority,
    now: datetime,
) -> int:
    chats = list(ready.of_chats().select_related("to_staff").order_by("id"))
    if not chats:
        return 0
    room = CHATS_A_DAY - _chats_asked_today(plan, now=now)
    today, later = chats[: max(room, 0)], chats[max(room, 0) :]
    HandoverItem.objects.filter(pk__in=[item.pk for item in later]).update(
        reason=reasons.DAILY_LIMIT, next_attempt_at=next_day(plan.corp, now=now)
    )
    by_taker: dict[int, list[HandoverItem]] = defaultdict(list)
    for item in today:
        by_taker[item.to_staff_id or 0].append(item)
    for items in by_taker.values():
        for chunk in _chunks(items):
            asked_for = {"chat_ids": [item.chat_id for item in chunk]}
            _enqueue(plan, chunk, TRANSFER_CHATS, asked_for, priority=priority, now=now)
    return len(today)


def _chats_asked_today(plan: HandoverPlan, *, now: datetime) -> int:
    begin = next_day(plan.corp, now=now) - timedelta(days=1)
    asked = HandoverItem.objects.of_chats().filter(
        corp=plan.corp_id, from_staff=plan.from_staff_id, asked_at__gte=begin
    )
    return asked.count()


def next_day(corp: Corp, *, now: datetime) -> datetime:
    """The next midnight of the corp's clock."""
    tomorrow = now.astimezone(corp.zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), corp.zone)


def _enqueue(
    plan: HandoverPlan,
    items: Sequence[HandoverItem],
    kind: str,
    asked_for: Mapping[str, object],
    *,
    priority: Operation.Priority,
    now: datetime,
) -> None:
    taker = items[0].to_staff
    if taker is None:
        raise LookupError(f"Items of plan {plan.pk} are ready without a taker.")
    payload = {
        "from_userid": plan.from_staff.userid,
        "to_userid": taker.userid,
        "is_resigned": plan.is_resigned,
        "message": plan.message,
        **asked_for,
    }
    operation = enqueue_operation(
        kind,
        corp=plan.corp,
        key=_key(plan, items),
        payload=payload,
        priority=priority,
        # The platform refuses parallel changes of one member (45035).
        serial_key=f"handover:{plan.from_staff.userid.lower()}",
        now=now,
    )
    HandoverItem.objects.filter(pk__in=[item.pk for item in items]).update(
        status=S.ASKED,
        operation=operation,
        asked_at=now,
        attempts=F("attempts") + 1,
        next_attempt_at=None,
        takeover_at=None,
    )


def _key(plan: HandoverPlan, items: Iterable[HandoverItem]) -> str:
    """Names the request once and for all: the same items, asked for the same time."""
    attempts = ",".join(f"{item.pk}:{item.attempts}" for item in items)
    return f"handover:{plan.pk}:{hashlib.sha256(attempts.encode()).hexdigest()[:32]}"


def _chunks(items: Sequence[HandoverItem]) -> Iterator[Sequence[HandoverItem]]:
    for start in range(0, len(items), PER_CALL):
        yield items[start : start + PER_CALL]


def _ensure_legs(plan: HandoverPlan, takers: Iterable[int]) -> None:
    takers = list(takers)
    legs = [HandoverLeg(corp_id=plan.corp_id, plan=plan, to_staff_id=taker) for taker in takers]
    HandoverLeg.objects.bulk_create(legs, ignore_conflicts=True)
    HandoverLeg.objects.filter(plan=plan, to_staff__in=takers).update(is_settled=False)
