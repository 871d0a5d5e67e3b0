"""Plans of handovers: who gets whose customers and chats, written down and changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from customers.actions.handover import reasons
from customers.actions.handover.assigning import assign_takers
from customers.actions.handover.belongings import chats_named, chats_of
from customers.models import Customer, HandoverItem, HandoverKind, HandoverPlan
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Staff

MOST_LISTED = 20_000
MOST_TAKERS = 200
_LONGEST_MESSAGE = 200  # [doc 92125]


class PlanNotEditable(DomainError):
    code = "wrong_status"


@dataclass(frozen=True)
class PlanWish:
    """A handover as a person or a brand writes it down.

    With neither customers nor chats listed it is about everything that waits.
    """

    kind: str
    from_userid: str
    to_userids: Sequence[str] = field(default=())
    external_userids: Sequence[str] | None = None
    chat_ids: Sequence[str] | None = None
    include_groups: bool = True
    rule: str = HandoverPlan.Rule.BALANCED
    message: str = ""

    @property
    def is_everything(self) -> bool:
        return self.external_userids is None and self.chat_ids is None


@transaction.atomic
def create_plan(wish: PlanWish, *, corp: Corp, actor: Actor, now: datetime) -> HandoverPlan:
    """Keep a plan in which everybody has a taker; raises InvalidInput with every problem."""
    giver, takers = _check(wish, corp=corp)
    plan = HandoverPlan.objects.create(
        corp=corp,
        kind=wish.kind,
        from_staff=giver,
        rule=wish.rule,
        include_groups=wish.include_groups,
        message=wish.message.strip(),
        created_by=actor.key,
        created_at=now,
    )
    plan.takers.set(takers)
    _insert_customers(plan, wish)
    _insert_chats(plan, wish)
    assign_takers(plan, list(plan.items.values_list("pk", flat=True)))
    data = {"kind": wish.kind, "from": giver.userid, "to": [taker.userid for taker in takers]}
    record("handover.planned", actor=actor, corp=corp, subject=plan, now=now, data=data)
    return plan


@transaction.atomic
def set_taker(item: HandoverItem, to_userid: str, *, actor: Actor, now: datetime) -> HandoverItem:
    """Give an item of a draft to somebody else; she becomes one of the plan's takers."""
    plan, row = _lock_draft(item)
    taker = Staff.objects.for_corp(plan.corp).filter(userid__iexact=to_userid).first()
    problems = tuple(_problems_of_taker(taker, to_userid, plan.from_staff, path="/to_userid"))
    if problems or taker is None:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    row.to_staff = taker
    row.save(update_fields=["to_staff"])
    plan.takers.add(taker)
    data = {"item": row.pk, "to": taker.userid}
    record("handover.item_changed", actor=actor, corp=plan.corp, subject=plan, now=now, data=data)
    return row


@transaction.atomic
def remove_item(item: HandoverItem, *, actor: Actor, now: datetime) -> None:
    """Take an item out of a draft; the customer goes on waiting."""
    plan, row = _lock_draft(item)
    row.status, row.reason, row.settled_at = HandoverItem.Status.CANCELLED, reasons.REMOVED, now
    row.save(update_fields=["status", "reason", "settled_at"])
    data = {"item": row.pk, "removed": True}
    record("handover.item_changed", actor=actor, corp=plan.corp, subject=plan, now=now, data=data)


def _lock_draft(item: HandoverItem) -> tuple[HandoverPlan, HandoverItem]:
    plans = HandoverPlan.objects.select_for_update(of=["self"])
    plan = plans.select_related("corp", "from_staff").get(pk=item.plan_id)
    row = HandoverItem.objects.get(pk=item.pk)
    check_editable(plan, row)
    return plan, row


def check_editable(plan: HandoverPlan, item: HandoverItem) -> None:
    """Raise PlanNotEditable for what was asked for, or is settled."""
    if plan.status != HandoverPlan.Status.DRAFT or item.status != HandoverItem.Status.PLANNED:
        raise PlanNotEditable(_("Only planned items of a plan that was not executed can change."))


def _insert_customers(plan: HandoverPlan, wish: PlanWish) -> None:
    """Everybody who waits, or the listed; who is on the way already is not taken in silence."""
    if wish.external_userids is None and not wish.is_everything:
        return
    listed = list(dict.fromkeys(wish.external_userids or ()))
    source = (
        "SELECT c.id FROM customers_customer c"
        " WHERE c.corp_id = %(corp)s AND c.external_userid = ANY(%(listed)s)"
        if wish.external_userids is not None
        else "SELECT f.customer_id FROM customers_follow f"
        " WHERE f.corp_id = %(corp)s AND f.staff_id = %(from)s AND f.status = 'live'"
        " AND NOT EXISTS (SELECT FROM customers_handoveritem h WHERE h.corp_id = f.corp_id"
        "  AND h.customer_id = f.customer_id AND h.from_staff_id = f.staff_id"
        "  AND h.status IN ('asked', 'waiting'))"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_handoveritem (corp_id, plan_id, customer_id, chat_id, kind,"  # noqa: S608
            " from_staff_id, tried, status, reason, attempts)"
            " SELECT %(corp)s, %(plan)s, wanted.id, '', %(kind)s, %(from)s, '{}', 'planned', '', 0"
            f" FROM ({source}) AS wanted (id) ORDER BY wanted.id",
            {
                "corp": plan.corp_id,
                "plan": plan.pk,
                "kind": plan.kind,
                "from": plan.from_staff_id,
                "listed": listed,
            },
        )


def _insert_chats(plan: HandoverPlan, wish: PlanWish) -> None:
    if wish.chat_ids is not None:
        chat_ids = list(dict.fromkeys(wish.chat_ids))
    elif wish.is_everything and wish.include_groups:
        under_way = HandoverItem.objects.under_way().of_chats().filter(from_staff=plan.from_staff)
        moving = set(under_way.values_list("chat_id", flat=True))
        owned = chats_of([plan.from_staff_id], corp=plan.corp)
        chat_ids = sorted(chat.chat_id for chat in owned if chat.chat_id not in moving)
    else:
        chat_ids = []
    HandoverItem.objects.bulk_create(
        [
            HandoverItem(
                corp_id=plan.corp_id,
                plan=plan,
                chat_id=chat_id,
                kind=plan.kind,
                from_staff_id=plan.from_staff_id,
            )
            for chat_id in chat_ids
        ],
        batch_size=500,
    )


def _check(wish: PlanWish, *, corp: Corp) -> tuple[Staff, list[Staff]]:
    everybody = Staff.objects.for_corp(corp)
    giver = everybody.filter(userid__iexact=wish.from_userid).first()
    # The platform's userids are case-insensitive: one who is named twice is one taker.
    named: dict[str, int] = {}
    for position, userid in enumerate(wish.to_userids):
        named.setdefault(userid.lower(), position)
    folded = everybody.annotate(folded=Lower("userid")).filter(folded__in=list(named))
    found = {staff.userid.lower(): staff for staff in folded}
    takers = [found.get(userid) for userid in named]
    problems = [*_problems_of_form(wish), *_problems_of_lists(wish, corp=corp)]
    if giver is None:
        message = _("There is no member of staff %(id)s.") % {"id": wish.from_userid}
        problems.append(FieldProblem("/from_userid", "unknown", message))
    for taker, position in zip(takers, named.values(), strict=True):
        path = f"/to_userids/{position}"
        problems += _problems_of_taker(taker, wish.to_userids[position], giver, path=path)
    if problems or giver is None:
        text = " ".join(dict.fromkeys(each.message for each in problems))
        raise InvalidInput(text, errors=tuple(problems))
    return giver, [taker for taker in takers if taker]


def _problems_of_form(wish: PlanWish) -> Iterator[FieldProblem]:
    if wish.kind not in HandoverKind.values:
        message = _("kind is one of %(kinds)s.") % {"kinds": ", ".join(HandoverKind.values)}
        yield FieldProblem("/kind", "invalid", message)
    if wish.rule not in HandoverPlan.Rule.values:
        message = _("rule is one of %(rules)s.") % {"rules": ", ".join(HandoverPlan.Rule.values)}
        yield FieldProblem("/rule", "invalid", message)
    if not wish.to_userids:
        yield FieldProblem("/to_userids", "required", _("Name at least one colleague who takes."))
    if len(wish.to_userids) > MOST_TAKERS:
        message = _("At most %(limit)d colleagues can share a handover.") % {"limit": MOST_TAKERS}
        yield FieldProblem("/to_userids", "too_many", message)
    if len(wish.message.strip()) > _LONGEST_MESSAGE:
        message = _("The message to the customer has at most 200 characters.")
        yield FieldProblem("/message", "too_long", message)
    if wish.message.strip() and wish.kind == HandoverKind.RESIGNED:
        message = _("WeCom sends a message only when the former colleague stays.")
        yield FieldProblem("/message", "unsupported", message)


def _problems_of_taker(
    taker: Staff | None, userid: str, giver: Staff | None, *, path: str
) -> Iterator[FieldProblem]:
    if taker is None:
        message = _("There is no member of staff %(id)s.") % {"id": userid}
        yield FieldProblem(path, "unknown", message)
    elif giver is not None and taker.pk == giver.pk:
        yield FieldProblem(path, reasons.SAME_PERSON, reasons.sentence_of(reasons.SAME_PERSON))


def _problems_of_lists(wish: PlanWish, *, corp: Corp) -> Iterator[FieldProblem]:
    for name, listed in (
        ("external_userids", wish.external_userids),
        ("chat_ids", wish.chat_ids),
    ):
        if listed is not None and len(listed) > MOST_LISTED:
            message = _("At most %(limit)d can be listed.") % {"limit": MOST_LISTED}
            yield FieldProblem(f"/{name}", "too_many", message)
            return
    customers = Customer.objects.for_corp(corp)
    asked = wish.external_userids or ()
    known = set(
        customers.filter(external_userid__in=asked).values_list("external_userid", flat=True)
    )
    for position, external_userid in enumerate(asked):
        if external_userid not in known:
            message = _("There is no customer %(id)s.") % {"id": external_userid}
            yield FieldProblem(f"/external_userids/{position}", "unknown", message)
    chats = chats_named(wish.chat_ids or (), corp=corp)
    for position, chat_id in enumerate(wish.chat_ids or ()):
        if chat_id not in chats:
            message = _("There is no group %(id)s.") % {"id": chat_id}
            yield FieldProblem(f"/chat_ids/{position}", "unknown", message)
