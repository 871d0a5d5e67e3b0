"""Campaigns to chats: their owners are asked, and the platform lists only what was sent."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions.approval import submit_campaign
from campaigns.actions.cancelling import cancel_campaign
from campaigns.actions.drafts import CampaignDraft, create_campaign, update_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.polling import poll_due_tasks
from campaigns.actions.preflight import preflight_campaign
from campaigns.actions.reminding import remind_campaign
from campaigns.actions.results import refresh_campaign, results_of
from campaigns.models import Campaign, Recipient, Task
from customers.models import HandoverItem, HandoverPlan
from groups.actions.chats import dismiss_chat
from groups.models import GroupChat
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.models import Operation
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    make_campaign,
    make_corp,
    make_customer,
    make_group_chat,
    make_segment,
    make_staff,
)

SOON = timedelta(seconds=1)
SENDING = "externalcontact/add_msg_template"


def to_chats(corp: Corp, *chats: GroupChat, **fields: Any) -> Campaign:
    chat_ids = [chat.chat_id for chat in chats]
    return make_campaign(corp, kind="groups", chat_ids=chat_ids, **fields)


def submit(campaign: Campaign, now: datetime) -> Campaign:
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)
    return reread(campaign)


def ask(corp: Corp, now: datetime) -> Campaign:
    chats = GroupChat.objects.for_corp(corp).existing()
    campaign = submit(to_chats(corp, *chats), now)
    run_due_operations(now=now + SOON)
    return reread(campaign)


def reread(campaign: Campaign) -> Campaign:
    return Campaign.objects.get(pk=campaign.pk)


def look(campaign: Campaign, now: datetime) -> Campaign:
    refresh_campaign(campaign, now=now)
    run_due_jobs(clock=lambda: now)
    return reread(campaign)


def confirm(sandbox: SandboxServer, campaign: Campaign) -> None:
    for task in campaign.tasks.exclude(msgid="").select_related("staff"):
        sandbox.people.confirm(task.msgid, task.staff.userid)


def states(campaign: Campaign) -> dict[str, tuple[str, str]]:
    rows = campaign.recipients.values_list("chat__chat_id", "status", "reason")
    return {chat_id: (status, reason) for chat_id, status, reason in rows}


# --- drafting ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"chat_ids": None}, "/chat_ids", "required"),
        ({"chat_ids": []}, "/chat_ids", "required"),
        ({"chat_ids": ["wr-nobody"]}, "/chat_ids/0", "unknown"),
        ({"chat_ids": ["open", "gone"]}, "/chat_ids/1", "dismissed"),
        ({"chat_ids": ["theirs"]}, "/chat_ids/0", "unknown"),
        ({"chat_ids": ["open"] * 10_001}, "/chat_ids", "too_many"),
        ({"external_userids": ["wm1"]}, "/external_userids", "conflict"),
        ({"senders": ["alice"]}, "/senders", "conflict"),
        ({"kind": "customers", "external_userids": ["wm1"]}, "/chat_ids", "conflict"),
    ],
)
def test_refuses_chats_that_cannot_be_meant_and_names_the_place(
    corp: Corp, alice: Staff, now: datetime, fields: dict[str, Any], path: str, code: str
) -> None:
    make_customer(corp, external_userid="wm1")
    make_group_chat(corp, owner=alice, chat_id="open")
    make_group_chat(corp, owner=alice, chat_id="gone", status="dismissed")
    make_group_chat(make_corp(), chat_id="theirs")
    draft = CampaignDraft(**({"name": "n", "kind": "groups", "chat_ids": ["open"]} | fields))

    with pytest.raises(InvalidInput) as refusal:
        create_campaign(corp, draft=draft, actor=SYSTEM, now=now)

    assert [(each.path, each.code) for each in refusal.value.errors] == [(path, code)]


def test_a_segment_beside_chats_is_a_conflict(corp: Corp, alice: Staff, now: datetime) -> None:
    chat = make_group_chat(corp, owner=alice)
    segment = make_segment(corp)
    draft = CampaignDraft(
        name="n", kind="groups", chat_ids=[chat.chat_id], segment_id=segment.pk, content="x"
    )

    with pytest.raises(InvalidInput) as refusal:
        create_campaign(corp, draft=draft, actor=SYSTEM, now=now)

    assert [each.path for each in refusal.value.errors] == ["/segment"]


def test_a_chat_listed_twice_is_meant_once(corp: Corp, alice: Staff, now: datetime) -> None:
    chat = make_group_chat(corp, owner=alice)
    draft = CampaignDraft(name="n", kind="groups", chat_ids=[chat.chat_id] * 2)

    assert create_campaign(corp, draft=draft, actor=SYSTEM, now=now).chat_ids == [chat.chat_id]


def test_a_chat_dismissed_since_does_not_spoil_other_changes(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    chat = make_group_chat(corp, owner=alice)
    campaign = to_chats(corp, chat)
    GroupChat.objects.update(status="dismissed")

    changed = update_campaign(campaign, changes={"content": "Bye"}, actor=SYSTEM, now=now)

    assert (changed.content, changed.chat_ids) == ("Bye", [chat.chat_id])


# --- planning ---------------------------------------------------------------------------------
def test_names_the_reason_for_every_chat_left_out(corp: Corp, alice: Staff, now: datetime) -> None:
    leaving = make_staff(corp, leaving_since=now)
    gone = make_staff(corp, status=Staff.Status.LEFT)
    chats = {
        "": make_group_chat(corp, owner=alice),
        "chat_dismissed": make_group_chat(corp, owner=alice, status="dismissed"),
        "no_owner": make_group_chat(corp),
        "sender_inactive": make_group_chat(corp, owner=gone),
        "sender_leaving": make_group_chat(corp, owner=leaving),
        "in_handover": make_group_chat(corp, owner=alice),
    }
    hand_over(chats["in_handover"].chat_id, alice, now)
    campaign = to_chats(corp, *chats.values())
    expected = dict.fromkeys([reason for reason in chats if reason], 1)

    assert preflight_campaign(campaign, now=now).excluded == expected
    campaign = submit(campaign, now)

    reasons = {chat_id: reason for chat_id, (_status, reason) in states(campaign).items()}
    assert reasons == {chat.chat_id: reason for reason, chat in chats.items()}
    assert results_of(campaign)["excluded"] == expected
    assert results_of(campaign)["planned"] == 1


def hand_over(chat_id: str, staff: Staff, now: datetime) -> HandoverItem:
    plan = HandoverPlan.objects.create(
        corp=staff.corp, kind="resigned", from_staff=staff, created_at=now
    )
    return HandoverItem.objects.create(
        corp=staff.corp, plan=plan, chat_id=chat_id, kind="resigned", from_staff=staff,
        status="asked",
    )  # fmt: skip


def test_one_request_per_owner_and_as_many_chats_as_the_platform_takes(
    corp: Corp, alice: Staff, bob: Staff, now: datetime, settings: Any
) -> None:
    settings.CHATS_PER_TASK = 2
    chats = [make_group_chat(corp, owner=alice) for _ in range(3)]
    chats.append(make_group_chat(corp, owner=bob))

    campaign = submit(to_chats(corp, *chats), now)

    sizes = campaign.tasks.order_by("staff__userid", "part").values_list("staff__userid", "size")
    assert list(sizes) == [("alice", 2), ("alice", 1), ("bob", 1)]
    payloads = [operation.payload for operation in Operation.objects.order_by("pk")]
    asked = [chat_id for payload in payloads for chat_id in payload["chat_ids"]]
    assert sorted(asked) == sorted(chat.chat_id for chat in chats)
    assert all("external_userids" not in payload for payload in payloads)


def test_a_large_one_waits_for_approval_and_counts_chats(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    corp.approval_threshold = 2
    corp.save(update_fields=["approval_threshold"])
    chats = [make_group_chat(corp, owner=alice) for _ in range(2)]

    submit_campaign(to_chats(corp, chats[0]), actor=SYSTEM, now=now)
    large = submit_campaign(to_chats(corp, *chats), actor=SYSTEM, now=now)

    assert large.status == Campaign.Status.PENDING_APPROVAL


def test_nobody_to_ask_is_told_when_it_is_submitted(corp: Corp, now: datetime) -> None:
    campaign = to_chats(corp, make_group_chat(corp))

    with pytest.raises(InvalidInput) as refusal:
        submit_campaign(campaign, actor=SYSTEM, now=now)

    assert [each.path for each in refusal.value.errors] == ["/chat_ids"]


# --- the loop, against the sandbox ------------------------------------------------------------
def test_every_figure_equals_the_platforms(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    assert campaign.status == Campaign.Status.ASKED
    confirm(sandbox, campaign)

    campaign = look(campaign, now + timedelta(minutes=1))

    truth = sandbox.campaign()
    results = results_of(campaign)
    assert results["delivered"] == truth["delivered"] == campaign.recipients.count() > 0
    assert {word: results[word] for word in ("asked", "confirmed", "unsent", "failed")} == {
        word: truth[word] for word in ("asked", "confirmed", "unsent", "failed")
    }
    assert campaign.status == Campaign.Status.DONE
    assert sandbox.summary()["asked_more_than_once"] == []


def test_a_lost_answer_asks_no_owner_twice(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    sandbox.faults.lose_answer(SENDING, times=1)

    campaign = ask(synced_brand, now)
    for seconds in (60, 120, 240):
        run_due_operations(now=now + timedelta(seconds=seconds))

    assert results_of(reread(campaign))["asked"] == sandbox.campaign()["asked"]
    assert sandbox.calls()[SENDING] == campaign.tasks.count()


def test_a_chat_the_platform_refuses_fails_and_the_rest_goes_on(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    first, *_rest = chats = list(GroupChat.objects.for_corp(synced_brand).existing())
    GroupChat.objects.update(owner=first.owner)
    assert first.owner
    for chat in chats[1:]:
        sandbox.people.chat_change_owner(chat.chat_id, first.owner.userid)
    sandbox.people.chat_dismiss(chats[-1].chat_id)

    campaign = ask(synced_brand, now)

    assert states(campaign)[chats[-1].chat_id] == ("failed", "refused")
    assert results_of(campaign)["asked"] == len(chats) - 1
    assert campaign.status == Campaign.Status.ASKED


def test_a_chat_dismissed_before_it_was_asked_is_left_out(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    chats = list(GroupChat.objects.for_corp(synced_brand).existing())
    campaign = submit(to_chats(synced_brand, *chats), now)
    dismiss_chat(chats[0].chat_id, corp=synced_brand, dismissed_at=now, now=now)

    run_due_operations(now=now + SOON)

    campaign = reread(campaign)
    assert states(campaign)[chats[0].chat_id] == ("excluded", "chat_dismissed")
    assert results_of(campaign)["asked"] == sandbox.campaign()["asked"] == len(chats) - 1
    assert campaign.status == Campaign.Status.ASKED


def test_a_chat_dismissed_in_mid_campaign_says_so_and_the_rest_goes_on(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    gone = campaign.recipients.select_related("chat").order_by("pk")[0].chat
    assert gone
    sandbox.people.chat_dismiss(gone.chat_id)
    dismiss_chat(gone.chat_id, corp=synced_brand, dismissed_at=now, now=now)
    confirm(sandbox, campaign)

    campaign = look(campaign, now + timedelta(minutes=1))

    assert states(campaign)[gone.chat_id] == ("asked", "chat_dismissed")
    results = results_of(campaign)
    assert (results["unsent"], results["delivered"]) == (1, campaign.recipients.count() - 1)
    assert campaign.status == Campaign.Status.DONE
    assert not Task.objects.filter(is_settled=False).exists()
    before = states(campaign)
    assert states(look(campaign, now + timedelta(minutes=2))) == before


def test_a_chat_sent_to_before_it_was_dismissed_counts_as_delivered(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)
    confirm(sandbox, campaign)
    chat = GroupChat.objects.existing()[0]
    dismiss_chat(chat.chat_id, corp=synced_brand, dismissed_at=now, now=now)

    campaign = look(campaign, now + timedelta(minutes=1))

    assert states(campaign)[chat.chat_id] == ("delivered", "")


def test_what_is_not_listed_is_unknown_until_the_time_is_over_and_then_unsent(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime, settings: Any
) -> None:
    campaign = ask(synced_brand, now)
    full = campaign.recipients.select_related("chat").order_by("pk")[0].chat
    assert full
    sandbox.people.use_up_quota(full.chat_id)
    confirm(sandbox, campaign)

    early = look(campaign, now + timedelta(minutes=1))
    assert states(early)[full.chat_id] == ("confirmed", "")
    assert early.status == Campaign.Status.PARTLY_CONFIRMED
    poll_due_tasks(now=now + settings.CAMPAIGN_OPEN_FOR + timedelta(minutes=1))

    campaign = reread(campaign)
    assert states(campaign)[full.chat_id] == ("asked", "not_listed")
    assert results_of(campaign)["unsent"] == 1
    assert campaign.status == Campaign.Status.DONE


def test_owners_are_reminded_and_called_back(
    synced_brand: Corp, sandbox: SandboxServer, now: datetime
) -> None:
    campaign = ask(synced_brand, now)

    assert remind_campaign(campaign, actor=SYSTEM, now=now) == campaign.tasks.count()
    cancel_campaign(campaign, actor=SYSTEM, now=now)
    run_due_operations(now=now + SOON)
    run_due_jobs(clock=lambda: now + SOON)
    confirm(sandbox, campaign)
    poll_due_tasks(now=now + timedelta(minutes=1))

    campaign = reread(campaign)
    assert campaign.status == Campaign.Status.CANCELLED
    assert results_of(campaign)["delivered"] == sandbox.campaign()["delivered"] == 0
    statuses = set(campaign.recipients.values_list("status", flat=True))
    assert statuses == {Recipient.Status.ASKED}
