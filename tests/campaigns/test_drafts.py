"""Drafting, submitting, approving: what is taken, and how the rest is refused."""

from datetime import datetime
from typing import Any

import pytest

from campaigns.actions.approval import (
    OwnSubmission,
    WrongStatus,
    approve_campaign,
    submit_campaign,
)
from campaigns.actions.drafts import (
    CampaignDraft,
    CampaignNotEditable,
    create_campaign,
    update_campaign,
)
from campaigns.models import Campaign
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import make_campaign, make_corp, make_customer, make_segment

CAROL = Actor(AuditEntry.ActorKind.USER, "7", "carol")
LINK = {"kind": "link", "title": "Live", "url": "https://brand.example/live"}


def refused_paths(corp: Corp, now: datetime, **fields: Any) -> list[str]:
    customer = make_customer(corp)
    given = {"name": "Hello", "external_userids": [customer.external_userid]} | fields
    if "segment_id" in fields:
        del given["external_userids"]
    with pytest.raises(InvalidInput) as refusal:
        create_campaign(corp, draft=CampaignDraft(**given), actor=SYSTEM, now=now)
    assert not Campaign.objects.exists()
    assert all(problem.message for problem in refusal.value.errors)
    return [problem.path for problem in refusal.value.errors]


def test_keeps_a_draft_and_who_made_it(corp: Corp, now: datetime) -> None:
    segment = make_segment(corp)
    draft = CampaignDraft(name="Hello", segment_id=segment.pk, content="Hi", attachments=[LINK])

    campaign = create_campaign(corp, draft=draft, actor=CAROL, now=now)

    assert campaign.status == Campaign.Status.DRAFT
    assert campaign.created_by == "user:7"
    assert AuditEntry.objects.get().action == "campaigns.created"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": " "}, "/name"),
        ({"attachments": [LINK] * 10}, "/attachments"),
        ({"attachments": [{"kind": "hologram"}]}, "/attachments/0/kind"),
        ({"attachments": [LINK, {"kind": "link", "title": "x"}]}, "/attachments/1/url"),
        ({"attachments": [LINK | {"url": "javascript:x"}]}, "/attachments/0/url"),
        ({"attachments": [LINK | {"title": "长" * 43}]}, "/attachments/0/title"),
        ({"attachments": [LINK | {"colour": "red"}]}, "/attachments/0/colour"),
        ({"attachments": [{"kind": "image"}]}, "/attachments/0/file"),
        ({"content": "长" * 1334}, "/content"),
        ({"segment_id": 4711}, "/segment"),
        ({"segment_id": None}, "/segment"),
        ({"external_userids": []}, "/segment"),
        ({"external_userids": ["wm-nobody"]}, "/external_userids/0"),
        ({"sender_policy": "loudest"}, "/sender_policy"),
        ({"sender_policy": "named", "senders": ["nobody"]}, "/senders/0"),
        ({"kind": "moments"}, "/kind"),
        ({"send_at": datetime(2026, 11, 18, 9)}, "/send_at"),  # noqa: DTZ001
    ],
)
def test_refuses_what_cannot_be_sent_and_names_the_place(
    corp: Corp, now: datetime, fields: dict[str, Any], path: str
) -> None:
    assert refused_paths(corp, now, **fields) == [path]


def test_another_corps_segment_is_unknown(corp: Corp, now: datetime) -> None:
    theirs = make_segment(make_corp())

    assert refused_paths(corp, now, segment_id=theirs.pk) == ["/segment"]


def test_only_a_draft_can_be_changed(corp: Corp, now: datetime) -> None:
    campaign = make_campaign(corp, status=Campaign.Status.SCHEDULED)

    with pytest.raises(CampaignNotEditable):
        update_campaign(campaign, changes={"name": "New"}, actor=SYSTEM, now=now)

    campaign.refresh_from_db()
    assert campaign.name != "New"


def test_a_bad_change_leaves_the_draft_as_it_was(corp: Corp, now: datetime) -> None:
    campaign = make_campaign(corp, name="Old")

    with pytest.raises(InvalidInput):
        update_campaign(
            campaign, changes={"name": "New", "segment_id": 4711}, actor=SYSTEM, now=now
        )

    campaign.refresh_from_db()
    assert campaign.name == "Old"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"content": "Hi"}, "/segment"),
        ({"content": "", "external_userids": ["x"]}, "/content"),
        ({"external_userids": ["x"], "sender_policy": "named"}, "/senders"),
        ({"external_userids": []}, "/segment"),
    ],
)
def test_refuses_to_submit_what_could_reach_nobody(
    corp: Corp, now: datetime, fields: dict[str, Any], path: str
) -> None:
    campaign = make_campaign(corp, **fields)

    with pytest.raises(InvalidInput) as refusal:
        submit_campaign(campaign, actor=SYSTEM, now=now)

    assert [problem.path for problem in refusal.value.errors] == [path]
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT


def test_a_large_campaign_waits_for_somebody_else(corp: Corp, alice: Staff, now: datetime) -> None:
    corp.approval_threshold = 1
    corp.save(update_fields=["approval_threshold"])
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp))

    submit_campaign(campaign, actor=CAROL, now=now)

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PENDING_APPROVAL
    with pytest.raises(OwnSubmission):
        approve_campaign(campaign, actor=CAROL, now=now)
    assert approve_campaign(campaign, actor=SYSTEM, now=now).status == Campaign.Status.SCHEDULED


def test_cannot_be_submitted_twice(corp: Corp, alice: Staff, now: datetime) -> None:
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp))
    submit_campaign(campaign, actor=SYSTEM, now=now)

    with pytest.raises(WrongStatus):
        submit_campaign(campaign, actor=SYSTEM, now=now)
