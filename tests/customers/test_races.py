"""Two writers at the same customers: one waits, and neither undoes the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from customers.actions.contact_news import end_follow
from customers.actions.derived import lock_customers
from customers.actions.follows import apply_relations
from customers.actions.pretags import PretagRow, give_pretags, save_pretags
from customers.actions.tagging import tag_customers
from customers.actions.tags import delete_tag
from customers.models import Customer, CustomerTagSet, Follow, Tag, TagAssignment, TagGroup
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp, make_customer, make_staff, make_tag
from tests.groups.accounts import check_derived

LATER = NOW + timedelta(minutes=1)
Submit = Callable[[Callable[[], Any]], Future[Any]]

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def submit() -> Iterator[Submit]:
    """Another worker with a connection of its own."""

    def run(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        yield lambda act: pool.submit(run, act)


@pytest.fixture
def customer() -> Customer:
    corp = make_corp()
    return make_customer(corp, staff=make_staff(corp, userid="alice"), external_userid="wm1")


def waits(future: Future[Any]) -> bool:
    try:
        future.result(timeout=0.3)
    except NotYet:
        return True
    return False


def give(customer: Customer, tag: Tag) -> None:
    tag_customers([customer], corp=customer.corp, actor=SYSTEM, now=NOW, add=[tag])


def read_page(corp: Corp) -> None:
    page = [(CustomerRecord("wm1", "Name", 1, 2), FollowRecord("alice", NOW - timedelta(days=10)))]
    apply_relations(page, corp=corp, now=LATER, read_at=NOW)


def test_two_taggings_of_one_customer_both_count(customer: Customer, submit: Submit) -> None:
    first, second = make_tag(customer.corp), make_tag(customer.corp)

    with transaction.atomic():
        give(customer, first)
        other = submit(lambda: give(customer, second))
        assert waits(other)

    other.result(timeout=10)
    assert CustomerTagSet.objects.get().tag_ids == sorted([first.pk, second.pk])


def test_nobody_is_given_a_tag_that_is_being_deleted(customer: Customer, submit: Submit) -> None:
    tag = make_tag(customer.corp)

    with transaction.atomic():
        delete_tag(tag, actor=SYSTEM, now=NOW)
        other = submit(lambda: give(customer, tag))
        assert waits(other)

    with pytest.raises(InvalidInput):
        other.result(timeout=10)
    assert not TagAssignment.objects.exists()


def test_a_tag_being_deleted_is_taken_from_who_is_given_it(
    customer: Customer, submit: Submit
) -> None:
    tag = make_tag(customer.corp)

    with transaction.atomic():
        give(customer, tag)
        other = submit(lambda: delete_tag(tag, actor=SYSTEM, now=NOW))
        assert waits(other)

    other.result(timeout=10)
    assert not TagAssignment.objects.exists()
    assert not CustomerTagSet.objects.exists()


def test_a_page_does_not_revive_whom_an_event_has_just_ended(
    customer: Customer, submit: Submit
) -> None:
    with transaction.atomic():
        end_follow(
            "alice",
            "wm1",
            corp=customer.corp,
            status=Follow.Status.DELETED_BY_STAFF,
            happened_at=LATER,
            now=LATER,
        )
        other = submit(lambda: read_page(customer.corp))
        assert waits(other)

    other.result(timeout=10)
    assert Follow.objects.get().status == Follow.Status.DELETED_BY_STAFF
    assert Customer.objects.get().live_follows == 0


def test_two_bulk_taggings_at_once_wait_and_never_lock_each_other_out(submit: Submit) -> None:
    corp = make_corp()
    level = TagGroup.objects.create(corp=corp, name="Level", is_exclusive=True)
    silver, gold, other = make_tag(corp), make_tag(corp), make_tag(corp)
    Tag.objects.filter(pk__in=[silver.pk, gold.pk]).update(group=level)
    people = [make_customer(corp) for _ in range(40)]
    by: dict[str, Any] = {"corp": corp, "actor": SYSTEM, "now": NOW}

    def exchange(tag: Tag, chosen: list[Customer]) -> None:
        for _round in range(8):
            tag_customers(chosen, **by, add=[tag], remove=[other])
            tag_customers(chosen, **by, add=[other])

    # The same customers, named in contrary orders.
    theirs = submit(lambda: exchange(gold, people[::-1]))
    exchange(silver, people)
    theirs.result(timeout=60)

    levels = TagAssignment.objects.filter(tag__group=level)
    assert levels.count() == len(people)
    assert levels.values("tag").distinct().count() == 1
    check_derived(corp)


def test_whoever_arrives_is_not_locked_out_by_a_tag_that_is_being_deleted(submit: Submit) -> None:
    corp = make_corp()
    tag = make_tag(corp)
    customer = make_customer(corp, unionid="u1", tags=[tag])
    save_pretags([PretagRow("unionid", "u2", [tag.pk])], corp=corp, actor=SYSTEM, now=NOW)
    Customer.objects.update(unionid="u2")

    def arrive() -> int:
        with transaction.atomic():
            lock_customers(Customer.objects.filter(pk=customer.pk))
            return give_pretags([customer.pk], corp=corp, now=NOW)

    with transaction.atomic():
        list(Tag.objects.select_for_update().filter(pk=tag.pk))
        # It does not wait for the tag: the deletion is going to wait for the customer.
        assert submit(arrive).result(timeout=10) == 0
        delete_tag(tag, actor=SYSTEM, now=NOW)
    assert not TagAssignment.objects.exists()
