"""The pages of value, tag rules and children."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from customers.actions.tag_rules import save_tag_rule
from customers.actions.value import compute_values
from customers.models import (
    Child,
    Customer,
    CustomerValue,
    TagAssignment,
    TagRule,
    ValueSettings,
)
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_department,
    make_order,
    make_staff,
    make_tag,
)

SURE = {"_form_submitted": "True"}
CHURN = "admin:customers_customervalue_churn"


@pytest.fixture
def operator(enter: Enter, corp: Corp) -> Client:
    return speak(enter("op", corp=corp), "en")


def make_buyer(corp: Corp, *days: int, name: str = "") -> Customer:
    customer = make_customer(corp, name=name or "Somebody")
    for each in days:
        make_order(corp, customer=customer, paid_at=NOW - timedelta(days=each))
    return customer


# --- value ---------------------------------------------------------------------------------------


def test_the_board_counts_and_leads_to_the_list(operator: Client, corp: Corp) -> None:
    best, other = make_buyer(corp, 1, 2, 3), make_buyer(corp, 90)
    compute_values(corp, now=NOW)
    value = CustomerValue.objects.get(pk=best.pk)

    whole = operator.get(page(CustomerValue, "changelist"))
    square = operator.get(f"{page(CustomerValue, 'changelist')}?r={value.r}&f={value.f}")

    counts = {(r, each["f"]): each["number"] for r, row in whole.context["board"] for each in row}
    assert sum(counts.values()) == 2
    assert counts[value.r, value.f] == 1
    assert {row.pk for row in whole.context["cl"].result_list} == {best.pk, other.pk}
    assert [row.pk for row in square.context["cl"].result_list] == [best.pk]
    assert "important, valued" in whole.content.decode()


def test_the_churn_list_says_who_is_late_and_by_how_much(operator: Client, corp: Corp) -> None:
    make_buyer(corp, 12, 19, 26, name="Late")
    make_buyer(corp, 40, 47, 54, name="Gone")
    compute_values(corp, now=NOW)

    late = operator.get(reverse(CHURN)).content.decode()
    gone = operator.get(f"{reverse(CHURN)}?who=lost").content.decode()

    assert ("Late" in late, "Gone" in late) == (True, False)
    assert ("Late" in gone, "Gone" in gone) == (False, True)


def test_nobody_sees_the_value_of_customers_outside_the_scope(
    enter: Enter, mallory: Client, corp: Corp
) -> None:
    department = make_department(corp)
    mine = make_customer(corp, staff=make_staff(corp, departments=[department]))
    make_order(corp, customer=mine)
    make_buyer(corp, 12, 19, 26, name="Geheim")
    compute_values(corp, now=NOW)
    lead = enter("dora", corp=corp, departments=[department])

    listed = lead.get(page(CustomerValue, "changelist"))

    assert [row.pk for row in listed.context["cl"].result_list] == [mine.pk]
    assert sum(each["number"] for _r, row in listed.context["board"] for each in row) == 1
    assert "Geheim" not in lead.get(reverse(CHURN)).content.decode()
    assert mallory.get(f"{reverse(CHURN)}?corp={corp.pk}").status_code == 404
    assert "Geheim" not in mallory.get(page(CustomerValue, "changelist")).content.decode()


def test_the_lists_take_as_many_queries_for_many(operator: Client, corp: Corp) -> None:
    counts = []
    for _round in range(2):
        for _number in range(5):
            make_buyer(corp, 12, 19, 26)
        compute_values(corp, now=NOW)
        for url in (page(CustomerValue, "changelist"), reverse(CHURN)):
            operator.get(url)
            with CaptureQueriesContext(connection) as queries:
                operator.get(url)
            counts.append(len(queries))

    assert counts[:2] == counts[2:]
    assert max(counts) <= 20


def test_thresholds_are_given_in_yuan_and_wrong_ones_refused(operator: Client, corp: Corp) -> None:
    given = {
        "method": "fixed",
        "recency": "15, 30,60,90",
        "frequency": "1，2，4，8",
        "monetary": "0.01, 100, 500, 2000",
        "margin": "0.4",
    }
    wrong = operator.post(page(ValueSettings, "add"), {**given, "recency": "90, 15"})
    assert "Give four ascending whole numbers." in wrong.content.decode()
    operator.post(page(ValueSettings, "add"), given)

    saved = ValueSettings.objects.get(corp=corp)
    assert (saved.recency, saved.frequency) == ([15, 30, 60, 90], [1, 2, 4, 8])
    assert saved.monetary == [1, 10_000, 50_000, 200_000]
    assert "500" in operator.get(page(ValueSettings, "change", saved.pk)).content.decode()


def test_it_is_reckoned_on_demand(operator: Client, mallory: Client, corp: Corp) -> None:
    url = f"{reverse('admin:customers_customervalue_reckon')}?corp={corp.pk}"

    assert mallory.post(url).status_code == 404
    assert operator.post(url).status_code == 302
    assert Job.objects.get().kind == "value.compute"


# --- tag rules -----------------------------------------------------------------------------------

ALL: dict[str, list[object]] = {"all": []}


def test_a_tag_rule_is_made_simulated_switched_on_and_deleted(
    operator: Client, corp: Corp, alice: Staff
) -> None:
    make_customer(corp, staff=alice, name="Gaining")
    given = {"name": "Everybody", "group": "Automatic tags", "rule": json.dumps(ALL)}

    operator.post(page(TagRule, "add"), given)
    rule = TagRule.objects.select_related("tag__group").get()
    assert (rule.tag.name, rule.tag.kind, rule.is_active) == ("Everybody", "auto", False)
    told = operator.get(page(TagRule, "change", rule.pk))
    assert told.context["simulated"].gain == 1
    assert "Gaining" in told.content.decode()
    assert not TagAssignment.objects.exists()

    base = f"{page(TagRule, 'changelist')}{rule.pk}"
    operator.post(f"{base}/switch_on/", SURE)
    run_due_jobs(clock=timezone.now)
    assert TagAssignment.objects.get().why["tag_rule"] == rule.pk
    operator.post(f"{base}/switch_off/", SURE)
    operator.post(f"{base}/remove/", SURE)
    assert not TagRule.objects.exists()
    assert not TagAssignment.objects.exists()


def test_a_tag_rule_is_simulated_while_it_is_written(
    operator: Client, corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp, kind="auto")
    rule = save_tag_rule(
        None, tag=tag, condition=ALL, is_lasting=False, corp=corp, actor=SYSTEM, now=NOW
    )
    make_customer(corp, staff=alice, name="Losing", tags=[tag])
    nobody = {"all": [{"field": "orders.count", "op": "gte", "value": 5}]}

    def ask(pk: int, condition: object) -> dict[str, object]:
        address = reverse("admin:customers_tagrule_preview", args=[pk]) + f"?corp={corp.pk}"
        body = {"rule": condition}
        told: dict[str, object] = operator.post(
            address, body, content_type="application/json"
        ).json()
        return told

    assert "0 gain it, 1 lose it, 0 keep it." in str(ask(rule.pk, nobody)["words"])
    assert ask(rule.pk, nobody)["sample"] == ["− Losing"]
    assert "0 gain it, 0 lose it, 1 keep it." in str(ask(rule.pk, ALL)["words"])
    assert "1 gain it" in str(ask(0, ALL)["words"])
    assert ask(0, {"all": [{}]})["errors"]


def test_tag_rules_of_others_are_not_there(mallory: Client, enter: Enter, corp: Corp) -> None:
    tag = make_tag(corp, "Geheim", kind="auto")
    rule = TagRule.objects.create(corp=corp, tag=tag, rule=ALL, updated_at=NOW)
    lead = enter("dora", corp=corp, departments=[make_department(corp)])

    for client in (mallory, lead):
        assert client.get(page(TagRule, "change", rule.pk)).status_code == 404
        assert "Geheim" not in client.get(page(TagRule, "changelist")).content.decode()
        for pk in (0, rule.pk):
            url = reverse("admin:customers_tagrule_preview", args=[pk]) + f"?corp={corp.pk}"
            answer = client.post(url, {"rule": ALL}, content_type="application/json")
            assert answer.status_code == 404
        client.post(f"{page(TagRule, 'changelist')}{rule.pk}/switch_on/", SURE)
    rule.refresh_from_db()
    assert not rule.is_active


# --- children ------------------------------------------------------------------------------------


def test_children_are_noted_on_the_page_of_the_customer(operator: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    due = (timezone.now() + timedelta(days=30)).date().isoformat()
    add = reverse("admin:customers_customer_child_add", args=[customer.pk])

    wrong = operator.post(add, {"name": "Bao", "gender": 1})
    assert "Say when it is due, or was born." in wrong.content.decode()
    operator.post(add, {"name": "Bao", "gender": 1, "due_on": due})

    child = Child.objects.get()
    shown = operator.get(page(Customer, "change", customer.pk)).content.decode()
    assert "Bao" in shown
    assert "late pregnancy" in shown
    one = reverse("admin:customers_customer_child", args=[customer.pk, child.pk])
    operator.post(one, {"name": "Bao Bao", "gender": 1, "due_on": due})
    child.refresh_from_db()
    assert child.name == "Bao Bao"
    operator.post(f"{one}act/", {"act": "remove"})
    assert not Child.objects.exists()


def test_many_children_take_as_many_queries_as_one(operator: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    counts = []
    for number in (1, 4):
        for _each in range(number):
            Child.objects.create(corp=corp, customer=customer, born_on=NOW.date(), created_at=NOW)
        operator.get(page(Customer, "change", customer.pk))
        with CaptureQueriesContext(connection) as queries:
            operator.get(page(Customer, "change", customer.pk))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def is_blocked(customer: Customer) -> bool:
    customer.refresh_from_db()
    return customer.is_blocked


def test_a_loss_is_marked_and_lifted_with_a_reason(operator: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    child = Child.objects.create(corp=corp, customer=customer, due_on=NOW.date(), created_at=NOW)
    one = reverse("admin:customers_customer_child", args=[customer.pk, child.pk])
    unblock = f"{page(Customer, 'changelist')}{customer.pk}/unblock/"

    operator.post(f"{one}act/", {"act": "loss"})
    customer.refresh_from_db()
    assert customer.block_reason == "pregnancy_loss"
    operator.post(f"{one}act/", {"act": "lift", "why": ""})
    operator.post(unblock, {**SURE, "why": ""})
    chosen = {"action": "unblock_chosen", "_selected_action": [customer.pk]}
    operator.post(f"{page(Customer, 'changelist')}?state=all", chosen)
    assert is_blocked(customer)

    operator.post(f"{one}act/", {"act": "lift", "why": "Not she."})
    assert not is_blocked(customer)
    assert AuditEntry.objects.get(action="children.loss_lifted").data["why"] == "Not she."


def test_nobody_touches_the_children_of_others(mallory: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    child = Child.objects.create(corp=corp, customer=customer, due_on=NOW.date(), created_at=NOW)
    theirs = make_customer(make_corp())

    one = reverse("admin:customers_customer_child", args=[customer.pk, child.pk])
    assert mallory.post(f"{one}act/", {"act": "remove"}).status_code == 404
    crossed = reverse("admin:customers_customer_child", args=[theirs.pk, child.pk])
    assert mallory.post(f"{crossed}act/", {"act": "remove"}).status_code == 404
    assert Child.objects.exists()
