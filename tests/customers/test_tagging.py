"""Who carries which tag."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.tagging import Tagged, tag_customers
from customers.models import Customer, CustomerTagSet, Follow, Tag, TagAssignment
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.models import Operation, Refresh
from scrm.common.errors import InvalidInput
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_tag
from tests.groups.accounts import account, check_derived, truth

LATER = NOW + timedelta(hours=1)
PERSON = Actor(AuditEntry.ActorKind.USER, "1", "olga")
Priority = Operation.Priority


def carried_by(customer: Customer) -> list[int]:
    found = CustomerTagSet.objects.filter(customer=customer).first()
    return found.tag_ids if found else []


def change(
    corp: Corp,
    customers: list[Customer],
    *,
    add: list[Tag] | None = None,
    remove: list[Tag] | None = None,
) -> Tagged:
    return tag_customers(
        customers, corp=corp, actor=SYSTEM, now=LATER, add=add or [], remove=remove or []
    )


def test_gives_and_takes_our_own_tags_at_once(corp: Corp, alice: Staff) -> None:
    vip, auto, old = make_tag(corp), make_tag(corp, kind="auto"), make_tag(corp)
    first = make_customer(corp, staff=alice, tags=[old])
    second = make_customer(corp, staff=alice)

    tagged = change(corp, [first, second], add=[vip, auto], remove=[old])

    assert tagged == Tagged(added=4, removed=1, asked=0)
    assert carried_by(first) == carried_by(second) == sorted([vip.pk, auto.pk])
    check_derived(corp)
    assert set(CustomerTagSet.objects.values_list("changed_at", flat=True)) == {LATER}


def test_changes_nothing_for_who_has_the_tag_already(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    customer = make_customer(corp, staff=alice, tags=[vip])

    assert change(corp, [customer], add=[vip]) == Tagged()

    assert CustomerTagSet.objects.get().changed_at is None
    assert not AuditEntry.objects.exists()


def test_the_last_tag_taken_leaves_no_empty_array(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    customer = make_customer(corp, staff=alice, tags=[vip])

    assert change(corp, [customer], remove=[vip]).removed == 1

    assert not CustomerTagSet.objects.exists()
    assert not TagAssignment.objects.exists()
    assert Customer.objects.get().updated_at == LATER


def test_tags_whom_a_queryset_means_even_when_it_asks_for_the_tag(corp: Corp, alice: Staff) -> None:
    vip, seen = make_tag(corp), make_tag(corp)
    customers = [make_customer(corp, staff=alice, tags=[vip]) for _ in range(3)]
    make_customer(corp, staff=alice)
    chosen = Customer.objects.filter(tag_set__tag_ids__contains=[vip.pk])

    tagged = tag_customers(chosen, corp=corp, actor=SYSTEM, now=LATER, add=[seen], remove=[vip])

    assert tagged == Tagged(added=3, removed=3)
    assert {tuple(carried_by(customer)) for customer in customers} == {(seen.pk,)}


def test_takes_as_many_statements_for_many_as_for_one(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    customers = [make_customer(corp, staff=alice) for _ in range(20)]
    counts = []
    for chosen in (customers[:1], customers[1:]):
        with CaptureQueriesContext(connection) as queries:
            change(corp, chosen, add=[vip])
        counts.append(len(queries))

    # The sole customer is the subject of the audit entry, and read for it.
    assert counts[0] - 1 == counts[1] <= 7


def test_writes_one_audit_entry_for_all(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    customers = [make_customer(corp, staff=alice) for _ in range(3)]

    change(corp, customers, add=[vip])

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject_type) == ("customers.tagged", "tenancy.corp")
    assert entry.data == {"add": [vip.pk], "remove": [], "customers": 3, "asked": 0}


def test_refuses_tags_that_are_not_the_corps_or_deleted(corp: Corp, alice: Staff) -> None:
    foreign, deleted, both = make_tag(make_corp()), make_tag(corp, deleted_at=NOW), make_tag(corp)
    customer = make_customer(corp, staff=alice)

    with pytest.raises(InvalidInput) as refusal:
        change(corp, [customer], add=[both, foreign], remove=[deleted, both])

    assert {(p.path, p.code) for p in refusal.value.errors} == {
        ("/add/0", "conflict"),
        ("/add/1", "unknown_id"),
        ("/remove/0", "unknown_id"),
        ("/remove/1", "conflict"),
    }
    assert not TagAssignment.objects.exists()


def test_another_corps_customers_are_not_tagged(corp: Corp) -> None:
    vip, foreign = make_tag(corp), make_customer(make_corp())

    assert change(corp, [foreign], add=[vip]) == Tagged()
    assert change(corp, [], add=[vip]) == Tagged()


def test_platform_tags_are_asked_for_each_follow_that_needs_them(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    gold = make_tag(corp, kind="wecom")
    customer = make_customer(corp, staff=[alice, bob], tags=[gold])
    lost = make_customer(corp, staff=alice)
    Follow.objects.filter(customer=lost).update(status="gone", ended_at=NOW)

    tagged = change(corp, [customer, lost], add=[gold])

    assert tagged == Tagged(asked=1)
    operation = Operation.objects.get()
    assert operation.kind == "tag_customer"
    assert operation.payload == {
        "userid": "bob",
        "external_userid": customer.external_userid,
        "add": [gold.wecom_id],
        "remove": [],
        "source": "system",
        "why": {},
    }
    assert TagAssignment.objects.count() == 1


@pytest.mark.parametrize(
    ("actor", "count", "priority"),
    [(PERSON, 20, Priority.CLICK), (PERSON, 21, Priority.BULK), (SYSTEM, 1, Priority.BULK)],
)
def test_what_a_person_does_to_a_few_goes_before_bulk(
    corp: Corp, alice: Staff, actor: Actor, count: int, priority: Priority
) -> None:
    gold = make_tag(corp, kind="wecom")
    customers = [make_customer(corp, staff=alice) for _ in range(count)]

    tag_customers(customers, corp=corp, actor=actor, now=LATER, add=[gold])

    assert set(Operation.objects.values_list("priority", flat=True)) == {priority}


def test_our_rows_follow_when_the_platform_has_accepted(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = (
        Follow.objects.live()
        .select_related("customer")
        .filter(customer__live_follows=1)
        .earliest("pk")
    )
    before = set(carried_by(follow.customer))
    tag = Tag.objects.filter(kind="wecom").exclude(pk__in=before).latest("pk")

    change(synced_brand, [follow.customer], add=[tag])
    assert set(carried_by(follow.customer)) == before
    run_due_operations(now=LATER)

    assert set(carried_by(follow.customer)) == before | {tag.pk}
    assert account(synced_brand) == truth(sandbox)
    change(synced_brand, [follow.customer], remove=[tag])
    run_due_operations(now=LATER)
    assert set(carried_by(follow.customer)) == before
    assert account(synced_brand) == truth(sandbox)
    check_derived(synced_brand)


def test_a_refusal_leaves_our_rows_and_has_the_customer_read_again(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = (
        Follow.objects.live()
        .select_related("customer", "staff")
        .filter(customer__live_follows=1)
        .earliest("pk")
    )
    before = carried_by(follow.customer)
    tag = Tag.objects.filter(kind="wecom").exclude(pk__in=before).latest("pk")
    sandbox.people.member_deletes(follow.staff.userid, follow.customer.external_userid)

    change(synced_brand, [follow.customer], add=[tag])
    run_due_operations(now=LATER)

    assert Operation.objects.get().status == Operation.Status.FAILED
    assert carried_by(follow.customer) == before
    wished = Refresh.objects.values_list("kind", "key")
    assert ("customer", follow.customer.external_userid) in wished
