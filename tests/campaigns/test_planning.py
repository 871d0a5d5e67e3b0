"""Who is planned, through whom, who is left out, and that it happens once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions import planning
from campaigns.actions.approval import submit_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.preflight import preflight_campaign
from campaigns.actions.results import results_of
from campaigns.models import Campaign, Recipient
from customers.models import Customer, Follow
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    make_campaign,
    make_corp,
    make_customer,
    make_follow,
    make_segment,
    make_staff,
    make_tag,
)


def planned_campaign(corp: Corp, now: datetime, **fields: Any) -> Campaign:
    segment = fields.pop("segment", None) or make_segment(corp)
    campaign = make_campaign(corp, segment=segment, **fields)
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)
    campaign.refresh_from_db()
    return campaign


def senders(campaign: Campaign) -> dict[str, str]:
    rows = campaign.recipients.filter(status=Recipient.Status.PLANNED)
    return dict(rows.values_list("customer__name", "staff__userid"))


def test_plans_everybody_of_the_segment_once(corp: Corp, alice: Staff, now: datetime) -> None:
    vip = make_tag(corp)
    for name in ("Ann", "Bea"):
        make_customer(corp, staff=alice, tags=[vip], name=name)
    make_customer(corp, staff=alice, name="Untagged")
    rule = {"field": "tags", "op": "any_of", "value": [vip.pk]}

    campaign = planned_campaign(corp, now, segment=make_segment(corp, {"all": [rule]}))

    assert senders(campaign) == {"Ann": "alice", "Bea": "alice"}
    assert plan_due_campaigns(now=now + timedelta(minutes=10)) == 0
    assert campaign.recipients.count() == 2


def test_names_the_reason_for_everybody_left_out(corp: Corp, alice: Staff, now: datetime) -> None:
    gone = make_staff(corp, status=Staff.Status.LEFT)
    make_customer(corp, staff=alice, name="Fine")
    blocked = make_customer(corp, staff=alice, is_blocked=True)
    orphan = make_customer(corp, staff=gone)
    lost = make_customer(corp)
    listed = list(Customer.objects.values_list("external_userid", flat=True))

    campaign = make_campaign(corp, external_userids=listed)
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)

    reasons = dict(
        campaign.recipients.filter(status="excluded").values_list("customer_id", "reason")
    )
    assert reasons == {
        blocked.pk: "blocked",
        orphan.pk: "sender_inactive",
        lost.pk: "no_live_follow",
    }
    campaign.refresh_from_db()
    assert results_of(campaign)["planned"] == 1


def test_the_preflight_counts_what_planning_will_do(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    make_customer(corp, staff=alice)
    make_customer(corp, staff=alice, is_blocked=True)
    campaign = make_campaign(corp, segment=make_segment(corp))

    foreseen = preflight_campaign(campaign, now=now)

    assert (foreseen.planned, foreseen.senders) == (1, 1)
    assert foreseen.excluded == {"blocked": 1}
    assert not campaign.recipients.exists()


@pytest.mark.parametrize(
    ("policy", "sender"),
    [("last_chat", "bob"), ("owner", "alice"), ("named", "bob")],
)
def test_chooses_the_sender_by_policy(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, policy: str, sender: str
) -> None:
    customer = make_customer(corp, name="Ann", live_follows=2, added_at=now)
    make_follow(customer, alice, added_at=now - timedelta(days=9))
    make_follow(
        customer, bob, added_at=now - timedelta(days=5), last_interaction_at=now - timedelta(days=1)
    )
    campaign = make_campaign(corp, segment=make_segment(corp), sender_policy=policy)
    if policy == "named":
        campaign.senders.add(bob)
    submit_campaign(campaign, actor=SYSTEM, now=now)

    plan_due_campaigns(now=now)

    assert senders(campaign) == {"Ann": sender}


def test_an_owner_mark_beats_the_earliest_follow(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    customer = make_customer(corp, name="Ann", live_follows=2, added_at=now)
    make_follow(customer, alice, added_at=now - timedelta(days=9))
    make_follow(customer, bob, is_owner=True)

    campaign = planned_campaign(corp, now, sender_policy="owner")

    assert senders(campaign) == {"Ann": "bob"}


def test_customers_of_other_than_the_named_staff_are_excluded(
    corp: Corp, alice: Staff, bob: Staff, now: datetime
) -> None:
    make_customer(corp, staff=alice, name="Ann")
    make_customer(corp, staff=bob, name="Bea")
    campaign = make_campaign(corp, segment=make_segment(corp), sender_policy="named")
    campaign.senders.add(alice)
    submit_campaign(campaign, actor=SYSTEM, now=now)

    plan_due_campaigns(now=now)

    campaign.refresh_from_db()
    assert senders(campaign) == {"Ann": "alice"}
    assert results_of(campaign)["excluded"] == {"not_followed_by_sender": 1}


def test_ended_follows_send_nothing(corp: Corp, alice: Staff, bob: Staff, now: datetime) -> None:
    customer = make_customer(corp, staff=alice, name="Ann")
    make_follow(
        customer,
        bob,
        status=Follow.Status.DELETED_BY_CUSTOMER,
        ended_at=now,
        last_interaction_at=now,
    )

    campaign = planned_campaign(corp, now)

    assert senders(campaign) == {"Ann": "alice"}


def test_splits_a_sender_into_parts_the_platform_takes(
    corp: Corp, alice: Staff, now: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CUSTOMERS_PER_TASK = 4
    monkeypatch.setattr(planning, "CHUNK", 3)
    for _ in range(10):
        make_customer(corp, staff=alice)

    campaign = planned_campaign(corp, now)

    assert list(campaign.tasks.order_by("part").values_list("part", "size")) == [
        (0, 4),
        (1, 4),
        (2, 2),
    ]
    for task in campaign.tasks.all():
        assert task.recipients.count() == task.size
        assert task.operation is not None
        assert len(task.operation.payload["external_userids"]) == task.size


def test_goes_on_after_a_worker_that_died_between_chunks(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CHUNK", 2)
    for _ in range(5):
        make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    chunks = planning.insert_recipients

    def die_after_one(*args: Any) -> int:
        if campaign.recipients.exists():
            raise KeyboardInterrupt
        return chunks(*args)

    monkeypatch.setattr(planning, "insert_recipients", die_after_one)
    with pytest.raises(KeyboardInterrupt):
        plan_due_campaigns(now=now)
    assert campaign.recipients.count() == 2
    assert not Operation.objects.exists()
    monkeypatch.setattr(planning, "insert_recipients", chunks)

    assert plan_due_campaigns(now=now) == 0, "the dead worker's lease still holds"
    plan_due_campaigns(now=now + planning.LEASE + timedelta(seconds=1))

    assert campaign.recipients.count() == 5
    assert campaign.tasks.get().size == 5
    assert Operation.objects.count() == 1


def test_waits_for_send_at(corp: Corp, alice: Staff, now: datetime) -> None:
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp), send_at=now + timedelta(hours=1))
    submit_campaign(campaign, actor=SYSTEM, now=now)

    assert plan_due_campaigns(now=now) == 0
    assert plan_due_campaigns(now=now + timedelta(hours=1)) == 1


def test_uses_the_rule_as_it_was_submitted(corp: Corp, alice: Staff, now: datetime) -> None:
    make_customer(corp, staff=alice, name="Ann", gender=2)
    make_customer(corp, staff=alice, name="Bob", gender=1)
    segment = make_segment(corp, {"all": [{"field": "gender", "op": "eq", "value": 2}]})
    campaign = make_campaign(corp, segment=segment)
    submit_campaign(campaign, actor=SYSTEM, now=now)
    segment.rule = {"all": []}
    segment.save(update_fields=["rule"])

    plan_due_campaigns(now=now)

    assert set(senders(campaign)) == {"Ann"}


def test_fails_when_nobody_is_left_by_then(corp: Corp, alice: Staff, now: datetime) -> None:
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp), send_at=now + timedelta(hours=1))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    Customer.objects.update(is_blocked=True)

    plan_due_campaigns(now=now + timedelta(hours=2))

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FAILED
    assert campaign.problem
    assert not Operation.objects.exists()


def test_another_corps_customers_are_never_planned(corp: Corp, alice: Staff, now: datetime) -> None:
    other = make_corp()
    make_customer(other, staff=make_staff(other), name="Theirs")
    make_customer(corp, staff=alice, name="Ours")

    campaign = planned_campaign(corp, now)

    assert set(senders(campaign)) == {"Ours"}


def test_a_tag_deleted_before_its_time_fails_the_campaign_and_says_so(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    vip = make_tag(corp)
    make_customer(corp, staff=alice, tags=[vip])
    rule = {"field": "tags", "op": "any_of", "value": [vip.pk]}
    doomed = make_campaign(corp, segment=make_segment(corp, {"all": [rule]}), send_at=now)
    fine = make_campaign(corp, segment=make_segment(corp), send_at=now + timedelta(seconds=1))
    for campaign in (doomed, fine):
        submit_campaign(campaign, actor=SYSTEM, now=now)
    vip.deleted_at = now
    vip.save(update_fields=["deleted_at"])

    plan_due_campaigns(now=now + timedelta(minutes=1))

    doomed.refresh_from_db()
    fine.refresh_from_db()
    assert doomed.status == Campaign.Status.FAILED
    assert doomed.problem
    assert fine.planned_at


def test_what_cannot_be_planned_does_not_stop_the_others(
    corp: Corp, alice: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_customer(corp, staff=alice)
    poisoned, fine = (make_campaign(corp, segment=make_segment(corp)) for _ in range(2))
    for campaign in (poisoned, fine):
        submit_campaign(campaign, actor=SYSTEM, now=now)
    insert = planning.insert_recipients

    def stumble(campaign: Campaign, *args: Any) -> int:
        if campaign.pk == poisoned.pk:
            raise RuntimeError("boom")
        return insert(campaign, *args)

    monkeypatch.setattr(planning, "insert_recipients", stumble)

    plan_due_campaigns(now=now)

    fine.refresh_from_db()
    assert fine.planned_at
