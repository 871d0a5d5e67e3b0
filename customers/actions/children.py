"""Children of customers, born or expected, and the maternity stage of each.

Stages (issue of the brand's own life, apart from the stage of the customer): a pregnancy week is
floor((day − (due − 280 d)) / 7): early 0–13, mid 14–27, late 28–40. After the birth: newborn in
the first month, infant up to the first birthday, toddler up to the third. A child that was due
and of whose birth nobody has told is in no stage after week 42: nothing is guessed there.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.actions.blocking import block_customer, check_why, unblock_customer
from customers.models import Child, Customer
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput

PREGNANCY = timedelta(days=280)
MOST_CHILDREN = 20
_LAST_WEEK = 42
_LONGEST_AGO = timedelta(days=365 * 25)


class MaternityStage(models.TextChoices):
    EARLY = "pregnant_early", gettext_lazy("early pregnancy")
    MID = "pregnant_mid", gettext_lazy("middle of the pregnancy")
    LATE = "pregnant_late", gettext_lazy("late pregnancy")
    NEWBORN = "newborn", gettext_lazy("newborn")
    INFANT = "infant", gettext_lazy("infant")
    TODDLER = "toddler", gettext_lazy("toddler")


# The first week, and the first full month, of each.
_WEEKS = ((28, MaternityStage.LATE), (14, MaternityStage.MID), (0, MaternityStage.EARLY))
_MONTHS = ((12, MaternityStage.TODDLER), (1, MaternityStage.INFANT), (0, MaternityStage.NEWBORN))
_GROWN = 36


@dataclass(frozen=True)
class ChildDraft:
    """What is known of a child: due or born, or both."""

    name: str = ""
    gender: Child.Gender = Child.Gender.UNKNOWN
    due_on: date | None = None
    born_on: date | None = None


@dataclass(frozen=True)
class Standing:
    """Where a child stands on a day: `week` of the pregnancy, or full `months` since the birth."""

    stage: MaternityStage | None = None
    week: int | None = None
    months: int | None = None


def standing_on(child: Child, day: date) -> Standing:
    """The stage of one child on a local day; none of a lost one, and none beyond the stages."""
    if child.lost_on is not None:
        return Standing()
    if child.born_on is not None and child.born_on <= day:
        months = full_months(child.born_on, day)
        stage = next(stage for first, stage in _MONTHS if months >= first)
        return Standing(stage if months < _GROWN else None, months=months)
    if child.due_on is None:
        return Standing()
    week = (day - (child.due_on - PREGNANCY)).days // 7
    if not 0 <= week <= _LAST_WEEK:
        return Standing()
    return Standing(next(stage for first, stage in _WEEKS if week >= first), week=week)


def full_months(since: date, day: date) -> int:
    """Whole months between two days; who was born on the 31st is a month older on the 1st."""
    months = (day.year - since.year) * 12 + day.month - since.month
    return months - (day.day < since.day)


@transaction.atomic
def add_child(customer: Customer, draft: ChildDraft, *, actor: Actor, now: datetime) -> Child:
    """Note a child of the customer; raises InvalidInput that names what cannot be."""
    _check(draft, customer, now=now)
    # Two people at once: the second counts what the first has noted.
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    if customer.children.count() >= MOST_CHILDREN:
        raise InvalidInput(_("A customer has at most %(most)d children.") % {"most": MOST_CHILDREN})
    child = Child(corp=customer.corp, customer=customer, created_at=now)
    _write(child, draft)
    _record("added", child, actor=actor, now=now)
    return child


@transaction.atomic
def change_child(child: Child, draft: ChildDraft, *, actor: Actor, now: datetime) -> Child:
    """Note what else is known by now, such as the birth."""
    _check(draft, child.customer, now=now)
    _write(child, draft)
    _record("changed", child, actor=actor, now=now)
    return child


@transaction.atomic
def remove_child(child: Child, *, actor: Actor, now: datetime) -> None:
    """Forget a child that was noted by mistake; a mark of a loss has to be lifted first."""
    if child.lost_on is not None:
        raise InvalidInput(_("Lift the mark of the loss first, and say why."))
    _record("removed", child, actor=actor, now=now)
    child.delete()


@transaction.atomic
def mark_loss(child: Child, *, on: date, actor: Actor, now: datetime) -> Child:
    """The pregnancy was lost: from now on nobody writes to the customer about anything.

    What is under way for her ends with it (`subscribe_blocked`).
    """
    if child.born_on is not None:
        raise InvalidInput(_("This child has been born."))
    if on > _today(child.customer, now):
        message = _("This day is still to come.")
        raise InvalidInput(message, errors=(FieldProblem("/on", "future", message),))
    block_customer(child.customer, actor=actor, now=now, reason=Customer.BlockReason.PREGNANCY_LOSS)
    if child.lost_on != on:
        child.lost_on = on
        child.save(update_fields=["lost_on"])
        _record("loss_marked", child, actor=actor, now=now)
    return child


@transaction.atomic
def lift_loss(child: Child, *, why: str, actor: Actor, now: datetime) -> Child:
    """The mark was a mistake: she may be written to again, unless another child was lost.

    What had ended stays ended; raises InvalidInput without a reason.
    """
    why = check_why(why)
    if child.lost_on is None:
        return child
    child.lost_on = None
    child.save(update_fields=["lost_on"])
    _record("loss_lifted", child, actor=actor, now=now, why=why)
    customer = child.customer
    customer.refresh_from_db(fields=["is_blocked", "block_reason"])
    is_by_loss = customer.block_reason == Customer.BlockReason.PREGNANCY_LOSS
    if is_by_loss and not customer.children.filter(lost_on__isnull=False).exists():
        unblock_customer(customer, actor=actor, now=now, why=why)
    return child


def _check(draft: ChildDraft, customer: Customer, *, now: datetime) -> None:
    today, problems = _today(customer, now), []
    if draft.due_on is None and draft.born_on is None:
        problems.append(FieldProblem("/due_on", "required", _("Say when it is due, or was born.")))
    if draft.due_on is not None and draft.due_on > today + PREGNANCY + timedelta(weeks=2):
        text = _("This is further away than a pregnancy takes.")
        problems.append(FieldProblem("/due_on", "invalid", text))
    if draft.born_on is not None and draft.born_on > today:
        text = _("This day is still to come.")
        problems.append(FieldProblem("/born_on", "future", text))
    for name, day in (("due_on", draft.due_on), ("born_on", draft.born_on)):
        if day is not None and day < today - _LONGEST_AGO:
            text = _("This is too long ago for a child.")
            problems.append(FieldProblem(f"/{name}", "invalid", text))
    if len(draft.name) > 32 or "\0" in draft.name:
        text = _("A name has at most 32 characters.")
        problems.append(FieldProblem("/name", "invalid", text))
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidInput(message, errors=tuple(problems))


def _write(child: Child, draft: ChildDraft) -> None:
    child.name, child.gender = draft.name.strip(), draft.gender
    child.due_on, child.born_on = draft.due_on, draft.born_on
    child.save()


def _today(customer: Customer, now: datetime) -> date:
    return now.astimezone(customer.corp.zone).date()


def _record(verb: str, child: Child, *, actor: Actor, now: datetime, why: str = "") -> None:
    # No name: the log outlives what is known of a child.
    days = {"due_on": child.due_on, "born_on": child.born_on, "lost_on": child.lost_on}
    data: dict[str, object] = {"child": child.pk}
    data |= {name: day.isoformat() for name, day in days.items() if day}
    data |= {"why": why} if why else {}
    customer = child.customer
    record(
        f"children.{verb}", actor=actor, corp=customer.corp, subject=customer, now=now, data=data
    )
