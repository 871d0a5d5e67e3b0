"""Taking down what the platform answered to requests: each customer has an answer of her own."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q
from django.db.models.functions import Coalesce, Least

from customers.actions.follows import end_follows
from customers.actions.handover import reasons
from customers.actions.handover.belongings import note_new_owner
from customers.actions.handover.sending import next_day
from customers.actions.handover.settling import Change, lock_plan, update_progress, write_changes
from customers.models import Customer, Follow, HandoverItem, HandoverLeg, HandoverPlan
from scrm.channels.actions.refreshes import request_refreshes
from scrm.channels.models import Operation, Refresh

S = HandoverItem.Status

# Results are there a day later at the earliest, refusals perhaps at once.
FIRST_LOOK = timedelta(minutes=1)
MOST_ATTEMPTS = 5

# Already on the way (40100 for who has left, 40129 in service): the result tells how it ends.
_ON_THE_WAY = {0, 40100, 40129}
_FULL = {40099}
# The taker is not verified, not activated, without customer contact, dormant, or banned.
_UNABLE = {40098, 40205, 41054, 84074, 40143}
# Lost and certainly not taken up (-1, also the platform's own "busy"); another change at a time.
_AGAIN = {-1, 6000, 45033, 45035}
_TOO_MANY_CHATS = {45009}
_IN_SERVICE_LIMIT = {40128}
_NO_FRIEND = {40131}
# Not resigned, of customers and of chats.
_NOT_RESIGNED = {40097, 90500}
# The chat has the new owner, or is getting him.
_CHAT_DONE = {0, 90504, 90507, 90508}


class _Answer(NamedTuple):
    errcode: int
    error: str


def record_answers(operation: Operation, now: datetime) -> None:
    """Take down the answer to a request; the outbox calls it in the transaction of the outcome."""
    asked = HandoverItem.objects.filter(operation=operation, status=S.ASKED)
    plan_id = asked.values_list("plan", flat=True).first()
    if plan_id is None:
        return
    plan = lock_plan(plan_id)
    items = list(asked.select_related("customer", "to_staff").order_by("id"))
    if operation.status == Operation.Status.CANCELLED:
        changes = [Change(item.pk, S.CANCELLED, operation.error) for item in items]
    else:
        answers = _answers_of(operation, items)
        changes = [_change(plan, item, answers[item.pk], now=now) for item in items]
    write_changes(changes, now=now, was=[S.ASKED])
    _follow_up(plan, items, changes, now=now)
    update_progress(plan, now=now)


def _answers_of(operation: Operation, items: Iterable[HandoverItem]) -> dict[int, _Answer]:
    """The answer to each item; a refused call is the answer to all of them."""
    if operation.status == Operation.Status.FAILED:
        refusal = _Answer(operation.errcode or 1, operation.error)
        return dict.fromkeys((item.pk for item in items), refusal)
    said = {
        row["item_id"]: _Answer(row["errcode"], row.get("error", ""))
        for row in operation.result.get("answers", ())
    }
    accepted = _Answer(0, "")
    return {item.pk: said.get(_name_of(item), accepted) for item in items}


def _name_of(item: HandoverItem) -> str:
    return item.customer.external_userid if item.customer else item.chat_id


def _change(plan: HandoverPlan, item: HandoverItem, answer: _Answer, *, now: datetime) -> Change:
    is_done = item.chat_id and answer.errcode in _CHAT_DONE
    if is_done:
        return Change(item.pk, S.SUCCEEDED, "", answer.errcode, takeover_at=now)
    judge = next(judge for codes, judge in _JUDGES if answer.errcode in codes or not codes)
    change = judge(plan, item, answer, now)
    if change.status == S.PLANNED and plan.status != HandoverPlan.Status.EXECUTING:
        return Change(item.pk, S.CANCELLED, change.reason, change.errcode, change.is_tried)
    return change


def _waits(plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime) -> Change:
    return Change(item.pk, S.WAITING, "", answer.errcode)


def _goes_to_the_next(
    plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime
) -> Change:
    is_full = answer.errcode in _FULL or item.reason == reasons.TAKER_FULL
    reason = reasons.TAKER_FULL if is_full else answer.error
    return Change(item.pk, S.PLANNED, reason, answer.errcode, is_tried=True)


def _is_asked_again(
    plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime
) -> Change:
    if item.attempts >= MOST_ATTEMPTS:
        return Change(item.pk, S.FAILED, reasons.UNANSWERED, answer.errcode)
    pause = timedelta(seconds=2 * 2**item.attempts)
    return Change(item.pk, S.PLANNED, "", answer.errcode, next_attempt_at=now + pause)


def _waits_a_day(plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime) -> Change:
    tomorrow = next_day(plan.corp, now=now)
    return Change(item.pk, S.PLANNED, reasons.DAILY_LIMIT, answer.errcode, next_attempt_at=tomorrow)


def _is_blocked(plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime) -> Change:
    return Change(item.pk, S.BLOCKED, reasons.IN_SERVICE_LIMIT, answer.errcode)


def _fails(plan: HandoverPlan, item: HandoverItem, answer: _Answer, now: datetime) -> Change:
    words = dict.fromkeys(_NO_FRIEND, reasons.NOT_FOLLOWED)
    words |= dict.fromkeys(_NOT_RESIGNED, reasons.NOT_RESIGNED)
    reason = words.get(answer.errcode) or answer.error or str(answer.errcode)
    return Change(item.pk, S.FAILED, reason, answer.errcode)


_Judge = Callable[[HandoverPlan, HandoverItem, _Answer, datetime], Change]
# In this order; no codes means any.
_JUDGES: list[tuple[set[int], _Judge]] = [
    (_ON_THE_WAY, _waits),
    (_FULL | _UNABLE, _goes_to_the_next),
    (_AGAIN, _is_asked_again),
    (_TOO_MANY_CHATS, _waits_a_day),
    (_IN_SERVICE_LIMIT, _is_blocked),
    (set(), _fails),
]


def _follow_up(
    plan: HandoverPlan, items: list[HandoverItem], changes: list[Change], *, now: datetime
) -> None:
    by_id = {item.pk: item for item in items}
    if any(change.status == S.WAITING for change in changes):
        look_soon(plan.pk, items[0].to_staff_id, at=now + FIRST_LOOK)
    moved = [by_id[each.item_id] for each in changes if each.status == S.SUCCEEDED]
    if moved and moved[0].to_staff:
        chat_ids = [item.chat_id for item in moved]
        note_new_owner(chat_ids, moved[0].to_staff, corp=plan.corp, now=now)
    lost = [by_id[each.item_id] for each in changes if each.errcode in _NO_FRIEND]
    _correct_relations(plan, [item.customer for item in lost if item.customer], now=now)


def _correct_relations(plan: HandoverPlan, lost: list[Customer], *, now: datetime) -> None:
    """Our copy is out of date: the platform says that she does not follow these customers."""
    keys = [customer.external_userid for customer in lost]
    request_refreshes(Refresh.Kind.CUSTOMER, corp=plan.corp, now=now, keys=keys)
    if plan.is_resigned:
        # Reading a customer again tells nothing of those who have left.
        follows = Follow.objects.live().filter(staff=plan.from_staff_id, customer__in=lost)
        ids = list(follows.values_list("pk", flat=True))
        end_follows(ids, status=Follow.Status.GONE, now=now)


def look_soon(plan_id: int, to_staff_id: int | None, *, at: datetime) -> None:
    """Have the results between two members of staff read at `at`, if not sooner."""
    legs = HandoverLeg.objects.filter(Q(plan=plan_id, to_staff=to_staff_id))
    legs.update(next_poll_at=Least(Coalesce("next_poll_at", at), at), is_settled=False)
