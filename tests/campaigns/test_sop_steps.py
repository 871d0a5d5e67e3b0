"""What is done when a step is due, what is not, and the reason for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions.sops import dispatching, speaking
from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.doing import NAMED, Desk
from campaigns.actions.sops.ending import exit_enrolments
from campaigns.models import Campaign, Enrolment, Recipient, Sop, StepRun
from customers.models import CustomerTagSet, Follow, HandoverItem, HandoverPlan, TimelineEntry
from risk.models import Incident
from scrm.channels.models import Operation
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.campaigns.sops import enrol, forbid, make_sop, message, stage, tag, task, tick, told
from tests.factories import (
    make_corp,
    make_customer,
    make_follow,
    make_staff,
    make_stage,
    make_tag,
)

HOUR = timedelta(hours=1)


def entered(corp: Corp, staff: Staff, now: datetime, *steps: Any, **fields: Any) -> Enrolment:
    """A customer of `staff` on her way through a SOP with these steps."""
    sop = make_sop(corp, steps or [message()], now=now, **fields)
    return enrol(sop, make_customer(corp, staff=staff), now=now)


def test_a_message_is_asked_once(corp: Corp, alice: Staff, now: datetime) -> None:
    enrolment = entered(corp, alice, now, message("Welcome"))

    run_due_steps(now=now)
    run_due_steps(now=now)

    campaign = Campaign.objects.get(sop_step__sop=enrolment.sop)
    assert campaign.content == "Welcome"
    assert Recipient.objects.get().staff == alice
    assert Operation.objects.count() == 1
    run = enrolment.runs.get()
    assert (run.status, run.campaign, run.staff) == ("pending", campaign, alice)


def test_one_message_for_each_member_of_staff(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "BATCH", 2)
    sop = make_sop(corp, [message()], now=now)
    for staff in (alice, bob, alice, bob, alice):
        enrol(sop, make_customer(corp, staff=staff), now=now)

    run_due_steps(now=now)

    campaign = Campaign.objects.get()
    assert sorted(campaign.tasks.values_list("staff__userid", "size")) == [("alice", 3), ("bob", 2)]
    assert Operation.objects.count() == 2


def test_tags_are_given_and_taken_at_once(corp: Corp, alice: Staff, now: datetime) -> None:
    old, new = make_tag(corp), make_tag(corp)
    sop = make_sop(corp, [tag(new.pk), tag(old.pk, kind="untag")], now=now)
    customer = make_customer(corp, staff=alice, tags=[old])
    enrolment = enrol(sop, customer, now=now)

    run_due_steps(now=now)

    enrolment.refresh_from_db()
    assert told() == [("done", ""), ("done", "")]
    assert enrolment.status == Enrolment.Status.FINISHED
    assert CustomerTagSet.objects.get(customer=customer).tag_ids == [new.pk]
    fact = TimelineEntry.objects.get(type="tag.added")
    assert (fact.source, fact.data["sop"]) == ("sop", sop.pk)


def test_a_stage_is_moved_unless_somebody_holds_it(corp: Corp, alice: Staff, now: datetime) -> None:
    interest = make_stage(corp, "interest")
    sop = make_sop(corp, [stage("interest")], now=now)
    free = make_customer(corp, staff=alice)
    held = make_customer(corp, staff=alice, stage_held_until=now + HOUR)
    for customer in (free, held):
        enrol(sop, customer, now=now)

    run_due_steps(now=now)

    free.refresh_from_db()
    held.refresh_from_db()
    assert (free.stage, held.stage) == (interest, None)
    assert sorted(told()) == [("done", ""), ("skipped", "stage_held")]


def test_staff_are_told_in_one_message(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sop = make_sop(synced_brand, [task("Call her")], now=now)
    follows = Follow.objects.live().select_related("staff", "customer").order_by("pk")
    staff = follows[0].staff
    hers = [each.customer for each in follows.filter(staff=staff)][:3]
    for customer in hers:
        enrolment = enrol(sop, customer, now=now)
        Enrolment.objects.filter(pk=enrolment.pk).update(staff=staff)

    tick(now=now)

    ((text, receivers),) = sandbox.app_messages()["by_text"].items()
    assert "Call her" in text
    assert all(customer.name in text for customer in hers)
    assert receivers == 1
    assert told() == [("done", "")] * 3


def test_staff_are_told_of_a_newcomer_once_her_name_is_read(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    sop = make_sop(corp, [task("Call her")], now=now)
    nameless = make_customer(corp, staff=alice, name="")
    enrol(sop, nameless, now=now)

    run_due_steps(now=now)
    assert told() == [("pending", "")]
    # A customer without any name must not be forgotten over it.
    run_due_steps(now=now + timedelta(minutes=2))

    assert nameless.external_userid in Operation.objects.get().payload["text"]


def test_a_long_list_of_customers_is_cut(corp: Corp, alice: Staff, now: datetime) -> None:
    sop = make_sop(corp, [task("Call her")], now=now)
    for _ in range(NAMED + 5):
        enrol(sop, make_customer(corp, staff=alice), now=now)

    run_due_steps(now=now)

    operation = Operation.objects.get()
    assert "5" in operation.payload["text"].splitlines()[-1]
    assert len(operation.payload["text"].encode()) < 2048


def test_a_deleted_tag_fails_its_step_only(corp: Corp, alice: Staff, now: datetime) -> None:
    doomed, fine = make_tag(corp), make_tag(corp)
    enrolment = entered(corp, alice, now, tag(doomed.pk), tag(fine.pk))
    doomed.deleted_at = now
    doomed.save(update_fields=["deleted_at"])

    run_due_steps(now=now)

    assert told() == [("failed", "invalid"), ("done", "")]
    assert enrolment.runs.exclude(detail="").count() == 1


def test_a_forbidden_text_is_not_sent(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(corp, alice, now, message("保证治愈"))
    forbid(monkeypatch, "治愈")

    run_due_steps(now=now)

    assert told() == [("skipped", "risk")]
    assert not Operation.objects.exists()
    incident = Incident.objects.get()
    assert (incident.kind, incident.hits[0]["text"]) == ("stopped_send", "治愈")


def test_the_condition_decides(corp: Corp, alice: Staff, now: datetime) -> None:
    vip = make_tag(corp)
    rule = {"all": [{"field": "tags", "op": "any_of", "value": [vip.pk]}]}
    sop = make_sop(corp, [message(condition=rule)], now=now)
    for tags in ([vip], []):
        enrol(sop, make_customer(corp, staff=alice, tags=tags), now=now)

    run_due_steps(now=now)

    assert sorted(told()) == [("pending", ""), ("skipped", "condition")]


def test_the_exit_rule_ends_the_rest(corp: Corp, alice: Staff, now: datetime) -> None:
    lost = make_tag(corp)
    rule = {"all": [{"field": "tags", "op": "any_of", "value": [lost.pk]}]}
    steps = [tag(lost.pk), message(minutes=10), message(days=3)]
    enrolment = entered(corp, alice, now, *steps, exit=rule)
    run_due_steps(now=now)

    run_due_steps(now=now + timedelta(minutes=10))

    enrolment.refresh_from_db()
    assert told() == [("done", ""), ("skipped", "exited"), ("skipped", "exited")]
    assert (enrolment.status, enrolment.reason) == ("exited", "exit_rule")


def test_the_exit_rule_is_looked_at_between_steps(corp: Corp, alice: Staff, now: datetime) -> None:
    lost = make_tag(corp)
    rule = {"all": [{"field": "tags", "op": "any_of", "value": [lost.pk]}]}
    sop = make_sop(corp, [message(days=30)], now=now, exit=rule)
    enrolment = enrol(sop, make_customer(corp, staff=alice, tags=[lost]), now=now)

    assert exit_enrolments(now=now + HOUR) == 1

    enrolment.refresh_from_db()
    assert enrolment.status == Enrolment.Status.EXITED
    assert told() == [("skipped", "exited")]


def test_nobody_follows_any_more(corp: Corp, alice: Staff, now: datetime) -> None:
    enrolment = entered(corp, alice, now)
    enrolment.customer.follows.update(status="deleted_by_customer", ended_at=now)
    enrolment.customer.live_follows = 0
    enrolment.customer.save(update_fields=["live_follows"])

    run_due_steps(now=now)

    assert told() == [("skipped", "no_live_follow")]


def test_never_writes_to_the_blocked(corp: Corp, alice: Staff, now: datetime) -> None:
    new = make_tag(corp)
    enrolment = entered(corp, alice, now, message(), tag(new.pk))
    enrolment.customer.is_blocked = True
    enrolment.customer.save(update_fields=["is_blocked"])

    run_due_steps(now=now)

    assert told() == [("skipped", "blocked"), ("done", "")]


@pytest.mark.parametrize("fields", [{"status": "left"}, {"leaving_since": "now"}])
def test_a_leaving_member_of_staff_is_asked_nothing(
    corp: Corp, alice: Staff, now: datetime, fields: dict[str, Any]
) -> None:
    entered(corp, alice, now)
    Staff.objects.filter(pk=alice.pk).update(
        **{name: now if value == "now" else value for name, value in fields.items()}
    )

    run_due_steps(now=now)

    assert told() == [("skipped", "staff_unavailable")]


def test_a_colleague_who_follows_too_speaks_instead(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    enrolment = entered(corp, alice, now)
    make_follow(enrolment.customer, bob)
    Staff.objects.filter(pk=alice.pk).update(leaving_since=now)

    run_due_steps(now=now)

    assert Recipient.objects.get().staff == bob


def test_who_took_her_in_goes_on(corp: Corp, alice: Staff, bob: Staff, now: datetime) -> None:
    enrolment = entered(corp, alice, now)
    make_follow(enrolment.customer, bob, last_interaction_at=now)
    Enrolment.objects.filter(pk=enrolment.pk).update(staff=alice)

    run_due_steps(now=now)

    assert Recipient.objects.get().staff == alice


def being_handed_over(enrolment: Enrolment, giver: Staff, taker: Staff, now: datetime) -> Any:
    plan = HandoverPlan.objects.create(
        corp=enrolment.corp, kind="in_service", from_staff=giver, created_at=now
    )
    return HandoverItem.objects.create(
        corp=enrolment.corp, plan=plan, kind="in_service", customer=enrolment.customer,
        from_staff=giver, to_staff=taker, status="waiting",
    )  # fmt: skip


def test_waits_for_a_handover(corp: Corp, alice: Staff, bob: Staff, now: datetime) -> None:
    enrolment = entered(corp, alice, now)
    item = being_handed_over(enrolment, alice, bob, now)

    run_due_steps(now=now)
    assert told() == [("pending", "")]
    assert not Campaign.objects.exists()
    item.status = "succeeded"
    item.save(update_fields=["status"])
    run_due_steps(now=now + timedelta(minutes=6))

    assert Recipient.objects.count() == 1


def test_does_not_wait_longer_than_the_grace(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    enrolment = entered(corp, alice, now)
    being_handed_over(enrolment, alice, bob, now)
    run_due_steps(now=now)

    run_due_steps(now=now + timedelta(minutes=61))

    assert told() == [("skipped", "in_handover")]


@pytest.mark.parametrize("policy", ["skip", "catch_up"])
def test_what_is_late_waits_out_the_quiet_hours(
    policy: str, corp: Corp, alice: Staff, now: datetime
) -> None:
    # Due at 20:30, and nothing ran until 21:10.
    entered(
        corp, alice, now, message(at="20:30"),
        quiet_hours={"start": "21:00", "end": "09:00"}, late_policy=policy,
    )  # fmt: skip
    late = now.replace(hour=13, minute=10)

    run_due_steps(now=late)
    assert told() == [("pending", "")]
    assert StepRun.objects.get().look_at == now.replace(hour=1, minute=0) + timedelta(days=1)
    run_due_steps(now=now.replace(hour=1, minute=1) + timedelta(days=1))

    assert Recipient.objects.count() == 1


@pytest.mark.parametrize(
    ("policy", "minutes", "expected"),
    [
        ("skip", 59, ("pending", "")),
        ("skip", 61, ("missed", "too_late")),
        ("catch_up", 61, ("pending", "")),
    ],
)
def test_what_is_late_follows_the_policy(
    corp: Corp, alice: Staff, now: datetime, policy: str, minutes: int, expected: tuple[str, str]
) -> None:
    entered(corp, alice, now, late_policy=policy)

    run_due_steps(now=now + timedelta(minutes=minutes))

    assert told() == [expected]
    assert Recipient.objects.exists() is (expected[0] == "pending")


def test_late_messages_go_one_after_the_other(corp: Corp, alice: Staff, now: datetime) -> None:
    steps = [message("One"), message("Two", days=1), message("Three", days=2)]
    entered(corp, alice, now, *steps, late_policy="catch_up")
    after = now + timedelta(days=5)

    asked = []
    for minutes in (0, 1, 11, 22):
        run_due_steps(now=after + timedelta(minutes=minutes))
        asked.append(list(Campaign.objects.order_by("pk").values_list("content", flat=True)))

    assert asked == [["One"], ["One"], ["One", "Two"], ["One", "Two", "Three"]]


def test_a_refusal_is_written_down(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sop = make_sop(synced_brand, [message()], now=now)
    follows = Follow.objects.live().select_related("staff", "customer").order_by("pk")
    friend, stranger = [each.customer for each in follows.filter(staff=follows[0].staff)][:2]
    for customer in (friend, stranger):
        enrol(sop, customer, now=now)
    for follow in stranger.follows.all():
        sandbox.people.member_deletes(follow.staff.userid, stranger.external_userid)

    tick(now=now)

    results = {run.enrolment.customer: (run.status, run.reason) for run in StepRun.objects.all()}
    assert results == {friend: ("done", ""), stranger: ("failed", "refused")}
    assert set(Enrolment.objects.values_list("status", flat=True)) == {"finished"}


def test_a_worker_that_dies_in_a_batch_leaves_it_to_the_next(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(corp, alice, now)
    with monkeypatch.context() as patch:
        patch.setattr(dispatching, "finish_enrolments", _die)
        with pytest.raises(KeyboardInterrupt):
            run_due_steps(now=now)
    assert not Recipient.objects.exists()

    run_due_steps(now=now)

    assert Recipient.objects.count() == Operation.objects.count() == 1


def test_a_worker_that_dies_before_asking_is_made_good(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(corp, alice, now)
    with monkeypatch.context() as patch:
        patch.setattr(speaking, "enqueue_tasks", _die)
        with pytest.raises(KeyboardInterrupt):
            run_due_steps(now=now)
    assert Recipient.objects.count() == 1
    assert not Operation.objects.exists()

    run_due_steps(now=now + timedelta(seconds=30))
    assert not Operation.objects.exists()
    run_due_steps(now=now + timedelta(minutes=2))

    assert Recipient.objects.count() == Operation.objects.count() == 1


def _die(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_one_broken_step_does_not_stop_the_others(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = make_tag(corp)
    entered(corp, alice, now, message(), tag(new.pk))
    monkeypatch.setattr(speaking, "_ADD", "SELECT 1 / 0")

    run_due_steps(now=now)

    assert told() == [("pending", ""), ("done", "")]
    assert StepRun.objects.filter(status="pending", look_at__gt=now).count() == 1
    assert not Campaign.objects.exists()


def test_sops_of_two_corps_do_not_meet(corp: Corp, alice: Staff, now: datetime) -> None:
    other = make_corp()
    sops = [entered(each, make_staff(each), now, message(each.name)).sop for each in (corp, other)]

    run_due_steps(now=now)

    assert {c.corp for c in Campaign.objects.all()} == {corp, other}
    assert Sop.objects.for_corp(corp).get() == sops[0]


def broken(campaign: Campaign, *, now: datetime) -> None:
    raise AttributeError("an attachment nobody can read")


def test_one_campaign_that_cannot_be_let_go_does_not_stop_the_others(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = entered(corp, alice, now, message("Stuck"))
    with monkeypatch.context() as patch:
        patch.setattr(speaking, "let_go", broken)
        run_due_steps(now=now)
        label = make_tag(corp)
        entered(corp, alice, now, tag(label.pk))
        run_due_steps(now=now + timedelta(minutes=5))
        assert sorted(told()) == [("done", ""), ("pending", "")]
        # After an hour it is given up, and says why.
        run_due_steps(now=now + timedelta(minutes=61))

    run = stuck.runs.get()
    assert (run.status, run.reason) == ("failed", "invalid")
    assert "attachment" in run.detail
    assert Campaign.objects.get().status == Campaign.Status.FAILED


def test_nobody_is_added_to_a_campaign_that_another_worker_let_go(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "BATCH", 1)
    sop = make_sop(corp, [message()], now=now)
    for staff in (alice, bob):
        enrol(sop, make_customer(corp, staff=staff), now=now)
    desk = Desk(lambda: now)
    dispatching._take_batch(desk, now=now)

    speaking.let_go_abandoned(now=now + timedelta(hours=1))
    dispatching._take_batch(desk, now=now)
    desk.close()

    assert Campaign.objects.count() == 2
    assert Operation.objects.count() == 2
    assert not Recipient.objects.filter(task__operation=None).exists()
