"""Group chats and who is in them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from customers.models import Customer
from groups.actions.chats import (
    SETTLING,
    apply_group_chat,
    dismiss_chat,
    link_customers,
    list_chats,
)
from groups.handlers import link_added_contact, note_changed_chat, note_dismissed_chat
from groups.models import GroupChat, Membership
from scrm.channels.base import GroupChatRecord, MemberRecord
from scrm.channels.events import ContactAdded, GroupChatChanged, GroupChatDismissed
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_group_chat
from tests.groups.accounts import dump_domain

LATER = NOW + timedelta(hours=1)


def member(member_id: str, *, is_staff: bool = False, name: str = "") -> MemberRecord:
    return MemberRecord(member_id, is_staff=is_staff, joined_at=NOW, join_scene=3, name=name)


def chat(*members: MemberRecord, owner: str = "alice") -> GroupChatRecord:
    return GroupChatRecord(
        chat_id="wr1",
        name="妈妈群",
        owner=owner,
        opened_at=NOW,
        notice="hello",
        member_version="v1",
        members=members,
    )


def test_makes_the_chat_with_everybody_in_it(corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, external_userid="wm1")

    change = apply_group_chat(
        chat(member("alice", is_staff=True), member("wm1"), member("wm2", name="路人")),
        corp=corp,
        now=NOW,
    )

    found = GroupChat.objects.get()
    assert (found.owner, found.name, found.member_count, found.status) == (
        alice, "妈妈群", 3, "normal",
    )  # fmt: skip
    assert change.joined == 3
    assert list(
        Membership.objects.order_by("member_id").values_list("member_id", "type", "customer")
    ) == [("alice", "staff", None), ("wm1", "customer", customer.pk), ("wm2", "customer", None)]


def test_writes_nothing_when_all_is_as_it_was(corp: Corp, alice: Staff) -> None:
    record = chat(member("alice", is_staff=True), member("wm1"))
    apply_group_chat(record, corp=corp, now=NOW)
    before = dump_domain()

    change = apply_group_chat(record, corp=corp, now=LATER)

    assert dump_domain() == before
    assert not change.is_changed


def test_who_leaves_is_kept_and_who_comes_back_is_one_row(corp: Corp, alice: Staff) -> None:
    full, empty = chat(member("wm1"), member("wm2")), chat(member("wm2"))
    apply_group_chat(full, corp=corp, now=NOW)

    assert apply_group_chat(empty, corp=corp, now=LATER).left == 1
    left = Membership.objects.get(member_id="wm1")
    assert (left.left_at, GroupChat.objects.get().member_count) == (LATER, 1)

    apply_group_chat(full, corp=corp, now=LATER)
    left.refresh_from_db()
    assert left.left_at is None
    assert Membership.objects.count() == 2


def test_the_list_tells_what_becomes_of_the_owner(corp: Corp, alice: Staff) -> None:
    apply_group_chat(chat(), corp=corp, now=NOW)

    assert list_chats([("wr1", 1), ("wr2", 0)], corp=corp, asked_at=LATER, now=LATER) == (1, 1)
    assert list_chats([("wr1", 1), ("wr2", 0)], corp=corp, asked_at=LATER, now=LATER) == (0, 0)

    status = dict(GroupChat.objects.values_list("chat_id", "status"))
    assert status == {"wr1": "owner_left", "wr2": "normal"}
    # Read alone, a chat does not tell; what the list said stays.
    apply_group_chat(chat(), corp=corp, now=LATER)
    assert GroupChat.objects.get(chat_id="wr1").status == "owner_left"


def test_a_dismissed_chat_is_empty_and_back_when_it_can_be_read(corp: Corp, alice: Staff) -> None:
    apply_group_chat(chat(member("wm1")), corp=corp, now=NOW)

    assert dismiss_chat("wr1", corp=corp, dismissed_at=NOW, now=LATER)
    assert not dismiss_chat("wr1", corp=corp, dismissed_at=LATER, now=LATER)
    assert not dismiss_chat("unknown", corp=corp, dismissed_at=LATER, now=LATER)

    found = GroupChat.objects.get()
    assert (found.status, found.dismissed_at, found.member_count) == ("dismissed", NOW, 0)
    assert Membership.objects.get().left_at == NOW
    # Asked for in the moment of the dismissal, a page may still show the chat.
    assert apply_group_chat(chat(member("wm1")), corp=corp, now=LATER).is_stale
    apply_group_chat(chat(member("wm1")), corp=corp, now=LATER + SETTLING)
    found.refresh_from_db()
    assert (found.status, found.dismissed_at, found.member_count) == ("normal", None, 1)


def test_an_owner_nobody_told_of_gets_a_row(corp: Corp) -> None:
    apply_group_chat(chat(owner="carol"), corp=corp, now=NOW)

    assert Staff.objects.get().userid == "carol"
    apply_group_chat(replace(chat(owner=""), chat_id="wr2"), corp=corp, now=NOW)
    assert GroupChat.objects.get(chat_id="wr2").owner is None


def test_strangers_are_linked_when_they_become_customers(corp: Corp, alice: Staff) -> None:
    apply_group_chat(chat(member("wm1"), member("wm2")), corp=corp, now=NOW)
    first, second = make_customer(corp, external_userid="wm1"), make_customer(corp)
    make_customer(make_corp(), external_userid="wm2")

    link_added_contact(ContactAdded(NOW, "alice", "wm1"), corp, NOW)
    assert Membership.objects.get(member_id="wm1").customer == first

    assert link_customers(corp=corp, now=NOW) == 0
    Customer.objects.filter(pk=second.pk).update(external_userid="wm2")
    assert link_customers(corp=corp, now=NOW) == 1
    assert Membership.objects.get(member_id="wm2").customer == second


@pytest.mark.django_db
def test_events_have_a_chat_read_again_or_dismiss_it() -> None:
    corp = make_corp()
    make_group_chat(corp, chat_id="wr1")

    note_changed_chat(GroupChatChanged(NOW, "wr1"), corp, NOW)
    note_dismissed_chat(GroupChatDismissed(NOW, "wr1"), corp, LATER)

    assert Refresh.objects.values_list("kind", "key").get() == ("group_chat", "wr1")
    assert GroupChat.objects.values_list("status", "dismissed_at").get() == ("dismissed", NOW)
