"""What the platform lists becomes what we have, in few statements and without idle writes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.follows import Applied, Relation, apply_relations, end_follows, end_unlisted
from customers.models import Customer, CustomerTagSet, Follow, Tag, TagAssignment
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer, make_follow, make_staff, make_tag
from tests.groups.accounts import dump_domain

LATER = NOW + timedelta(hours=1)
ADDED = NOW - timedelta(days=30)


def relation(external_userid: str, userid: str, **facts: Any) -> Relation:
    """What the platform says of one pair; facts of the customer begin with `c_`."""
    person = {key.removeprefix("c_"): facts.pop(key) for key in list(facts) if key[:2] == "c_"}
    customer: dict[str, Any] = {
        "name": f"Name of {external_userid}",
        "type": 1,
        "gender": 2,
    } | person
    return (
        CustomerRecord(external_userid=external_userid, **customer),
        FollowRecord(userid=userid, **({"added_at": ADDED} | facts)),
    )


def apply(corp: Corp, *relations: Relation, now: datetime = NOW) -> Applied:
    return apply_relations(relations, corp=corp, now=now, read_at=now)


def tag_names(customer: Customer) -> list[str]:
    found = CustomerTagSet.objects.filter(customer=customer).first()
    return (
        list(Tag.objects.filter(pk__in=found.tag_ids).values_list("name", flat=True))
        if found
        else []
    )


def test_makes_customers_follows_and_tags(corp: Corp, alice: Staff, bob: Staff) -> None:
    gold, new = make_tag(corp, "gold", kind="wecom"), make_tag(corp, "new", kind="wecom")
    later = ADDED + timedelta(days=5)

    applied = apply(
        corp,
        relation("wm1", "alice", added_at=later, remark="R", state="s", tag_ids=(gold.wecom_id,)),
        relation("wm1", "bob", tag_ids=(gold.wecom_id, new.wecom_id)),
        relation("wm2", "bob", c_name="王五", c_unionid="ou", c_gender=1),
    )

    first, second = Customer.objects.order_by("external_userid")
    assert (applied.created, applied.customers_created, applied.unchanged) == (3, 2, 0)
    assert (first.live_follows, first.added_at) == (2, ADDED)
    assert (second.name, second.unionid, second.gender) == ("王五", "ou", 1)
    assert CustomerTagSet.objects.get().tag_ids == sorted([gold.pk, new.pk])
    assert TagAssignment.objects.count() == 3
    follow = Follow.objects.get(customer=first, staff=alice)
    assert (follow.added_at, follow.remark, follow.state) == (later, "R", "s")


def test_writes_nothing_when_all_is_as_it_was(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp, kind="wecom")
    page = [relation(f"wm{n}", "alice", tag_ids=(tag.wecom_id,)) for n in range(5)]
    apply(corp, *page)
    before = dump_domain()

    applied = apply(corp, *page, now=LATER)

    assert dump_domain() == before
    assert (applied.created, applied.updated, applied.unchanged) == (0, 0, 5)


def test_writes_only_what_changed(corp: Corp, alice: Staff) -> None:
    apply(corp, relation("wm1", "alice"), relation("wm2", "alice"), relation("wm3", "alice"))

    applied = apply(
        corp,
        relation("wm1", "alice", remark="new"),
        relation("wm2", "alice", c_name="new"),
        relation("wm3", "alice"),
        now=LATER,
    )

    assert (applied.updated, applied.customers_updated, applied.unchanged) == (1, 1, 2)
    touched = Customer.objects.filter(updated_at=LATER).order_by("pk")
    assert [customer.external_userid for customer in touched] == ["wm1", "wm2"]


@pytest.mark.parametrize("known", [False, True])
def test_takes_as_many_statements_for_a_hundred_as_for_one(
    corp: Corp, alice: Staff, known: bool
) -> None:
    tags = [make_tag(corp, kind="wecom") for _ in range(5)]

    def page(size: int, remark: str) -> Sequence[Relation]:
        return [
            relation(f"wm{n}", "alice", remark=remark, tag_ids=(tags[n % 5].wecom_id,))
            for n in range(size)
        ]

    counts = []
    for size in (1, 100):
        if known:
            apply(corp, *page(size, "before"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            apply(corp, *page(size, "after"))
        counts.append(len(queries))

    assert counts[0] == counts[1]
    # Thirteen, of which one notes facts, two ask for stage and tag rules, and one whether anything
    # waits for whoever is new; and a savepoint's begin and end inside the test's transaction.
    assert counts[0] <= 15


def test_what_the_customer_ended_stays_ended_until_added_again(corp: Corp, alice: Staff) -> None:
    apply(corp, relation("wm1", "alice"))
    Follow.objects.update(status="deleted_by_customer", ended_at=NOW)
    Customer.objects.update(live_follows=0, added_at=None)

    apply(corp, relation("wm1", "alice", remark="still listed"), now=LATER)

    follow = Follow.objects.get()
    assert (follow.status, follow.ended_at, follow.remark) == (
        "deleted_by_customer",
        NOW,
        "still listed",
    )
    assert Customer.objects.get().live_follows == 0
    again = NOW + timedelta(minutes=1)
    apply(corp, relation("wm1", "alice", added_at=again), now=LATER)
    follow.refresh_from_db()
    assert (follow.status, follow.ended_at, follow.added_at) == ("live", None, again)
    assert Customer.objects.get().added_at == again


@pytest.mark.parametrize("status", ["gone", "deleted_by_staff", "transferred"])
def test_what_is_listed_again_is_live_again(corp: Corp, alice: Staff, status: str) -> None:
    apply(corp, relation("wm1", "alice"))
    end_follows([Follow.objects.get().pk], status=Follow.Status(status), now=NOW)
    assert Customer.objects.get().live_follows == 0

    apply(corp, relation("wm1", "alice"), now=LATER)

    follow = Follow.objects.get()
    assert (follow.status, follow.ended_at) == ("live", None)
    assert Customer.objects.get().live_follows == 1


def test_leaves_out_what_changed_after_the_page_was_asked_for(corp: Corp, alice: Staff) -> None:
    apply(corp, relation("wm1", "alice"))
    end_follows([Follow.objects.get().pk], status=Follow.Status.DELETED_BY_STAFF, now=LATER)

    applied = apply_relations(
        [relation("wm1", "alice"), relation("wm2", "alice")], corp=corp, now=LATER, read_at=NOW
    )

    assert applied.overtaken == {"wm1"}
    assert Follow.objects.get(customer__external_userid="wm1").status == "deleted_by_staff"
    assert Follow.objects.get(customer__external_userid="wm2").status == "live"


def test_staff_nobody_told_of_get_a_row(corp: Corp) -> None:
    apply(corp, relation("wm1", "carol"))

    carol = Staff.objects.get()
    assert (carol.userid, carol.name, carol.status) == ("carol", "carol", "active")
    assert carol.has_customer_contact


def test_userids_that_differ_in_case_are_one_person(corp: Corp, alice: Staff) -> None:
    apply(corp, relation("wm1", "Alice"), relation("wm2", "ALICE"), relation("wm3", "alice"))

    assert Staff.objects.get() == alice
    assert Follow.objects.filter(staff=alice).count() == 3


def test_tags_that_no_list_names_are_kept_by_their_id_and_named_later(
    corp: Corp, alice: Staff
) -> None:
    apply(corp, relation("wm1", "alice", tag_ids=("stRULE",)))

    tag = Tag.objects.select_related("group").get()
    assert (tag.name, tag.kind, tag.group.name) == ("stRULE", "wecom", "规则组标签")
    assert CustomerTagSet.objects.get().tag_ids == [tag.pk]
    named = {"stRULE": ("华南区", "门店A")}
    apply(corp, relation("wm1", "alice", tag_ids=("stRULE",), tag_names=named), now=LATER)
    tag.refresh_from_db()
    assert (tag.name, tag.group.name) == ("门店A", "规则组标签/华南区")
    before = dump_domain()
    apply(corp, relation("wm1", "alice", tag_ids=("stRULE",)), now=LATER)
    assert dump_domain() == before


def test_nobody_is_given_a_deleted_tag(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp, kind="wecom", deleted_at=NOW)

    apply(corp, relation("wm1", "alice", tag_ids=(tag.wecom_id,)))

    assert not TagAssignment.objects.exists()
    assert not CustomerTagSet.objects.exists()


def test_platform_tags_count_for_as_long_as_a_follow_that_has_them_lives(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    own, gold, new = (
        make_tag(corp, "own"),
        make_tag(corp, "gold", kind="wecom"),
        make_tag(corp, "new", kind="wecom"),
    )
    apply(
        corp,
        relation("wm1", "alice", tag_ids=(gold.wecom_id,)),
        relation("wm1", "bob", tag_ids=(gold.wecom_id, new.wecom_id)),
    )
    customer = Customer.objects.get()
    TagAssignment.objects.create(corp=corp, customer=customer, tag=own, since=NOW)

    end_follows([Follow.objects.get(staff=bob).pk], status=Follow.Status.GONE, now=LATER)
    assert tag_names(customer) == ["own", "gold"]
    apply(corp, relation("wm1", "alice"), now=LATER)
    assert tag_names(customer) == ["own"]
    TagAssignment.objects.filter(tag=own).delete()
    apply(corp, relation("wm1", "alice", remark="x", tag_ids=(new.wecom_id,)), now=LATER)
    apply(corp, relation("wm1", "alice", remark="x"), now=LATER)
    assert not CustomerTagSet.objects.exists()


def test_odd_values_are_stored_as_far_as_they_can_be(corp: Corp, alice: Staff) -> None:
    odd = {"c_name": "a\x00b" * 100, "c_gender": 9, "c_type": 0}

    apply(corp, relation("wm1", "alice", remark="r" * 500, add_way=10**6, **odd))

    customer, follow = Customer.objects.get(), Follow.objects.get()
    assert (customer.name, customer.gender, customer.type) == (("ab" * 100)[:128], 0, 1)
    assert (follow.remark, follow.add_way) == ("r" * 128, 0)


def test_an_identity_once_known_is_not_forgotten(corp: Corp, alice: Staff) -> None:
    apply(corp, relation("wm1", "alice", c_unionid="ou"))

    apply(corp, relation("wm1", "alice"), now=LATER)

    assert Customer.objects.get().unionid == "ou"


def test_an_empty_page_is_no_work(corp: Corp) -> None:
    assert apply(corp).created == 0


def test_ends_what_a_reading_of_one_customer_does_not_list(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    gone_too = make_staff(corp, has_customer_contact=False, status="left")
    customer = make_customer(corp, staff=[alice, bob, gone_too], updated_at=NOW)

    ended = end_unlisted(
        customer.external_userid, corp=corp, listed=[alice.pk], now=LATER, read_at=LATER
    )

    assert ended
    status = dict(Follow.objects.values_list("staff_id", "status"))
    # Who has left is not listed, and keeps the customer until she is handed over.
    assert status == {alice.pk: "live", bob.pk: "gone", gone_too.pk: "live"}
    customer.refresh_from_db()
    assert (customer.live_follows, customer.updated_at) == (2, LATER)


def test_a_customer_whom_nobody_follows_any_more_is_lost_and_kept(corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice)
    owner = Follow.objects.get()
    Follow.objects.update(is_owner=True)

    assert end_follows([owner.pk], status=Follow.Status.GONE, now=LATER) == 1
    assert end_follows([owner.pk], status=Follow.Status.GONE, now=LATER) == 0

    assert list(Customer.objects.lost()) == [customer]
    owner.refresh_from_db()
    assert (owner.status, owner.ended_at, owner.is_owner) == ("gone", LATER, False)


def test_another_corps_customers_are_left_alone(corp: Corp, alice: Staff) -> None:
    other = make_customer(Corp.objects.create(**_other_corp()), external_userid="wm1")
    make_follow(other, make_staff(other.corp, userid="alice"))

    apply(corp, relation("wm1", "alice", c_name="Mine"))

    other.refresh_from_db()
    assert other.name != "Mine"
    assert Customer.objects.filter(external_userid="wm1").count() == 2


def _other_corp() -> dict[str, Any]:
    return {"corp_id": "wwother", "name": "Other", "base_url": "http://x/", "created_at": NOW}
