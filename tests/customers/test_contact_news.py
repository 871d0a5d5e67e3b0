"""Events change what we know, in whatever order they come."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from customers.handlers import (
    note_added_contact,
    note_deleted_staff,
    note_deletion_by_customer,
    note_deletion_by_staff,
    note_edited_contact,
)
from customers.models import Customer, Follow
from scrm.channels.events import (
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    StaffDeleted,
)
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW

PAIR = ("alice", "wm1")
HANDLERS: dict[type[ChannelEvent], Any] = {
    ContactAdded: note_added_contact,
    ContactDeletedByCustomer: note_deletion_by_customer,
    ContactDeletedByStaff: note_deletion_by_staff,
    ContactEdited: note_edited_contact,
    StaffDeleted: note_deleted_staff,
}


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def happen(corp: Corp, *events: ChannelEvent) -> Follow:
    for event in events:
        HANDLERS[type(event)](event, corp, at(60))
    return Follow.objects.select_related("customer").get()


def wished(corp: Corp) -> list[tuple[str, str]]:
    return list(Refresh.objects.for_corp(corp).order_by("pk").values_list("kind", "key"))


def test_an_addition_makes_the_customer_before_anybody_is_asked(corp: Corp, alice: Staff) -> None:
    follow = happen(corp, ContactAdded(at(0), *PAIR, state="store-1"))

    assert (follow.staff, follow.status, follow.added_at, follow.state) == (
        alice, "live", at(0), "store-1",
    )  # fmt: skip
    assert (follow.customer.live_follows, follow.customer.added_at) == (1, at(0))
    assert wished(corp) == [("customer", "wm1")]


def test_a_half_added_customer_is_not_asked_for(corp: Corp, alice: Staff) -> None:
    follow = happen(corp, ContactAdded(at(0), *PAIR, is_half=True))

    assert follow.status == "live"
    assert wished(corp) == []
    assert happen(corp, ContactAdded(at(5), *PAIR)).added_at == at(5)
    assert wished(corp) == [("customer", "wm1")]


def test_an_edited_customer_is_read_again(corp: Corp) -> None:
    note_edited_contact(ContactEdited(at(0), *PAIR), corp, at(1))

    assert wished(corp) == [("customer", "wm1")]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (ContactDeletedByCustomer(at(5), *PAIR), "deleted_by_customer"),
        (ContactDeletedByStaff(at(5), *PAIR), "deleted_by_staff"),
        (ContactDeletedByStaff(at(5), *PAIR, by_transfer=True), "transferred"),
    ],
)
def test_a_deletion_ends_the_follow_and_keeps_the_customer(
    corp: Corp, event: ChannelEvent, status: str
) -> None:
    follow = happen(corp, ContactAdded(at(0), *PAIR), event)

    assert (follow.status, follow.ended_at) == (status, at(5))
    assert (follow.customer.live_follows, follow.customer.added_at) == (0, None)


def test_a_customer_who_comes_back_is_followed_again(corp: Corp) -> None:
    follow = happen(
        corp,
        ContactAdded(at(0), *PAIR, state="old"),
        ContactDeletedByCustomer(at(5), *PAIR),
        ContactAdded(at(9), *PAIR, state="new"),
    )

    assert (follow.status, follow.ended_at, follow.added_at) == ("live", None, at(9))
    assert follow.state == "new"
    assert follow.customer.live_follows == 1


@pytest.mark.parametrize(
    "order", list(permutations(range(3))), ids=lambda order: "".join(map(str, order))
)
@pytest.mark.parametrize("deletion", [ContactDeletedByCustomer, ContactDeletedByStaff])
def test_the_order_of_arrival_does_not_matter(
    corp: Corp, order: tuple[int, ...], deletion: Any
) -> None:
    story: list[ChannelEvent] = [
        ContactAdded(at(0), *PAIR),
        deletion(at(5), *PAIR),
        ContactAdded(at(9), *PAIR),
    ]

    follow = happen(corp, *(story[index] for index in order))

    assert (follow.status, follow.ended_at, follow.added_at) == ("live", None, at(9))


@pytest.mark.parametrize("deletion", [ContactDeletedByCustomer, ContactDeletedByStaff])
def test_a_late_addition_does_not_undo_a_deletion(corp: Corp, deletion: Any) -> None:
    follow = happen(corp, deletion(at(5), *PAIR), ContactAdded(at(0), *PAIR))

    assert follow.status.startswith("deleted_by")
    assert follow.ended_at == at(5)
    assert follow.customer.live_follows == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_the_customer_did_outweighs_what_staff_did(corp: Corp, order: tuple[int, int]) -> None:
    deletions: list[ChannelEvent] = [
        ContactDeletedByStaff(at(5), *PAIR),
        ContactDeletedByCustomer(at(6), *PAIR),
    ]

    follow = happen(corp, ContactAdded(at(0), *PAIR), *(deletions[index] for index in order))

    assert (follow.status, follow.ended_at) == ("deleted_by_customer", at(6))


def test_within_one_second_the_order_of_arrival_counts(corp: Corp) -> None:
    added, deleted = ContactAdded(at(0), *PAIR), ContactDeletedByCustomer(at(0), *PAIR)

    assert happen(corp, added, deleted).status == "deleted_by_customer"
    assert happen(corp, added).status == "live"


def test_a_sync_that_found_it_gone_gives_way_to_the_reason(corp: Corp) -> None:
    happen(corp, ContactAdded(at(0), *PAIR))
    Follow.objects.update(status="gone", ended_at=at(30))

    follow = happen(corp, ContactDeletedByCustomer(at(5), *PAIR))

    assert (follow.status, follow.ended_at) == ("deleted_by_customer", at(30))


def test_a_member_who_was_deleted_has_left(corp: Corp, alice: Staff) -> None:
    note_deleted_staff(StaffDeleted(at(3), "ALICE"), corp, at(4))
    note_deleted_staff(StaffDeleted(at(3), "nobody"), corp, at(4))

    alice.refresh_from_db()
    assert (alice.status, alice.left_at) == ("left", at(3))
    assert not alice.has_customer_contact
    assert wished(corp) == [("staff", "")]


def test_a_customer_nobody_knew_is_kept_once(corp: Corp) -> None:
    for _ in range(2):
        happen(corp, ContactAdded(at(0), *PAIR))

    assert Customer.objects.count() == 1
