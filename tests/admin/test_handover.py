"""Handover in the admin: who waits, the wizard, the page of a plan, its buttons."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from customers.models import HandoverItem, HandoverLeg, HandoverPlan, WaitingCustomer
from scrm.channels.models import Operation
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.rows import make_operation
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_customer,
    make_department,
    make_group_chat,
    make_handover_plan,
    make_staff,
    make_stage,
    make_tag,
)

PRESSED = {"_form_submitted": "True"}


@pytest.fixture
def leaver(corp: Corp) -> Staff:
    left_at = timezone.now() - timedelta(days=3)
    return make_staff(corp, name="Carol Chen", status="left", left_at=left_at)


def press(client: Client, plan: HandoverPlan, button: str) -> int:
    address = f"{page(HandoverPlan, 'changelist')}{plan.pk}/{button}/"
    return client.post(address, PRESSED).status_code


# --- leaving ---


def test_marking_a_member_as_leaving(lin: Client, alice: Staff) -> None:
    address = page(Staff, "change", alice.pk)
    assert "She is leaving" in speak(lin, "en").get(address).content.decode()

    lin.post(f"{page(Staff, 'changelist')}{alice.pk}/mark_leaving/", PRESSED)

    alice.refresh_from_db()
    assert alice.leaving_since
    shown = lin.get(address).content.decode()
    assert "is leaving" in shown
    assert "She stays" in shown
    lin.post(f"{page(Staff, 'changelist')}{alice.pk}/unmark_leaving/", PRESSED)
    alice.refresh_from_db()
    assert alice.leaving_since is None


# --- who waits ---


def test_nobody_waits(lin: Client, corp: Corp) -> None:
    text = speak(lin, "en").get(page(WaitingCustomer, "changelist")).content.decode()

    assert "Every customer has a colleague who is there for them." in text


def test_the_board_counts_what_waits(lin: Client, corp: Corp, leaver: Staff) -> None:
    for _ in range(3):
        make_customer(corp, staff=leaver)
    moving = make_handover_plan(corp, from_staff=leaver, status="executing")
    moving.items.update(status="waiting", asked_at=NOW)
    make_group_chat(corp, owner=leaver)
    safe = make_staff(corp, name="Dave", leaving_since=NOW)

    answer = speak(lin, "en").get(page(WaitingCustomer, "changelist"))

    first, second = answer.context["board"]
    assert (first.staff, first.waiting, first.on_the_way, first.chats) == (leaver, 3, 1, 1)
    assert (second.staff, second.is_safe_to_delete) == (safe, True)
    assert "Her account can be deleted in WeCom" in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("q=Zoe", 1),
        ("way=none", 1),
        ("way=planned", 1),
        ("way=going", 1),
        ("stage=nonsense", 3),
    ],
)
def test_finding_who_waits(query: str, count: int, lin: Client, corp: Corp, leaver: Staff) -> None:
    make_customer(corp, staff=leaver, name="Zoe", stage=make_stage(corp, "new"))
    make_handover_plan(corp, from_staff=leaver)
    going = make_handover_plan(corp, from_staff=leaver, status="executing")
    going.items.update(status="waiting", asked_at=NOW)

    answer = lin.get(f"{page(WaitingCustomer, 'changelist')}?{query}")

    assert len(answer.context["cl"].result_list) == count


def test_the_list_asks_as_often_for_many(lin: Client, corp: Corp, leaver: Staff) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert lin.get(page(WaitingCustomer, "changelist")).status_code == 200
        return len(captured)

    make_customer(corp, staff=leaver, tags=[make_tag(corp)])
    queries()
    few = queries()
    for number in range(4):
        other = make_staff(corp, status="left", left_at=NOW)
        make_customer(
            corp, staff=[leaver, other], tags=[make_tag(corp)], stage=make_stage(corp, f"s{number}")
        )
    assert queries() == few


def test_reading_from_wecom_now(lin: Client, corp: Corp) -> None:
    lin.get(reverse("admin:customers_waitingcustomer_read_now"))

    assert Job.objects.filter(kind="handover.unassigned", corp=corp).count() == 1


def test_a_lead_sees_who_waits_of_her_departments(corp: Corp, enter: Enter, leaver: Staff) -> None:
    east = make_department(corp, name="East")
    near = make_staff(corp, departments=[east], status="left", left_at=NOW)
    mine = make_customer(corp, staff=near)
    make_customer(corp, staff=leaver)
    theirs = make_handover_plan(corp, from_staff=leaver)
    dora = enter("dora", corp=corp, departments=[east])

    answer = dora.get(page(WaitingCustomer, "changelist"))

    assert [follow.customer for follow in answer.context["cl"].result_list] == [mine]
    assert [card.staff for card in answer.context["board"]] == [near]
    assert dora.get(page(HandoverPlan, "change", theirs.pk)).status_code == 404
    assert dora.get(f"{page(HandoverPlan, 'add')}?from={leaver.pk}").status_code == 404
    assert list(dora.get(page(HandoverItem, "changelist")).context["cl"].result_list) == []


# --- the wizard ---


def test_the_wizard_begins_with_who_leaves(lin: Client, corp: Corp, leaver: Staff) -> None:
    make_customer(corp, staff=leaver)

    text = speak(lin, "en").get(page(HandoverPlan, "add")).content.decode()

    assert f"?from={leaver.pk}" in text
    assert "Or hand over for somebody who stays" in text


def test_the_wizard_makes_a_plan(
    lin: Client, corp: Corp, leaver: Staff, alice: Staff, bob: Staff
) -> None:
    for _ in range(4):
        make_customer(corp, staff=leaver)
    make_group_chat(corp, owner=leaver)
    make_staff(corp, name="Absent", status="disabled")
    address = f"{page(HandoverPlan, 'add')}?from={leaver.pk}"

    shown = lin.get(address)
    assert [one.staff for one in shown.context["colleagues"]] == [alice, bob]
    assert (shown.context["customers"], shown.context["chats"]) == (4, 1)
    answer = lin.post(address, {"to": ["alice", "bob"], "include_groups": "on"})

    plan = HandoverPlan.objects.get()
    assert answer["Location"] == page(HandoverPlan, "change", plan.pk)
    assert plan.items.count() == 5
    assert plan.kind == "resigned"


def test_the_wizard_says_what_is_missing(lin: Client, corp: Corp, leaver: Staff) -> None:
    answer = lin.post(f"{page(HandoverPlan, 'add')}?from={leaver.pk}", {})

    assert answer.status_code == 200
    assert not HandoverPlan.objects.exists()


def test_chosen_customers_go_to_the_wizard(
    lin: Client, corp: Corp, leaver: Staff, alice: Staff
) -> None:
    chosen, _other = (make_customer(corp, staff=leaver) for _ in range(2))
    follow = WaitingCustomer.objects.get(customer=chosen)

    answer = lin.post(
        page(WaitingCustomer, "changelist"),
        {"action": "plan_chosen", "_selected_action": [follow.pk], "index": 0},
    )
    assert answer["Location"].endswith(f"?from={leaver.pk}&customers={chosen.pk}")
    lin.post(answer["Location"], {"to": ["alice"]})

    assert [item.customer for item in HandoverPlan.objects.get().items.all()] == [chosen]


def test_customers_of_two_leavers_are_two_plans(lin: Client, corp: Corp, leaver: Staff) -> None:
    other = make_staff(corp, status="left", left_at=NOW)
    make_customer(corp, staff=[leaver, other])
    rows = WaitingCustomer.objects.values_list("pk", flat=True)

    answer = lin.post(
        page(WaitingCustomer, "changelist"),
        {"action": "plan_chosen", "_selected_action": list(rows), "index": 0},
    )

    assert "handoverplan" not in answer["Location"]


def test_somebody_who_stays_hands_over_with_a_message(
    lin: Client, corp: Corp, alice: Staff, bob: Staff
) -> None:
    make_customer(corp, staff=alice)

    lin.post(f"{page(HandoverPlan, 'add')}?from={alice.pk}", {"to": ["bob"], "message": "再会"})

    plan = HandoverPlan.objects.get()
    assert (plan.kind, plan.message) == ("in_service", "再会")


# --- the page of a plan ---


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_draft_shows_what_would_happen(lin: Client, corp: Corp, language: str) -> None:
    plan = make_handover_plan(corp, customers=3)
    gone = plan.items.order_by("pk")[0]
    assert gone.customer
    gone.customer.follows.update(status="gone", ended_at=NOW)

    answer = speak(lin, language).get(page(HandoverPlan, "change", plan.pk))

    picture = answer.context["picture"]
    assert (picture.ready, [loss.count for loss in picture.blocked]) == (2, [1])
    assert [(taker.load.before, taker.load.after) for taker in picture.takers] == [(0, 2)]


def test_a_running_plan_shows_how_far_it_came(lin: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp, customers=4, status="executing", executed_at=NOW)
    rejected, waiting, succeeded, parked = plan.items.order_by("pk")
    takeover_at = timezone.now() + timedelta(hours=20, minutes=5)
    HandoverItem.objects.filter(pk=rejected.pk).update(
        status="rejected", asked_at=NOW, reason="customer_refused"
    )
    HandoverItem.objects.filter(pk=waiting.pk).update(
        status="waiting", asked_at=NOW, takeover_at=takeover_at
    )
    HandoverItem.objects.filter(pk=succeeded.pk).update(status="succeeded", asked_at=NOW)
    operation = make_operation(corp, kind="transfer_customers", error="48002: not allowed")
    HandoverItem.objects.filter(pk=parked.pk).update(
        status="asked", asked_at=NOW, operation=operation
    )
    HandoverLeg.objects.create(corp=corp, plan=plan, to_staff=plan.takers.get())
    assert operation.status == Operation.Status.PARKED

    answer = speak(lin, "en").get(page(HandoverPlan, "change", plan.pk))

    picture = answer.context["picture"]
    assert [step.count for step in picture.steps] == [4, 4, 3, 1]
    assert [(loss.name, loss.count) for loss in picture.losses] == [("refused by the customer", 1)]
    text = answer.content.decode()
    assert "48002: not allowed" in text
    assert "The customer did not want the new colleague." in text
    assert "all are taken over in 20\xa0hours" in text
    part = lin.get(reverse("admin:customers_handoverplan_picture", args=[plan.pk]))
    assert "hx-get" in part.content.decode()


def test_the_page_asks_as_often_for_many(lin: Client, corp: Corp) -> None:
    small, large = (make_handover_plan(corp, customers=count) for count in (2, 12))

    def queries(plan: HandoverPlan) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert lin.get(page(HandoverPlan, "change", plan.pk)).status_code == 200
        return len(captured)

    queries(small)
    assert queries(small) == queries(large)


def test_buttons_follow_the_state(lin: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp)
    english = speak(lin, "en")
    address = page(HandoverPlan, "change", plan.pk)
    assert "Carry out" in english.get(address).content.decode()

    assert press(lin, plan, "execute") in {200, 302}
    plan.refresh_from_db()
    assert plan.status == "executing"
    # The second click is told that it came late.
    press(lin, plan, "execute")
    assert Job.objects.filter(kind="handover.execute").count() == 1

    shown = english.get(address).content.decode()
    assert "Stop the rest" in shown
    assert "Refresh now" in shown
    press(lin, plan, "refresh")
    assert Job.objects.filter(kind="handover.refresh").exists()
    press(lin, plan, "cancel")
    plan.refresh_from_db()
    assert plan.status == "cancelled"


def test_a_draft_is_discarded(lin: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp)

    press(lin, plan, "discard")

    plan.refresh_from_db()
    assert plan.status == "cancelled"
    assert set(plan.items.values_list("status", flat=True)) == {"cancelled"}


def test_another_corps_plan_cannot_be_carried_out(mallory: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp)

    assert press(mallory, plan, "execute") == 404
    picture = reverse("admin:customers_handoverplan_picture", args=[plan.pk])
    assert mallory.get(picture).status_code == 404
    assert mallory.get(f"{page(HandoverPlan, 'add')}?from={plan.from_staff_id}").status_code == 404


# --- items ---


def test_items_are_given_to_another_taker(lin: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp, customers=2)
    make_staff(corp, userid="eve")
    address = f"{page(HandoverItem, 'changelist')}?plan={plan.pk}"
    chosen = {"action": "give_to", "_selected_action": [item.pk for item in plan.items.all()]}

    asked = lin.post(address, {**chosen, "index": 0})
    assert asked.status_code == 200
    lin.post(address, {**chosen, "index": 0, "apply": "1", "taker": "eve"})

    assert {item.to_staff.userid for item in plan.items.all() if item.to_staff} == {"eve"}


def test_items_are_taken_out(lin: Client, corp: Corp) -> None:
    plan = make_handover_plan(corp, customers=2)
    first, second = plan.items.order_by("pk")

    lin.post(
        page(HandoverItem, "changelist"),
        {"action": "take_out", "_selected_action": [first.pk], "index": 0},
    )

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("cancelled", "planned")


def test_lists_of_plans_and_items_ask_as_often_for_many(lin: Client, corp: Corp) -> None:
    def queries(model: type[HandoverPlan] | type[HandoverItem]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert lin.get(page(model, "changelist")).status_code == 200
        return len(captured)

    make_handover_plan(corp)
    for model in (HandoverPlan, HandoverItem):
        queries(model)
    few = [queries(model) for model in (HandoverPlan, HandoverItem)]
    for _ in range(4):
        make_handover_plan(corp, customers=2)
    assert [queries(model) for model in (HandoverPlan, HandoverItem)] == few
