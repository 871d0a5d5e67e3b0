"""What happened to a customer: noted once, told with what others keep."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actions.follows import apply_relations, end_follows
from customers.actions.notes import add_note
from customers.actions.tag_catalogue import forget_tags
from customers.actions.tagging import tag_customers
from customers.actions.timeline import Entry, Fact, Place, note_facts, timeline_of
from customers.handlers import (
    note_added_contact,
    note_deletion_by_customer,
    note_deletion_by_staff,
)
from customers.models import (
    Customer,
    Follow,
    HandoverItem,
    HandoverPlan,
    Tag,
    TimelineEntry,
)
from risk.models import Incident
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.channels.events import (
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
)
from scrm.common.errors import InvalidInput
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Scope, Staff
from tests.factories import NOW, make_customer, make_department, make_staff, make_tag

PAIR = ("alice", "wm1")
HANDLERS: dict[type[ChannelEvent], Any] = {
    ContactAdded: note_added_contact,
    ContactDeletedByCustomer: note_deletion_by_customer,
    ContactDeletedByStaff: note_deletion_by_staff,
}
LIN = Actor(AuditEntry.ActorKind.USER, "1", "lin")


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def happen(corp: Corp, *events: ChannelEvent) -> None:
    for event in events:
        HANDLERS[type(event)](event, corp, at(90))


def listed(corp: Corp, *, minutes: int = 0, now: datetime = NOW, **facts: Any) -> None:
    """The platform lists alice and wm1 as friends since `minutes`."""
    follow = FollowRecord(userid="alice", added_at=at(minutes), **facts)
    apply_relations(
        [(CustomerRecord("wm1", "Wang", 1, 0), follow)], corp=corp, now=now, read_at=now
    )


def noted(corp: Corp) -> list[tuple[str, datetime, dict[str, Any]]]:
    rows = TimelineEntry.objects.for_corp(corp).order_by("at", "pk")
    return [(row.type, row.at, row.data) for row in rows]


def kinds(corp: Corp) -> list[tuple[str, datetime]]:
    return [(kind, moment) for kind, moment, _data in noted(corp)]


# --- follows ------------------------------------------------------------------------------------
def test_an_event_notes_when_a_friendship_began_and_ended(corp: Corp, alice: Staff) -> None:
    happen(corp, ContactAdded(at(0), *PAIR, state="shop-1"), ContactDeletedByCustomer(at(5), *PAIR))

    assert noted(corp) == [
        ("follow.added", at(0), {"staff": "alice", "state": "shop-1"}),
        ("follow.ended", at(5), {"staff": "alice", "status": "deleted_by_customer"}),
    ]
    added, ended = TimelineEntry.objects.order_by("at")
    assert (added.source, added.is_fresh, added.recorded_at) == ("event", True, at(90))
    assert not ended.is_fresh


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_twice_and_in_any_order_note_nothing_twice_and_invent_nothing(
    corp: Corp, alice: Staff, order: tuple[int, ...]
) -> None:
    story: list[ChannelEvent] = [
        ContactAdded(at(0), *PAIR),
        ContactDeletedByStaff(at(5), *PAIR),
        ContactAdded(at(9), *PAIR),
    ]
    true = [("follow.added", at(0)), ("follow.ended", at(5)), ("follow.added", at(9))]

    happen(corp, *(story[index] for index in order for _ in range(2)))

    facts = kinds(corp)
    assert len(set(facts)) == len(facts)
    # What was overtaken before it arrived may be left out.
    assert set(facts) <= set(true)
    assert ("follow.added", at(9)) in facts
    if order == (0, 1, 2):
        assert facts == true


def test_a_page_and_an_event_of_one_beginning_are_one_fact(corp: Corp, alice: Staff) -> None:
    happen(corp, ContactAdded(at(0), *PAIR))
    # The platform dates it a second later than its callback.
    follow = FollowRecord(userid="alice", added_at=at(0) + timedelta(seconds=1), remark="R")
    apply_relations(
        [(CustomerRecord("wm1", "W", 1, 0), follow)], corp=corp, now=at(91), read_at=at(91)
    )
    happen(corp, ContactAdded(at(0), *PAIR))

    assert kinds(corp) == [("follow.added", at(0))]


def test_a_page_notes_what_no_event_told(corp: Corp, alice: Staff) -> None:
    listed(corp, minutes=-60, state="shop-1")
    listed(corp, minutes=-60, state="shop-1", remark="known by now", now=at(1))
    # Ended and begun again unseen.
    listed(corp, minutes=-10, now=at(2))

    assert noted(corp) == [
        ("follow.added", at(-60), {"staff": "alice", "state": "shop-1"}),
        ("follow.added", at(-10), {"staff": "alice", "state": ""}),
    ]
    assert {row.source for row in TimelineEntry.objects.all()} == {"sync"}


def test_what_a_sync_does_not_find_any_more_ended_once(corp: Corp, alice: Staff) -> None:
    listed(corp)
    follow_ids = list(Follow.objects.values_list("pk", flat=True))

    for _ in range(2):
        end_follows(follow_ids, status=Follow.Status.GONE, now=at(30))

    assert noted(corp)[1:] == [("follow.ended", at(30), {"staff": "alice", "status": "gone"})]


def test_the_reason_that_arrives_late_is_a_fact_of_its_own(corp: Corp, alice: Staff) -> None:
    listed(corp)
    end_follows(Follow.objects.values_list("pk", flat=True), status=Follow.Status.GONE, now=at(30))

    happen(corp, *[ContactDeletedByCustomer(at(5), *PAIR)] * 2)

    assert [(kind, data.get("status")) for kind, _at, data in noted(corp)] == [
        ("follow.added", None),
        ("follow.ended", "deleted_by_customer"),
        ("follow.ended", "gone"),
    ]


def test_a_half_addition_is_no_fact_until_it_is_confirmed(corp: Corp, alice: Staff) -> None:
    happen(corp, ContactAdded(at(0), *PAIR, is_half=True))
    assert noted(corp) == []

    happen(corp, ContactAdded(at(0), *PAIR))

    assert kinds(corp) == [("follow.added", at(0))]


def test_who_was_handed_over_triggers_nothing(corp: Corp, alice: Staff, bob: Staff) -> None:
    customer = make_customer(corp, staff=bob, external_userid="wm1")
    plan = HandoverPlan.objects.create(corp=corp, kind="in_service", from_staff=bob, created_at=NOW)
    item = HandoverItem(corp=corp, plan=plan, customer=customer, kind="in_service")
    item.from_staff, item.to_staff, item.status, item.asked_at = bob, alice, "waiting", NOW
    item.save()

    happen(corp, ContactAdded(at(5), *PAIR))
    item.status, item.takeover_at, item.settled_at = "succeeded", at(5), at(6)
    item.save()
    again = [ContactDeletedByCustomer(at(7), *PAIR), ContactAdded(at(3000), *PAIR)]
    happen(corp, *again)

    first, _ended, second = TimelineEntry.objects.order_by("at")
    assert (first.is_fresh, first.data["handover"]) == (False, plan.pk)
    assert timeline_of(customer).entries[-1].title == "Was taken over by Alice"
    assert (second.is_fresh, "handover" in second.data) == (True, False)


# --- tags ---------------------------------------------------------------------------------------
def test_pages_note_platform_tags_that_came_and_went(corp: Corp, alice: Staff) -> None:
    gold, new = make_tag(corp, kind="wecom"), make_tag(corp, kind="wecom")
    listed(corp, tag_ids=(gold.wecom_id,))
    for _ in range(2):
        listed(corp, tag_ids=(new.wecom_id,), now=at(1))

    tags = [each for each in noted(corp) if each[0].startswith("tag")]
    assert sorted(tags, key=lambda each: (each[1], each[0])) == [
        ("tag.added", NOW, {"tag": gold.pk, "staff": "alice"}),
        ("tag.added", at(1), {"tag": new.pk, "staff": "alice"}),
        ("tag.removed", at(1), {"tag": gold.pk, "staff": "alice"}),
    ]
    fresh = TimelineEntry.objects.filter(is_fresh=True)
    assert set(fresh.values_list("type", flat=True)) == {"follow.added", "tag.added"}


def test_our_own_tags_are_noted_with_who_gave_them(corp: Corp, alice: Staff) -> None:
    vip, old = make_tag(corp), make_tag(corp)
    customers = [make_customer(corp, staff=alice, tags=[old]) for _ in range(3)]

    for _ in range(2):
        tag_customers(
            customers, corp=corp, actor=LIN, now=NOW, add=[vip], remove=[old], why={"x": 1}
        )

    rows = TimelineEntry.objects.order_by("customer", "type")
    assert [(row.type, row.data, row.source) for row in rows] == [
        ("tag.added", {"tag": vip.pk, "by": "lin", "x": 1}, "person"),
        ("tag.removed", {"tag": old.pk, "by": "lin", "x": 1}, "person"),
    ] * 3


def test_what_the_platform_accepted_is_noted_as_it_was_asked(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = Follow.objects.live().select_related("customer", "staff").earliest("pk")
    carried = follow.tag_assignments.values("tag")
    gold = Tag.objects.filter(kind="wecom").exclude(pk__in=carried).latest("pk")
    TimelineEntry.objects.all().delete()

    tag_customers([follow.customer], corp=synced_brand, actor=LIN, now=NOW, add=[gold])
    assert not TimelineEntry.objects.exists()
    run_due_operations(now=at(1))

    facts = TimelineEntry.objects.filter(data__staff=follow.staff.userid)
    assert [(row.type, row.data["tag"], row.source, row.data["by"]) for row in facts] == [
        ("tag.added", gold.pk, "person", "lin")
    ]


def test_a_deleted_tag_is_noted_as_taken_from_everybody(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    customer = make_customer(corp, staff=alice, tags=[vip])

    forget_tags([vip.pk], corp=corp, now=NOW)

    assert noted(corp) == [("tag.removed", NOW, {"tag": vip.pk, "reason": "tag_deleted"})]
    (entry,) = timeline_of(customer).entries
    assert (entry.title, entry.why) == (f"Tag «{vip.name}» taken", "the tag was deleted")


# --- told ---------------------------------------------------------------------------------------
def test_ids_become_names(corp: Corp, alice: Staff) -> None:
    customer, tag = make_customer(corp, staff=alice), make_tag(corp, "Gold")
    Types, person = TimelineEntry.Type, TimelineEntry.Source.PERSON  # noqa: N806
    facts: list[tuple[TimelineEntry.Type, dict[str, Any]]] = [
        (Types.FOLLOW_ADDED, {"staff": "alice", "state": "shop"}),
        (Types.TAG_ADDED, {"tag": tag.pk, "by": "lin"}),
        (Types.TAG_REMOVED, {"tag": tag.pk, "staff": "alice"}),
        (Types.GROUP_JOINED, {"chat": "wr1"}),
        (Types.FOLLOW_ENDED, {"staff": "nobody", "status": "transferred"}),
    ]
    rows = [Fact(customer.pk, kind, at(n), person, data) for n, (kind, data) in enumerate(facts)]
    note_facts(rows, corp=corp, now=NOW)

    assert [entry.title for entry in reversed(timeline_of(customer).entries)] == [
        "Became a friend of Alice through the channel shop",
        "Tag «Gold» given",
        "Tag «Gold» taken from the relation with Alice",
        "Joined the group «wr1»",
        "Was handed over by nobody",
    ]


def test_a_note_is_told_as_it_was_written(corp: Corp) -> None:
    customer = make_customer(corp)

    add_note(customer, text="  wants a <call>\0 ", actor=LIN, now=NOW)

    (entry,) = timeline_of(customer).entries
    assert (entry.title, entry.why) == ("wants a <call>", "by lin")
    assert AuditEntry.objects.get().action == "customers.note_added"
    for text in ("", " \n", "x" * 2001):
        with pytest.raises(InvalidInput):
            add_note(customer, text=text, actor=LIN, now=NOW)


def _incident(customer: Customer, moment: datetime, **fields: Any) -> Incident:
    return Incident.objects.create(
        corp=customer.corp,
        kind="deletion",
        key=f"{Incident.objects.count()}",
        severity="high",
        external_userid=customer.external_userid,
        happened_at=moment,
        opened_at=moment,
        **fields,
    )


def _handover(customer: Customer, leaver: Staff, moment: datetime) -> HandoverItem:
    plan = HandoverPlan.objects.create(
        corp=customer.corp, kind="resigned", from_staff=leaver, created_at=NOW
    )
    return HandoverItem.objects.create(
        corp=customer.corp,
        plan=plan,
        customer=customer,
        kind="resigned",
        from_staff=leaver,
        to_staff=make_staff(customer.corp, name="Taker"),
        status="succeeded",
        settled_at=moment,
    )


MOMENTS = st.integers(min_value=0, max_value=4)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    own=st.lists(MOMENTS, max_size=8),
    incidents=st.lists(MOMENTS, max_size=5),
    handovers=st.lists(MOMENTS, max_size=3),
    limit=st.integers(min_value=1, max_value=6),
)
def test_pages_of_all_sources_are_one_sorted_list(
    corp: Corp,
    alice: Staff,
    own: Sequence[int],
    incidents: Sequence[int],
    handovers: Sequence[int],
    limit: int,
) -> None:
    customer, other = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    note = (TimelineEntry.Type.NOTE, TimelineEntry.Source.PERSON, {"text": "x"})
    for owner in (customer, other):
        facts = [Fact(owner.pk, note[0], at(n), note[1], note[2]) for n in own]
        note_facts(facts, corp=corp, now=NOW)
    places = [
        Place(row.at, "fact", row.pk) for row in TimelineEntry.objects.filter(customer=customer)
    ]
    places += [Place(at(n), "risk.incident", _incident(customer, at(n)).pk) for n in incidents]
    places += [
        Place(at(n), "handover.done", _handover(customer, alice, at(n)).pk) for n in handovers
    ]

    shown: list[Entry] = []
    before: Place | None = None
    while True:
        page = timeline_of(customer, before=before, limit=limit)
        assert len(page.entries) <= limit
        shown += page.entries
        if page.next is None:
            break
        before = page.next

    assert [entry.place for entry in shown] == sorted(places, reverse=True)


def test_asks_as_often_for_a_long_life_as_for_a_short_one(corp: Corp, alice: Staff) -> None:
    counts = []
    for length in (1, 30):
        customer = make_customer(corp, staff=alice)
        tags = [make_tag(corp) for _ in range(length)]
        tag_customers([customer], corp=corp, actor=SYSTEM, now=NOW, add=tags)
        for _ in range(length):
            _handover(customer, alice, NOW)
            _incident(customer, NOW)
        with CaptureQueriesContext(connection) as queries:
            timeline_of(customer, limit=100)
        counts.append(len(queries))

    # One for each source of facts, and the names in them.
    assert counts[0] == counts[1] == 9


def test_a_department_sees_what_concerns_its_own(corp: Corp, alice: Staff) -> None:
    department = make_department(corp)
    near = make_staff(corp, userid="near", departments=[department])
    customer = make_customer(corp, staff=[alice, near])
    event = TimelineEntry.Source.EVENT
    for userid in ("alice", "near"):
        added = TimelineEntry.Type.FOLLOW_ADDED
        note_facts([Fact(customer.pk, added, NOW, event, {"staff": userid})], corp=corp, now=NOW)
    add_note(customer, text="for all", actor=LIN, now=at(1))
    _incident(customer, at(2), staff=alice)
    _handover(customer, alice, at(3))
    scope = Scope(everything=False, corp_ids=frozenset(), department_ids=frozenset([department.pk]))

    entries = timeline_of(customer, scope=scope).entries

    assert [entry.title for entry in entries] == ["for all", f"Became a friend of {near.name}"]
    assert len(timeline_of(customer).entries) == 5
