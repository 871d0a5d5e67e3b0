"""Children and their maternity stages; a lost pregnancy stops everything."""

from datetime import date, timedelta
from typing import Any

import pytest

from customers.actions.blocking import block_customer, unblock_customer
from customers.actions.children import (
    ChildDraft,
    MaternityStage,
    add_child,
    change_child,
    full_months,
    lift_loss,
    mark_loss,
    remove_child,
    standing_on,
)
from customers.models import Child, Customer
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer, make_enrolment, make_sop

TODAY = date(2026, 11, 18)
LIN = Actor(AuditEntry.ActorKind.USER, "1", "lin")


def expect(customer: Customer, *, days: int = 100, **fields: Any) -> Child:
    draft = ChildDraft(due_on=TODAY + timedelta(days=days), **fields)
    return add_child(customer, draft, actor=LIN, now=NOW)


def lose(child: Child) -> Child:
    return mark_loss(child, on=TODAY, actor=LIN, now=NOW)


@pytest.mark.parametrize(
    ("days_to_birth", "week", "stage"),
    [
        (281, None, None),
        (280, 0, "pregnant_early"),
        (280 - 13 * 7 - 6, 13, "pregnant_early"),
        (280 - 14 * 7, 14, "pregnant_mid"),
        (280 - 27 * 7 - 6, 27, "pregnant_mid"),
        (280 - 28 * 7, 28, "pregnant_late"),
        (0, 40, "pregnant_late"),
        (-20, 42, "pregnant_late"),
        # Nobody has told of the birth: nothing is guessed.
        (-21, None, None),
    ],
)
def test_a_pregnancy_is_counted_in_weeks(
    days_to_birth: int, week: int | None, stage: str | None
) -> None:
    child = Child(due_on=TODAY + timedelta(days=days_to_birth))

    standing = standing_on(child, TODAY)

    assert (standing.week, standing.stage) == (week, stage)


@pytest.mark.parametrize(
    ("born", "months", "stage"),
    [
        (TODAY, 0, MaternityStage.NEWBORN),
        (date(2026, 10, 19), 0, MaternityStage.NEWBORN),
        (date(2026, 10, 18), 1, MaternityStage.INFANT),
        (date(2025, 11, 19), 11, MaternityStage.INFANT),
        (date(2025, 11, 18), 12, MaternityStage.TODDLER),
        (date(2023, 11, 19), 35, MaternityStage.TODDLER),
        (date(2023, 11, 18), 36, None),
    ],
)
def test_after_the_birth_months_are_counted(born: date, months: int, stage: str | None) -> None:
    child = Child(due_on=TODAY + timedelta(days=30), born_on=born)

    standing = standing_on(child, TODAY)

    assert (standing.week, standing.months, standing.stage) == (None, months, stage)


def test_months_are_full_ones() -> None:
    assert full_months(date(2026, 1, 31), date(2026, 2, 28)) == 0
    assert full_months(date(2026, 1, 31), date(2026, 3, 1)) == 1
    assert full_months(date(2024, 2, 29), date(2025, 2, 28)) == 11


def test_each_child_has_a_stage_of_its_own(corp: Corp) -> None:
    customer = make_customer(corp)
    expect(customer)
    born = ChildDraft(name="Bao", gender=Child.Gender.GIRL, born_on=date(2025, 1, 1))
    add_child(customer, born, actor=LIN, now=NOW)

    stages = [standing_on(child, TODAY).stage for child in customer.children.order_by("pk")]

    assert stages == ["pregnant_mid", "toddler"]
    assert [entry.action for entry in AuditEntry.objects.all()] == ["children.added"] * 2


def test_a_child_is_born_and_one_noted_by_mistake_is_removed(corp: Corp) -> None:
    child = expect(make_customer(corp), days=3)

    change_child(child, ChildDraft(due_on=child.due_on, born_on=TODAY), actor=LIN, now=NOW)
    assert standing_on(child, TODAY).stage == "newborn"
    remove_child(child, actor=LIN, now=NOW)

    assert not Child.objects.exists()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "/due_on"),
        ({"due_on": TODAY + timedelta(days=300)}, "/due_on"),
        ({"due_on": date(1990, 1, 1)}, "/due_on"),
        ({"born_on": TODAY + timedelta(days=1)}, "/born_on"),
        ({"born_on": TODAY, "name": "x" * 33}, "/name"),
    ],
)
def test_what_cannot_be_is_refused(corp: Corp, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add_child(make_customer(corp), ChildDraft(**fields), actor=LIN, now=NOW)

    assert refused.value.errors[0].path == path
    assert not Child.objects.exists()


def test_a_lost_pregnancy_stops_everything(corp: Corp, alice: Staff) -> None:
    customer, other = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    enrolment, others = (
        make_enrolment(make_sop(corp, status="active"), each) for each in (customer, other)
    )
    child = expect(customer)

    lose(child)

    customer.refresh_from_db()
    assert (customer.is_blocked, customer.block_reason) == (True, "pregnancy_loss")
    assert standing_on(child, TODAY).stage is None
    enrolment.refresh_from_db()
    others.refresh_from_db()
    assert (enrolment.status, enrolment.reason) == ("exited", "pregnancy_loss")
    assert enrolment.runs.get().status == "skipped"
    assert others.status == "active"
    assert AuditEntry.objects.filter(action="children.loss_marked").exists()


def test_an_operators_mark_ends_no_sop_and_gives_way_to_a_loss(corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice)
    enrolment = make_enrolment(make_sop(corp, status="active"), customer)

    assert block_customer(customer, actor=LIN, now=NOW)
    enrolment.refresh_from_db()
    assert (enrolment.status, customer.block_reason) == ("active", "operator")
    lose(expect(customer))
    assert not block_customer(customer, actor=LIN, now=NOW)

    customer.refresh_from_db()
    assert customer.block_reason == "pregnancy_loss"


def test_it_is_undone_with_a_reason_only(corp: Corp) -> None:
    customer = make_customer(corp)
    child = lose(expect(customer))

    for why in ("", "  ", "x" * 501):
        with pytest.raises(InvalidInput):
            lift_loss(child, why=why, actor=LIN, now=NOW)
        with pytest.raises(InvalidInput):
            unblock_customer(customer, why=why, actor=LIN, now=NOW)
    with pytest.raises(InvalidInput):
        remove_child(child, actor=LIN, now=NOW)
    customer.refresh_from_db()
    assert customer.is_blocked
    lift_loss(child, why="The wrong customer.", actor=LIN, now=NOW)

    customer.refresh_from_db()
    child.refresh_from_db()
    assert (customer.is_blocked, customer.block_reason, child.lost_on) == (False, "", None)
    lifted = AuditEntry.objects.get(action="children.loss_lifted")
    assert lifted.data["why"] == "The wrong customer."


def test_one_of_two_losses_lifted_changes_nothing_for_her(corp: Corp) -> None:
    customer = make_customer(corp)
    first, second = (lose(expect(customer)) for _ in range(2))

    lift_loss(first, why="A mistake.", actor=LIN, now=NOW)
    customer.refresh_from_db()
    assert customer.is_blocked
    second.customer.refresh_from_db()
    lift_loss(second, why="A mistake.", actor=LIN, now=NOW)

    customer.refresh_from_db()
    assert not customer.is_blocked


def test_a_born_child_is_not_marked_and_nothing_is_marked_ahead(corp: Corp) -> None:
    born = add_child(make_customer(corp), ChildDraft(born_on=TODAY), actor=SYSTEM, now=NOW)
    with pytest.raises(InvalidInput):
        lose(born)
    with pytest.raises(InvalidInput):
        mark_loss(expect(make_customer(corp)), on=TODAY + timedelta(days=1), actor=SYSTEM, now=NOW)

    assert not Customer.objects.filter(is_blocked=True).exists()
