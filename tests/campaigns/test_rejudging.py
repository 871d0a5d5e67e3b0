"""Between planning and asking much can happen: nobody is asked who should not be by then."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions.approval import submit_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.results import results_of
from campaigns.models import Campaign, Task
from customers.actions.follows import end_follows
from customers.models import Customer, Follow, HandoverItem, HandoverPlan
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions import asking
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.kinds import preparation_of
from scrm.channels.models import Operation
from scrm.channels.operations import ASK_MASS_MESSAGE
from scrm.tenancy.models import Corp, Staff
from tests.factories import make_campaign, make_customer, make_segment

# Planning takes moments of its own.
SOON = timedelta(seconds=1)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the platform was asked; it takes everything."""
    asked: list[dict[str, Any]] = []

    def take(operation: Operation) -> dict[str, Any]:
        asked.append(operation.payload)
        return {"msgid": f"m{len(asked)}", "refused": []}

    monkeypatch.setattr(asking, "_call", take)
    return asked


def planned(corp: Corp, now: datetime) -> Campaign:
    campaign = make_campaign(corp, segment=make_segment(corp))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)
    return campaign


def block(customer: Customer, alice: Staff, now: datetime) -> None:
    Customer.objects.filter(pk=customer.pk).update(is_blocked=True)


def lose(customer: Customer, alice: Staff, now: datetime) -> None:
    follows = Follow.objects.filter(customer=customer).values_list("pk", flat=True)
    end_follows(follows, status=Follow.Status.DELETED_BY_CUSTOMER, now=now)


def hand_over(customer: Customer, alice: Staff, now: datetime) -> None:
    plan = HandoverPlan.objects.create(
        corp=alice.corp, kind="in_service", from_staff=alice, created_at=now
    )
    HandoverItem.objects.create(
        corp=alice.corp, plan=plan, customer=customer, kind="in_service", from_staff=alice,
        status="waiting",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("happen", "reason"),
    [(block, "blocked"), (lose, "no_live_follow"), (hand_over, "in_handover")],
)
def test_who_is_out_by_then_is_not_asked_and_the_rest_is(
    corp: Corp, alice: Staff, now: datetime, calls: list[Any], happen: Any, reason: str
) -> None:
    kept, out = (make_customer(corp, staff=alice) for _ in range(2))
    campaign = planned(corp, now)
    happen(out, alice, now)

    run_due_operations(now=now + SOON)

    assert [call["external_userids"] for call in calls] == [[kept.external_userid]]
    assert Operation.objects.get().payload == calls[0], "it is looked for as it was asked"
    assert campaign.recipients.get(customer=out).reason == reason
    results = results_of(Campaign.objects.get())
    assert (results["planned"], results["asked"], results["excluded"]) == (1, 1, {reason: 1})
    assert Task.objects.get().size == 1


def test_a_sender_who_leaves_by_then_is_not_asked_at_all(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, calls: list[Any]
) -> None:
    make_customer(corp, staff=alice)
    make_customer(corp, staff=bob)
    campaign = planned(corp, now)
    Staff.objects.filter(pk=alice.pk).update(leaving_since=now)

    run_due_operations(now=now + SOON)

    assert [call["sender"] for call in calls] == ["bob"]
    assert campaign.recipients.get(staff=alice).reason == "sender_leaving"
    assert campaign.tasks.get(staff=alice).status == Task.Status.CANCELLED
    assert Campaign.objects.get().status == Campaign.Status.ASKED


def test_a_campaign_with_nobody_left_fails_and_says_so(
    corp: Corp, alice: Staff, now: datetime, calls: list[Any]
) -> None:
    make_customer(corp, staff=alice)
    planned(corp, now)
    Customer.objects.update(is_blocked=True)

    run_due_operations(now=now + SOON)

    campaign = Campaign.objects.get()
    assert calls == []
    assert Operation.objects.get().status == Operation.Status.CANCELLED
    assert (campaign.status, bool(campaign.problem)) == (Campaign.Status.FAILED, True)


def test_a_preparation_that_fails_asks_nobody_and_stops_no_other(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, calls: list[Any], monkeypatch: Any
) -> None:
    make_customer(corp, staff=alice)
    make_customer(corp, staff=bob)
    planned(corp, now)
    prepare = preparation_of(ASK_MASS_MESSAGE)
    assert prepare

    def stumble(operation: Operation, at: datetime) -> Any:
        if operation.payload["sender"] == "alice":
            raise RuntimeError("boom")
        return prepare(operation, at)

    monkeypatch.setattr(asking, "preparation_of", lambda kind: stumble)

    run_due_operations(now=now + SOON)

    assert [call["sender"] for call in calls] == ["bob"]
    held = Operation.objects.get(payload__sender="alice")
    assert held.called_at is None, "it was certainly not asked"
