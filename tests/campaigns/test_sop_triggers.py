"""Who enters a SOP, when, and who does not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.actions.sops import triggers
from campaigns.actions.sops.dates import anchor_of, enrol_by_dates, left_out, read_date
from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.drafting import pause_sop
from campaigns.actions.sops.ending import EnrolmentEnded, cancel_enrolment
from campaigns.actions.sops.enrolling import AlreadyEnrolled, NobodyFollows, SopNotActive
from campaigns.actions.sops.simulating import simulate_sop
from campaigns.actions.sops.triggers import enrol_from_facts
from campaigns.models import Enrolment, Sop, StepRun
from customers.actions.tagging import tag_customers
from customers.actions.timeline import Fact, note_facts
from customers.models import Customer, TimelineEntry
from groups.models import GroupTag
from scrm.audit.actions.recording import SYSTEM
from scrm.tenancy.models import Corp, Staff
from tests.campaigns.sops import enrol, make_sop, message, tag, told
from tests.factories import make_corp, make_customer, make_group_chat, make_staff, make_tag

DAY = timedelta(days=1)
T = TimelineEntry.Type
BORN = {"type": "attribute_date", "attribute": "born"}


def note(customer: Customer, kind: T, at: datetime, **data: Any) -> None:
    fact = Fact(customer.pk, kind, at, TimelineEntry.Source.EVENT, data)
    note_facts([fact], corp=customer.corp, now=at)


def enrolled(sop: Sop) -> set[Customer]:
    return {each.customer for each in sop.enrolments.select_related("customer")}


def test_an_added_customer_enters(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message(days=1)], now=now, trigger={"type": "customer_added"})
    customer = make_customer(corp, staff=alice)
    note(customer, T.FOLLOW_ADDED, now, staff="alice", state="qr")

    assert enrol_from_facts(now=now + DAY / 24) == 1
    assert enrol_from_facts(now=now + DAY / 24) == 0

    enrolment = Enrolment.objects.get()
    assert (enrolment.sop, enrolment.staff, enrolment.anchor) == (sop, alice, now)
    assert enrolment.runs.get().due_at == now + DAY
    assert enrolment.entry is not None
    assert enrolment.entry.type == T.FOLLOW_ADDED


@pytest.mark.parametrize(
    ("trigger", "enters"),
    [
        ({"state": "qr-1"}, True),
        ({"state": "qr-*"}, True),
        ({"state": "qr-"}, False),
        ({"state": "%"}, False),
        ({"staff": ["alice"]}, True),
        ({"staff": ["bob"]}, False),
        ({"staff": ["alice"], "state": "other"}, False),
    ],
)
def test_channel_and_staff_choose(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, trigger: dict[str, Any], enters: bool
) -> None:
    make_sop(corp, [message()], now=now, trigger={"type": "customer_added", **trigger})
    note(make_customer(corp, staff=alice), T.FOLLOW_ADDED, now, staff="alice", state="qr-1")

    assert enrol_from_facts(now=now) == enters


def test_a_tag_starts_its_sop_only(corp: Corp, alice: Staff, now: datetime) -> None:
    wanted, other = make_tag(corp), make_tag(corp)
    sop = make_sop(corp, [message()], now=now, trigger={"type": "tag_added", "tag": wanted.pk})
    customers = [make_customer(corp, staff=alice) for _ in range(2)]
    for customer, given_tag in zip(customers, (wanted, other), strict=True):
        tag_customers([customer], corp=corp, actor=SYSTEM, now=now, add=[given_tag])

    enrol_from_facts(now=now)

    assert enrolled(sop) == {customers[0]}
    assert not TimelineEntry.objects.filter(is_fresh=True).exists()


def test_a_step_that_tags_starts_another_sop(corp: Corp, alice: Staff, now: datetime) -> None:
    vip = make_tag(corp)
    first = make_sop(corp, [tag(vip.pk)], now=now)
    second = make_sop(corp, [message()], now=now, trigger={"type": "tag_added", "tag": vip.pk})
    customer = make_customer(corp, staff=alice)
    enrol(first, customer, now=now)

    run_due_steps(now=now)
    enrol_from_facts(now=now)

    assert enrolled(second) == {customer}


@pytest.mark.parametrize("by_tag", [True, False])
def test_a_joined_group_starts(corp: Corp, alice: Staff, now: datetime, by_tag: bool) -> None:
    mothers = GroupTag.objects.create(corp=corp, name="Mothers")
    chat, other = make_group_chat(corp), make_group_chat(corp)
    chat.tags.add(mothers)
    choice = {"tag": mothers.pk} if by_tag else {"chat_ids": [chat.chat_id]}
    sop = make_sop(corp, [message()], now=now, trigger={"type": "group_joined", **choice})
    customers = [make_customer(corp, staff=alice) for _ in range(2)]
    for customer, joined in zip(customers, (chat, other), strict=True):
        note(customer, T.GROUP_JOINED, now, chat=joined.chat_id)

    enrol_from_facts(now=now)

    assert enrolled(sop) == {customers[0]}


def test_what_was_before_starts_nothing(corp: Corp, alice: Staff, now: datetime) -> None:
    customer = make_customer(corp, staff=alice)
    make_sop(corp, [message()], now=now, trigger={"type": "customer_added"})
    note(customer, T.FOLLOW_ADDED, now - DAY, staff="alice")

    assert enrol_from_facts(now=now) == 0


def test_what_happens_in_a_pause_starts_nothing(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now, trigger={"type": "customer_added"})
    pause_sop(sop, actor=SYSTEM, now=now)
    note(make_customer(corp, staff=alice), T.FOLLOW_ADDED, now, staff="alice")

    assert enrol_from_facts(now=now) == 0


def test_another_corps_facts_are_not_ours(corp: Corp, now: datetime) -> None:
    make_sop(corp, [message()], now=now, trigger={"type": "customer_added"})
    other = make_corp()
    stranger = make_customer(other, staff=make_staff(other, userid="alice"))
    note(stranger, T.FOLLOW_ADDED, now, staff="alice")

    assert enrol_from_facts(now=now) == 0


def test_who_has_been_through_it_enters_by_hand_only(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    sop = make_sop(corp, [message()], now=now, trigger={"type": "customer_added"})
    customer = make_customer(corp, staff=alice)
    first = enrol(sop, customer, now=now)
    with pytest.raises(AlreadyEnrolled):
        enrol(sop, customer, now=now)
    note(customer, T.FOLLOW_ADDED, now, staff="alice")
    assert enrol_from_facts(now=now) == 0
    cancel_enrolment(first, actor=SYSTEM, now=now)

    note(customer, T.FOLLOW_ADDED, now + DAY, staff="alice")
    assert enrol_from_facts(now=now + DAY) == 0
    enrol(sop, customer, now=now + DAY)

    statuses = list(sop.enrolments.order_by("pk").values_list("status", flat=True))
    assert statuses == ["cancelled", "active"]


def test_who_is_taken_out_is_asked_nothing_more(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message(), message(days=1)], now=now)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now)
    run_due_steps(now=now)

    cancel_enrolment(enrolment, actor=SYSTEM, now=now)

    # What staff were asked stays asked.
    assert told() == [("pending", ""), ("skipped", "cancelled")]
    with pytest.raises(EnrolmentEnded):
        cancel_enrolment(enrolment, actor=SYSTEM, now=now)


def test_only_a_running_sop_takes_customers_in(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now, is_active=False)

    with pytest.raises(SopNotActive):
        enrol(sop, make_customer(corp, staff=alice), now=now)


def test_only_who_is_followed_is_taken_in(corp: Corp, now: datetime) -> None:
    with pytest.raises(NobodyFollows):
        enrol(make_sop(corp, [message()], now=now), make_customer(corp), now=now)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("skip", [("missed", "too_late"), ("pending", ""), ("pending", "")]),
        ("catch_up", [("pending", "")] * 3),
    ],
)
def test_who_enters_late_misses_by_the_policy(
    corp: Corp, alice: Staff, now: datetime, policy: str, expected: list[tuple[str, str]]
) -> None:
    steps = [message(), message(minutes=150), message(days=1)]
    sop = make_sop(corp, steps, now=now, late_policy=policy)

    enrol(sop, make_customer(corp, staff=alice), now=now, anchor=now - 3 * DAY / 24)

    assert told() == expected


def test_who_misses_everything_is_through(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now)

    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now, anchor=now - DAY)

    assert enrolment.status == Enrolment.Status.FINISHED


# --- dates ---------------------------------------------------------------------------------------


def born(corp: Corp, staff: Staff, value: Any, **fields: Any) -> Customer:
    return make_customer(corp, staff=staff, attributes={"born": value}, **fields)


def test_a_date_brings_its_customer_in(corp: Corp, alice: Staff, now: datetime) -> None:
    steps = [message(days=-1, at="09:00"), message(days=30, at="09:00")]
    sop = make_sop(corp, steps, now=now, trigger=BORN)
    # 18 November, midday in China.
    soon, later, midway, over = (
        born(corp, alice, day) for day in ("2026-11-20", "2026-12-20", "2026-11-01", "2026-09-01")
    )

    assert enrol_by_dates(now=now) == 2
    assert enrol_by_dates(now=now) == 0

    assert enrolled(sop) == {soon, midway}
    assert later not in enrolled(sop)
    assert over not in enrolled(sop)
    runs = StepRun.objects.filter(enrolment__customer=midway).order_by("due_at")
    assert list(runs.values_list("status", flat=True)) == ["missed", "pending"]
    # Midnight in China.
    assert sop.enrolments.get(customer=soon).anchor == datetime(2026, 11, 19, 16, tzinfo=UTC)


@pytest.mark.parametrize("value", ["soon", "2026-02-30", "20-11-2026", 20261120, ["2026-11-20"]])
def test_what_is_no_date_is_left_out_with_a_reason(
    corp: Corp, alice: Staff, now: datetime, value: Any
) -> None:
    sop = make_sop(corp, [message()], now=now, trigger=BORN)
    wrong, right = born(corp, alice, value), born(corp, alice, "2026-11-19")
    born(corp, alice, "")
    make_customer(corp, staff=alice)

    enrol_by_dates(now=now)

    assert enrolled(sop) == {right}
    assert list(left_out(sop)) == [wrong]
    assert simulate_sop(sop, wrong, now=now).anchor is None


def test_a_changed_date_moves_what_is_to_come(corp: Corp, alice: Staff, now: datetime) -> None:
    steps = [tag(make_tag(corp).pk, days=-1, minutes=720), message(days=10), message(days=20)]
    sop = make_sop(corp, steps, now=now, trigger=BORN)
    customer = born(corp, alice, "2026-11-19")
    enrol_by_dates(now=now)
    run_due_steps(now=now)
    assert told()[0] == ("done", "")
    customer.attributes = {"born": "2026-11-26"}
    customer.updated_at = now + DAY
    customer.save(update_fields=["attributes", "updated_at"])

    enrol_by_dates(now=now + DAY)

    enrolment = sop.enrolments.get()
    assert enrolment.anchor == datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert told() == [("done", ""), ("pending", ""), ("pending", "")]
    due = list(enrolment.runs.order_by("due_at").values_list("due_at", flat=True))
    assert due[1:] == [enrolment.anchor + 10 * DAY, enrolment.anchor + 20 * DAY]


def test_what_was_missed_comes_back_with_a_later_date(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    sop = make_sop(corp, [message(), message(days=20)], now=now, trigger=BORN)
    customer = born(corp, alice, "2026-11-10")
    enrol_by_dates(now=now)
    assert told() == [("missed", "too_late"), ("pending", "")]
    Customer.objects.filter(pk=customer.pk).update(attributes={"born": "2026-11-26"})

    enrol_by_dates(now=now, everybody=True)

    assert told() == [("pending", "")] * 2
    assert sop.enrolments.count() == 1


@pytest.mark.parametrize("attributes", [{}, {"born": "unknown"}])
def test_a_date_that_is_taken_away_ends_it(
    corp: Corp, alice: Staff, now: datetime, attributes: dict[str, str]
) -> None:
    sop = make_sop(corp, [message(days=1)], now=now, trigger=BORN)
    customer = born(corp, alice, "2026-11-18")
    enrol_by_dates(now=now)
    Customer.objects.filter(pk=customer.pk).update(attributes=attributes)

    enrol_by_dates(now=now, everybody=True)

    enrolment = sop.enrolments.get()
    assert (enrolment.status, enrolment.reason) == ("exited", "date_gone")
    assert told() == [("skipped", "exited")]


def test_a_birthday_comes_every_year(corp: Corp, alice: Staff, now: datetime) -> None:
    yearly = {**BORN, "yearly": True}
    sop = make_sop(corp, [tag(make_tag(corp).pk, at="09:00")], now=now, trigger=yearly)
    born(corp, alice, "1990-11-20")
    born(corp, alice, "1992-02-29")

    for days in range(0, 800, 3):
        enrol_by_dates(now=now + days * DAY, everybody=True)
        if enrolment := sop.enrolments.active().first():
            run_due_steps(now=enrolment.anchor + timedelta(hours=9, minutes=1))

    anchors = [each.astimezone(corp.zone).date().isoformat()
               for each in sop.enrolments.order_by("anchor").values_list("anchor", flat=True)]  # fmt: skip
    assert anchors == ["2026-11-20", "2027-02-28", "2027-11-20", "2028-02-29", "2028-11-20"]
    assert set(told()) == {("done", "")}


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=st.dates(date(1950, 1, 1), date(2100, 1, 1)).map(str)
    | st.sampled_from(["2024-02-29", "2000-02-29", "2026-11-31", "x", "2026-11-18T09:00", " "])
    | st.text(alphabet="0123456789-T ", max_size=12),
    yearly=st.booleans(),
    days=st.integers(-40, 40),
)
def test_sql_and_python_read_the_same_dates(value: str, yearly: bool, days: int) -> None:
    now = datetime(2026, 11, 18, 4, tzinfo=UTC)
    Corp.objects.all().delete()
    corp = make_corp()
    trigger = {**BORN, "yearly": yearly}
    sop = make_sop(corp, [message(days=days), message(days=-400)], now=now, trigger=trigger)
    customer = born(corp, make_staff(corp), value)

    enrol_by_dates(now=now)

    expected = anchor_of(sop, customer, now=now)
    found = Enrolment.objects.filter(sop=sop).first()
    if found is not None:
        assert found.anchor == expected
    assert (expected is None) is (read_date(value) is None)
    assert left_out(sop).exists() is (expected is None and value != "")


def test_simulating_does_nothing(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message(days=1, at="09:00"), message()], now=now)

    simulation = simulate_sop(sop, make_customer(corp, staff=alice), now=now)

    assert [run.due_at for run in simulation.runs] == [now, datetime(2026, 11, 19, 1, tzinfo=UTC)]
    assert not StepRun.objects.exists()


def test_a_database_that_fails_for_a_moment_loses_no_fact(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sop(corp, [message()], now=now, trigger={"type": "customer_added"})
    customer = make_customer(corp, staff=alice)
    note(customer, T.FOLLOW_ADDED, now, staff="alice")

    def fail(*_args: Any, **_kwargs: Any) -> list[int]:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(triggers, "_enrol", fail)
        with pytest.raises(OperationalError):
            enrol_from_facts(now=now)

    assert enrol_from_facts(now=now) == 1
