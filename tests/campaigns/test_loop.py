"""The closed loop against the sandbox: asked, confirmed, delivered, and lost by reason."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions.approval import WrongStatus, submit_campaign
from campaigns.actions.cancelling import cancel_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.polling import apply_results, poll_due_tasks
from campaigns.actions.reminding import (
    NobodyToRemind,
    ReminderLimitReached,
    remind_campaign,
)
from campaigns.actions.results import refresh_campaign, results_by_staff, results_of
from campaigns.models import Campaign, Recipient, Task
from customers.models import Follow
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.models import Operation
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import make_campaign, make_segment

# Planning and asking take moments of their own.
SOON = timedelta(seconds=1)
SENDING = "externalcontact/add_msg_template"


def ask(corp: Corp, now: datetime, **fields: Any) -> Campaign:
    campaign = make_campaign(corp, segment=make_segment(corp), **fields)
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)
    run_due_operations(now=now + SOON)
    return reread(campaign)


def reread(campaign: Campaign) -> Campaign:
    return Campaign.objects.get(pk=campaign.pk)


def look(campaign: Campaign, now: datetime) -> Campaign:
    refresh_campaign(campaign, now=now)
    run_due_jobs(clock=lambda: now)
    return reread(campaign)


def figures(campaign: Campaign) -> dict[str, int]:
    results = results_of(campaign)
    return {
        word: results[word]
        for word in ("asked", "confirmed", "delivered", "not_friend", "quota", "unsent", "failed")
    }


def test_every_figure_equals_the_platforms(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    assert campaign.status == Campaign.Status.ASKED
    forgetful = campaign.tasks.order_by("pk")[0]
    asked = campaign.recipients.counted_as("asked").exclude(task=forgetful)
    recipients = list(asked.select_related("customer", "staff").order_by("pk"))
    for recipient in recipients[:3]:
        assert recipient.staff
        assert recipient.customer
        sandbox.people.customer_deletes(recipient.customer.external_userid, recipient.staff.userid)
    for recipient in recipients[3:5]:
        assert recipient.customer
        sandbox.people.use_up_quota(recipient.customer.external_userid)
    for task in campaign.tasks.exclude(pk=forgetful.pk).select_related("staff"):
        sandbox.people.confirm(task.msgid, task.staff.userid)

    campaign = look(campaign, now + timedelta(minutes=1))

    truth = sandbox.campaign()
    assert figures(campaign) == truth
    assert truth["not_friend"] == 3
    assert truth["quota"] == 2
    assert truth["unsent"] > 0
    assert campaign.status == Campaign.Status.PARTLY_CONFIRMED
    assert sandbox.summary()["asked_more_than_once"] == []


def test_a_lost_friend_is_no_longer_followed(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    asked = campaign.recipients.counted_as("asked").select_related("customer", "staff")
    recipient = asked.order_by("pk")[0]
    assert recipient.staff
    assert recipient.customer
    assert recipient.task
    # No receiver is configured: the callback that would have told us is lost.
    sandbox.people.customer_deletes(recipient.customer.external_userid, recipient.staff.userid)
    sandbox.people.confirm(recipient.task.msgid, recipient.staff.userid)

    look(campaign, now + timedelta(minutes=1))

    follow = Follow.objects.get(customer=recipient.customer, staff=recipient.staff)
    assert follow.status == Follow.Status.DELETED_BY_CUSTOMER


def test_a_lost_answer_asks_nobody_twice(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.lose_answer(SENDING, times=2)

    campaign = ask(synced_brand, now)

    assert Operation.objects.filter(status=Operation.Status.UNKNOWN).count() == 2
    for seconds in (60, 120, 240):
        run_due_operations(now=now + timedelta(seconds=seconds))
    campaign = reread(campaign)
    assert campaign.status == Campaign.Status.ASKED
    assert results_of(campaign)["asked"] == sandbox.campaign()["asked"]
    assert sandbox.summary()["asked_more_than_once"] == []
    assert sandbox.calls()[SENDING] == campaign.tasks.count()


def test_a_request_that_never_arrived_is_made_again(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.drop_request(SENDING, times=1)

    campaign = ask(synced_brand, now)
    for seconds in (60, 120, 240):
        run_due_operations(now=now + timedelta(seconds=seconds))

    assert results_of(reread(campaign))["asked"] == sandbox.campaign()["asked"]
    assert not Recipient.objects.filter(status=Recipient.Status.PLANNED).exists()
    assert sandbox.summary()["asked_more_than_once"] == []


def test_a_refused_request_says_so_and_the_rest_goes_on(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.fail(SENDING, 41064, times=1)

    campaign = ask(synced_brand, now)

    refused = campaign.tasks.get(status=Task.Status.FAILED)
    assert refused.problem
    assert results_of(campaign)["failed"] == refused.size
    assert results_of(campaign)["asked"] == sandbox.campaign()["asked"] > 0
    assert campaign.status == Campaign.Status.ASKED


def test_is_done_when_everybody_has_confirmed(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    for task in campaign.tasks.select_related("staff"):
        sandbox.people.confirm(task.msgid, task.staff.userid)

    poll_due_tasks(now=now + timedelta(minutes=1))

    campaign = reread(campaign)
    assert campaign.status == Campaign.Status.DONE
    assert results_of(campaign)["unsent"] == 0
    assert poll_due_tasks(now=now + timedelta(days=1)) == 0, "settled tasks are left alone"


def test_who_never_confirms_counts_as_unsent_when_the_time_is_over(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime, settings: Any
) -> None:
    campaign = ask(synced_brand, now)

    poll_due_tasks(now=now + settings.CAMPAIGN_OPEN_FOR + timedelta(minutes=1))

    campaign = reread(campaign)
    assert campaign.status == Campaign.Status.DONE
    assert figures(campaign) == sandbox.campaign()


def test_looking_again_changes_nothing(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    task = campaign.tasks.select_related("staff").order_by("pk")[0]
    sandbox.people.confirm(task.msgid, task.staff.userid)
    look(campaign, now + timedelta(minutes=1))
    before = list(Recipient.objects.order_by("pk").values())

    look(campaign, now + timedelta(minutes=2))

    assert list(Recipient.objects.order_by("pk").values()) == before


def test_results_by_staff_add_up(synced_brand: Corp, sandbox: SandboxServer, now: datetime) -> None:
    campaign = ask(synced_brand, now)

    rows = results_by_staff(campaign)

    assert sum(row.asked for row in rows) == results_of(campaign)["asked"]  # type: ignore[attr-defined]


def test_reminds_whoever_has_not_confirmed(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    task = campaign.tasks.select_related("staff").order_by("pk")[0]
    sandbox.people.confirm(task.msgid, task.staff.userid)
    campaign = look(campaign, now + timedelta(minutes=1))

    reminded = remind_campaign(campaign, actor=SYSTEM, now=now)
    run_due_operations(now=now)

    assert reminded == campaign.tasks.count() - 1
    assert sandbox.calls()["externalcontact/remind_groupmsg_send"] == reminded


def test_a_fourth_reminder_in_a_day_is_refused(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    for hour in range(3):
        remind_campaign(campaign, actor=SYSTEM, now=now + timedelta(hours=hour))

    with pytest.raises(ReminderLimitReached):
        remind_campaign(campaign, actor=SYSTEM, now=now + timedelta(hours=3))

    remind_campaign(campaign, actor=SYSTEM, now=now + timedelta(hours=24, minutes=1))


def test_nobody_is_reminded_after_everybody_confirmed(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    campaign.tasks.update(status=Task.Status.CONFIRMED)

    with pytest.raises(NobodyToRemind):
        remind_campaign(campaign, actor=SYSTEM, now=now)


def test_cancelling_calls_back_whoever_has_not_confirmed(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    first, *others = campaign.tasks.select_related("staff").order_by("pk")
    sandbox.people.confirm(first.msgid, first.staff.userid)

    job = cancel_campaign(campaign, actor=SYSTEM, now=now)
    run_due_operations(now=now)
    run_due_jobs(clock=lambda: now)
    for task in others:
        sandbox.people.confirm(task.msgid, task.staff.userid)
    poll_due_tasks(now=now + timedelta(minutes=1))

    campaign = reread(campaign)
    assert Job.objects.get(pk=job.pk).status == Job.Status.SUCCEEDED
    assert campaign.status == Campaign.Status.CANCELLED
    assert figures(campaign) == sandbox.campaign()
    assert results_of(campaign)["delivered"] == first.size
    assert not Task.objects.filter(is_settled=False).exists()


def test_cancelling_before_it_leaves_asks_nobody(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = make_campaign(synced_brand, segment=make_segment(synced_brand))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)

    cancel_campaign(reread(campaign), actor=SYSTEM, now=now + SOON)
    run_due_operations(now=now + 2 * SOON)
    run_due_jobs(clock=lambda: now + 2 * SOON)

    assert SENDING not in sandbox.calls()
    assert Job.objects.get(kind="campaigns.cancel").status == Job.Status.SUCCEEDED
    statuses = set(campaign.recipients.values_list("status", flat=True))
    assert statuses <= {Recipient.Status.CANCELLED, Recipient.Status.EXCLUDED}


def test_a_request_on_its_way_when_it_is_cancelled_is_called_back(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.lose_answer(SENDING, times=1)
    campaign = ask(synced_brand, now)

    cancel_campaign(campaign, actor=SYSTEM, now=now)
    for seconds in (60, 120, 240, 480):
        run_due_operations(now=now + timedelta(seconds=seconds))

    called_back = sandbox.calls()["externalcontact/cancel_groupmsg_send"]
    assert called_back == campaign.tasks.count()


def test_what_is_over_cannot_be_cancelled(corp: Corp, now: datetime) -> None:
    campaign = make_campaign(corp, status=Campaign.Status.DONE)

    with pytest.raises(WrongStatus):
        cancel_campaign(campaign, actor=SYSTEM, now=now)


def test_a_request_that_was_lost_when_it_was_cancelled_is_never_made_again(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.drop_request(SENDING, times=100)
    campaign = ask(synced_brand, now)
    assert SENDING not in sandbox.calls() or not sandbox.campaign()["asked"]

    cancel_campaign(campaign, actor=SYSTEM, now=now + 2 * SOON)
    for seconds in range(3, 300, 3):
        moment = now + timedelta(seconds=seconds)
        run_due_operations(now=moment)
        run_due_jobs(clock=lambda at=moment: at)  # type: ignore[misc]

    sandbox.faults.clear()
    run_due_operations(now=now + timedelta(hours=1))
    assert sandbox.campaign()["asked"] == 0
    assert results_of(reread(campaign))["cancelled"] == results_of(campaign)["planned"]
    assert Job.objects.get(kind="campaigns.cancel").status == Job.Status.SUCCEEDED


def test_a_parked_request_says_why_and_is_withdrawn_with_the_campaign(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.fail(SENDING, 48002, times=100)
    campaign = ask(synced_brand, now)
    assert all(row.trouble for row in results_by_staff(campaign))

    cancel_campaign(campaign, actor=SYSTEM, now=now + 2 * SOON)

    assert results_of(reread(campaign))["cancelled"] == results_of(campaign)["planned"]
    assert not Operation.objects.filter(status=Operation.Status.PARKED).exists()


def test_a_message_the_platform_forgot_is_settled_when_the_time_is_over(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime, settings: Any
) -> None:
    campaign = ask(synced_brand, now)
    campaign.tasks.update(msgid="msg-forgotten")

    poll_due_tasks(now=now + timedelta(minutes=1))
    assert campaign.tasks.exclude(problem="").count() == campaign.tasks.count()
    assert reread(campaign).status == Campaign.Status.ASKED
    poll_due_tasks(now=now + settings.CAMPAIGN_OPEN_FOR + timedelta(hours=1))

    assert reread(campaign).status == Campaign.Status.DONE


def test_an_older_look_does_not_undo_a_newer_one(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    slow = campaign.tasks.select_related("staff").order_by("pk")[0]
    sandbox.people.confirm(slow.msgid, slow.staff.userid)
    look(campaign, now + timedelta(minutes=1))

    apply_results(slow, None, [], now=now + timedelta(minutes=2))

    task = Task.objects.get(pk=slow.pk)
    assert task.status == Task.Status.CONFIRMED
    assert task.confirmed_at


def test_who_was_added_again_after_the_message_is_a_friend(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    asked = campaign.recipients.counted_as("asked").select_related("customer", "staff", "task")
    recipient = asked.order_by("pk")[0]
    assert recipient.staff
    assert recipient.customer
    assert recipient.task
    external_userid, userid = recipient.customer.external_userid, recipient.staff.userid
    sandbox.people.customer_deletes(external_userid, userid)
    sandbox.people.confirm(recipient.task.msgid, userid)
    sandbox.clock.advance(600)
    sandbox.people.add_customer(userid, external_userid)

    look(campaign, now + timedelta(minutes=20))
    start_sync(synced_brand, now=now + timedelta(minutes=30))
    run_due_jobs(clock=lambda: now + timedelta(minutes=30))

    follow = Follow.objects.get(customer=recipient.customer, staff=recipient.staff)
    assert follow.status == Follow.Status.LIVE
