"""Members who enter and leave: by events where versions fit, by reading where they do not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from customers.models import TimelineEntry
from groups.actions.chats import SETTLING, apply_group_chat, dismiss_chat, link_customers
from groups.handlers import note_changed_members
from groups.models import GroupChat, MemberMove, Membership
from scrm.channels.base import GroupChatRecord, MemberRecord
from scrm.channels.events import GroupMembersChanged
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(minutes=5)

pytestmark = pytest.mark.django_db


def page(*members: str, version: str = "v1", **fields: Any) -> GroupChatRecord:
    rows = [MemberRecord(each, is_staff=each == "alice", joined_at=NOW) for each in members]
    record = GroupChatRecord("wr1", "Chat", "alice", NOW, "", version, tuple(rows))
    return replace(record, **fields)


def change(*, joined: str = "", left: str = "", versions: str = "v1 v2", **fields: Any) -> Any:
    before, after = versions.split()
    return GroupMembersChanged(
        fields.pop("at", NOW + SECOND),
        "wr1",
        joined=tuple(joined.split()),
        left=tuple(left.split()),
        version_before=before,
        version=after,
        **fields,
    )


@pytest.fixture
def read(corp: Corp, alice: Staff) -> Callable[..., Any]:
    """Read the chat as the platform shows it."""

    def read(*members: str, **fields: Any) -> Any:
        asked_at, now = fields.pop("asked_at", NOW), fields.pop("now", NOW)
        return apply_group_chat(page(*members, **fields), corp=corp, asked_at=asked_at, now=now)

    read("alice", "wm1")
    return read


def present() -> set[str]:
    return set(Membership.objects.present().values_list("member_id", flat=True))


def moves() -> list[tuple[str, str, int]]:
    """Who, what, and how many seconds after the chat was first read."""
    rows = MemberMove.objects.order_by("at", "id").values_list("member_id", "kind", "at")
    return [(who, kind, round((at - NOW).total_seconds())) for who, kind, at in rows]


def facts() -> list[tuple[str, str]]:
    rows = TimelineEntry.objects.order_by("at", "id")
    return list(rows.values_list("customer__external_userid", "type"))


def test_an_event_that_fits_is_applied_without_reading(corp: Corp, read: Any) -> None:
    note_changed_members(change(left="wm1", was_removed=True), corp, LATER)

    chat = GroupChat.objects.get()
    assert (present(), chat.member_count, chat.member_version) == ({"alice"}, 1, "v2")
    assert Membership.objects.get(member_id="wm1").left_at == NOW + SECOND
    assert MemberMove.objects.get(kind="left").was_removed
    assert not Refresh.objects.exists()


def test_who_enters_is_there_at_once_and_named_by_the_next_reading(corp: Corp, read: Any) -> None:
    make_customer(corp, external_userid="wm2", name="王芳")

    note_changed_members(change(joined="wm2 wm3", join_scene=3), corp, LATER)

    assert present() == {"alice", "wm1", "wm2", "wm3"}
    rows = Membership.objects.filter(member_id__in=["wm2", "wm3"]).order_by("member_id")
    assert [(row.name, row.join_scene, row.type) for row in rows] == [
        ("王芳", 3, "customer"), ("", 3, "customer"),
    ]  # fmt: skip
    assert Refresh.objects.values_list("kind", "key").get() == ("group_chat", "wr1")

    newcomer = MemberRecord(
        "wm3", is_staff=False, joined_at=NOW + SECOND, join_scene=3, name="路人", state="code"
    )
    record = page("alice", "wm1", "wm2", version="v2")
    record = replace(record, members=(*record.members, newcomer))
    apply_group_chat(record, corp=corp, asked_at=LATER + SETTLING, now=LATER + SETTLING)

    assert Membership.objects.get(member_id="wm3").name == "路人"
    assert MemberMove.objects.get(member_id="wm3").state == "code"
    assert MemberMove.objects.filter(kind="joined").count() == 4


def test_a_repeat_changes_nothing(corp: Corp, read: Any) -> None:
    event = change(left="wm1")
    note_changed_members(event, corp, LATER)
    read_at = GroupChat.objects.get().read_at

    note_changed_members(event, corp, LATER + SECOND)

    assert GroupChat.objects.get().read_at == read_at
    assert moves() == [("alice", "joined", 0), ("wm1", "joined", 0), ("wm1", "left", 1)]
    assert not Refresh.objects.exists()


def test_an_event_that_does_not_fit_is_noted_and_has_the_chat_read(corp: Corp, read: Any) -> None:
    note_changed_members(change(left="wm1", versions="v7 v8"), corp, LATER)

    assert present() == {"alice", "wm1"}
    assert Refresh.objects.get().key == "wr1"

    read("alice", version="v8", asked_at=LATER + SETTLING, now=LATER + SETTLING)

    assert present() == {"alice"}
    assert moves()[2:] == [("wm1", "left", 1)]


def test_a_chat_nobody_has_read_keeps_what_events_tell(corp: Corp, alice: Staff) -> None:
    note_changed_members(change(joined="wm5"), corp, NOW)
    note_changed_members(change(left="wm5", versions="v2 v3", at=NOW + 2 * SECOND), corp, NOW)

    assert not Membership.objects.exists()
    assert moves() == [("wm5", "joined", 1), ("wm5", "left", 2)]
    assert Refresh.objects.get().key == "wr1"


def test_a_page_from_before_an_event_does_not_undo_it(corp: Corp, read: Any) -> None:
    asked_at = LATER
    note_changed_members(change(left="wm1"), corp, LATER + SECOND)

    outcome = read("alice", "wm1", name="Other", asked_at=asked_at, now=LATER + 2 * SECOND)

    assert outcome.is_stale
    assert present() == {"alice"}
    assert GroupChat.objects.get().name == "Chat"


def test_the_platform_may_show_the_old_list_for_two_seconds(corp: Corp, read: Any) -> None:
    note_changed_members(change(left="wm1"), corp, LATER)

    assert read("alice", "wm1", asked_at=LATER + SECOND, now=LATER + SECOND).is_stale
    assert present() == {"alice"}
    # Asked for later, it is the truth again, whatever it says.
    assert not read("alice", "wm1", asked_at=LATER + SETTLING, now=LATER + SETTLING).is_stale
    assert present() == {"alice", "wm1"}


def test_an_older_page_of_our_version_names_members_and_changes_no_chat(
    corp: Corp, read: Any
) -> None:
    note_changed_members(change(joined="wm2"), corp, LATER)
    record = page("alice", "wm1", version="v2", name="Other")
    named = MemberRecord("wm2", is_staff=False, joined_at=NOW + SECOND, name="路人")
    record = replace(record, members=(*record.members, named))

    outcome = apply_group_chat(record, corp=corp, asked_at=LATER + SECOND, now=LATER + SECOND)

    assert outcome.is_stale
    assert Membership.objects.get(member_id="wm2").name == "路人"
    assert GroupChat.objects.get().name == "Chat"


def test_a_late_event_tells_when_it_was_that_somebody_left(corp: Corp, read: Any) -> None:
    read("alice", version="v2", asked_at=LATER, now=LATER)
    assert moves()[2:] == [("wm1", "left", 300)]

    note_changed_members(change(left="wm1", at=NOW + 7 * SECOND), corp, LATER)

    assert moves()[2:] == [("wm1", "left", 7)]
    assert not MemberMove.objects.get(kind="left").is_inferred


def test_events_in_the_wrong_order_are_each_counted_once(corp: Corp, read: Any) -> None:
    first = change(left="wm1", at=NOW + SECOND)
    second = change(joined="wm1", versions="v2 v3", at=NOW + 2 * SECOND)
    third = change(left="wm1", versions="v3 v4", at=NOW + 3 * SECOND)

    for event in (third, first, third, second, first):
        note_changed_members(event, corp, LATER)
    read("alice", version="v4", asked_at=LATER + SETTLING, now=LATER + SETTLING)

    assert present() == {"alice"}
    assert moves()[2:] == [("wm1", "left", 1), ("wm1", "joined", 2), ("wm1", "left", 3)]


def test_a_dismissed_chat_lets_everybody_leave(corp: Corp, read: Any) -> None:
    dismiss_chat("wr1", corp=corp, dismissed_at=LATER, now=LATER)

    note_changed_members(change(joined="wm2"), corp, LATER)
    dismiss_chat("wr1", corp=corp, dismissed_at=LATER, now=LATER)

    assert present() == set()
    left = MemberMove.objects.filter(kind="left").values_list("member_id", flat=True)
    assert sorted(left) == ["alice", "wm1", "wm2"]


def test_moves_of_customers_are_facts_of_their_lives(corp: Corp, read: Any) -> None:
    make_customer(corp, external_userid="wm2")
    note_changed_members(change(joined="wm2 wm3"), corp, LATER)
    note_changed_members(change(left="wm2", versions="v2 v3"), corp, LATER)

    assert facts() == [("wm2", "group.joined"), ("wm2", "group.left")]
    fact = TimelineEntry.objects.first()
    assert fact is not None
    assert (fact.data, fact.source, fact.is_fresh, fact.at) == (
        {"chat": "wr1"}, "event", True, NOW + SECOND,
    )  # fmt: skip
    assert not TimelineEntry.objects.filter(type="group.left", is_fresh=True).exists()


def test_who_becomes_a_customer_later_brings_what_she_did_along(corp: Corp, read: Any) -> None:
    note_changed_members(change(left="wm1"), corp, LATER)
    make_customer(corp, external_userid="wm1")

    assert link_customers(corp=corp, now=LATER, external_userids=["wm1"]) == 1
    assert link_customers(corp=corp, now=LATER) == 0

    assert facts() == [("wm1", "group.joined"), ("wm1", "group.left")]


def test_a_first_reading_starts_nothing_for_members_of_years(corp: Corp, alice: Staff) -> None:
    make_customer(corp, external_userid="wm1")
    make_customer(corp, external_userid="wm2")
    old = MemberRecord("wm1", is_staff=False, joined_at=NOW - timedelta(days=400))
    new = MemberRecord("wm2", is_staff=False, joined_at=NOW - timedelta(hours=1))

    apply_group_chat(page(members=(old, new)), corp=corp, now=NOW)

    fresh = TimelineEntry.objects.values_list("customer__external_userid", "is_fresh", "source")
    assert sorted(fresh) == [("wm1", False, "sync"), ("wm2", True, "sync")]


def test_staff_who_enter_are_known_by_any_spelling(corp: Corp, bob: Staff, read: Any) -> None:
    note_changed_members(change(joined="Bob"), corp, LATER)

    row = Membership.objects.get(member_id="Bob")
    assert (row.type, row.name) == ("staff", "Bob")
    assert MemberMove.objects.get(member_id="Bob").is_staff
