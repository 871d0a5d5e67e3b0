"""Pausing, resuming and editing while customers are on their way: nothing is done twice."""

from datetime import datetime, timedelta

from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.drafting import activate_sop, draft_of, pause_sop, update_sop
from campaigns.actions.sops.moving import follow_taker
from campaigns.models import Campaign, Enrolment, Recipient, Sop, StepRun
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Staff
from tests.campaigns.sops import enrol, make_sop, message, tag, told
from tests.factories import make_customer, make_follow, make_tag

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def edit(sop: Sop, now: datetime, **changes: object) -> Sop:
    return update_sop(sop, changes=changes, actor=SYSTEM, now=now)


def test_nothing_is_begun_in_a_pause(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message("Early", minutes=30), message("Later", days=1)], now=now)
    enrol(sop, make_customer(corp, staff=alice), now=now)
    pause_sop(sop, actor=SYSTEM, now=now)

    assert run_due_steps(now=now + HOUR) == {"paused": 1}
    assert run_due_steps(now=now + HOUR) == {}
    activate_sop(sop, actor=SYSTEM, now=now + 2 * HOUR)
    run_due_steps(now=now + 2 * HOUR)

    # An hour and a half late is beyond the grace.
    assert told() == [("missed", "too_late"), ("pending", "")]
    run_due_steps(now=now + DAY)
    assert [each.content for each in Campaign.objects.all()] == ["Later"]


def test_a_short_pause_misses_nothing(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now)
    enrol(sop, make_customer(corp, staff=alice), now=now)
    pause_sop(sop, actor=SYSTEM, now=now)
    run_due_steps(now=now)

    activate_sop(sop, actor=SYSTEM, now=now + HOUR / 2)
    run_due_steps(now=now + HOUR / 2)
    run_due_steps(now=now + HOUR / 2)

    assert Recipient.objects.count() == 1


def test_an_edited_time_moves_what_is_to_come(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message("One"), message("Two", days=2)], now=now)
    enrol(sop, make_customer(corp, staff=alice), now=now)
    run_due_steps(now=now)
    one, two = draft_of(sop).steps

    edit(sop, now, steps=[{**one, "offset": {"days": 9}}, {**two, "offset": {"days": 5}}])
    run_due_steps(now=now + 2 * DAY)

    assert Campaign.objects.get().content == "One"
    due = list(StepRun.objects.order_by("step__position").values_list("due_at", flat=True))
    assert due == [now, now + 5 * DAY]
    run_due_steps(now=now + 5 * DAY)
    assert Recipient.objects.count() == 2


def test_an_edited_text_is_said_from_now_on(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message("Old"), message("Old", days=1)], now=now)
    enrol(sop, make_customer(corp, staff=alice), now=now)
    run_due_steps(now=now)
    new = {"kind": "message", "content": "New"}

    edited = edit(sop, now, steps=[{**step, "action": new} for step in draft_of(sop).steps])
    run_due_steps(now=now + DAY)

    assert [each.content for each in Campaign.objects.order_by("pk")] == ["Old", "New"]
    assert edited.version == sop.version + 1
    assert AuditEntry.objects.get(action="sops.changed").data["changed"] == ["steps"]


def test_a_removed_step_is_skipped(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message("Stay"), message("Go", days=1)], now=now)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now)

    edit(sop, now, steps=draft_of(sop).steps[:1])

    assert told(enrolment) == [("pending", ""), ("skipped", "removed")]
    assert [step["action"]["content"] for step in draft_of(sop).steps] == ["Stay"]


def test_who_has_nothing_left_is_through(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [tag(make_tag(corp).pk), message(days=1)], now=now)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now)
    run_due_steps(now=now)

    edit(sop, now, steps=draft_of(sop).steps[:1])

    enrolment.refresh_from_db()
    assert enrolment.status == Enrolment.Status.FINISHED


def test_a_new_step_is_planned_if_it_lies_ahead(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message(days=9)], now=now)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now)
    added = [message("Past", days=1), message("Ahead", days=5)]

    edit(sop, now + 2 * DAY, steps=[*draft_of(sop).steps, *added])

    assert told(enrolment) == [("pending", ""), ("missed", "too_late"), ("pending", "")]


def test_other_quiet_hours_move_everything(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message(days=1, at="22:00")], now=now)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=now)

    edit(sop, now, quiet_hours={"start": "21:00", "end": "09:00"})

    # 20 November, nine o'clock in China.
    assert enrolment.runs.get().due_at == datetime.fromisoformat("2026-11-20T09:00+08:00")


def test_the_taker_goes_on(corp: Corp, alice: Staff, bob: Staff, now: datetime) -> None:
    sop = make_sop(corp, [message()], now=now)
    customer = make_customer(corp, staff=alice)
    enrolment = enrol(sop, customer, now=now)
    Enrolment.objects.filter(pk=enrolment.pk).update(staff=alice)
    StepRun.objects.update(look_at=now + HOUR / 2)
    customer.follows.update(status="transferred", ended_at=now)
    make_follow(customer, bob, added_at=now)

    follow_taker([customer.pk], alice, bob, now)
    run_due_steps(now=now)

    enrolment.refresh_from_db()
    assert enrolment.staff == bob
    assert Recipient.objects.get().staff == bob
