"""Materials: kept, screened, put into messages as they stand."""

from datetime import datetime
from typing import Any

import pytest

from campaigns.actions.approval import submit_campaign
from campaigns.actions.drafts import CampaignDraft, create_campaign
from campaigns.actions.materials import (
    MaterialArchived,
    MaterialDraft,
    archive_material,
    create_material,
    restore_material,
    update_material,
)
from campaigns.actions.planning import plan_due_campaigns
from campaigns.models import Material
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.models import Operation
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    make_campaign,
    make_corp,
    make_customer,
    make_lexicon,
    make_material,
    make_segment,
)

LINK = {"title": "Sale", "url": "https://brand.example/sale"}


def keep(corp: Corp, now: datetime, **fields: Any) -> Material:
    draft = MaterialDraft(**({"kind": "link", "title": "Sale", "content": LINK} | fields))
    return create_material(corp, draft=draft, actor=SYSTEM, now=now)


def test_keeps_a_material_and_who_made_it(corp: Corp, now: datetime) -> None:
    material = keep(corp, now, content=LINK | {"desc": ""})

    assert (material.status, material.content, material.hits) == ("ready", LINK, [])
    assert AuditEntry.objects.get().action == "materials.created"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"title": " "}, "/title"),
        ({"kind": "hologram"}, "/kind"),
        ({"content": {"title": "Sale"}}, "/content/url"),
        ({"content": LINK | {"url": "ftp://x"}}, "/content/url"),
        ({"content": LINK | {"colour": "red"}}, "/content/colour"),
        ({"content": LINK | {"kind": "image"}}, "/content/kind"),
        ({"content": LINK | {"title": 1}}, "/content/title"),
        ({"kind": "text", "content": {}}, "/content/text"),
        ({"kind": "text", "content": {"text": "长" * 1334}}, "/content/text"),
        ({"kind": "text", "content": {"text": "x", "url": "y"}}, "/content/url"),
        ({"kind": "image", "content": {}}, "/content/file"),
        ({"kind": "video", "content": {}}, "/content/file"),
    ],
)
def test_refuses_what_cannot_be_sent_and_names_the_place(
    corp: Corp, now: datetime, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        keep(corp, now, **fields)

    assert [each.path for each in refusal.value.errors] == [path]
    assert not Material.objects.exists()


def test_what_must_not_be_said_is_kept_blocked_and_says_where(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["cure"])

    blocked = keep(corp, now, kind="text", content={"text": "It will cure you"})
    fixed = update_material(blocked, changes={"content": {"text": "Fine"}}, actor=SYSTEM, now=now)

    assert blocked.status == Material.Status.BLOCKED
    assert [(hit["path"], hit["start"], hit["end"]) for hit in blocked.hits] == [
        ("/content/text", 8, 12)
    ]
    assert (fixed.status, fixed.hits) == (Material.Status.READY, [])


def test_a_warning_keeps_its_hits_and_can_be_used(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["Bargain"], severity="medium")

    material = keep(corp, now, content=LINK | {"title": "Bargain"})

    assert material.status == Material.Status.READY
    assert [hit["path"] for hit in material.hits] == ["/content/title"]


def test_an_archived_one_is_not_changed_until_it_is_back(corp: Corp, now: datetime) -> None:
    material = keep(corp, now)
    archive_material(material, actor=SYSTEM, now=now)
    with pytest.raises(MaterialArchived):
        update_material(material, changes={"title": "New"}, actor=SYSTEM, now=now)
    make_lexicon(corp, ["Sale"])

    back = restore_material(material, actor=SYSTEM, now=now)

    assert back.status == Material.Status.BLOCKED, "screened by today's rules"


def test_a_kind_is_for_good(corp: Corp, now: datetime) -> None:
    with pytest.raises(InvalidInput):
        update_material(
            keep(corp, now),
            changes={"kind": "text", "content": {"text": "x"}},
            actor=SYSTEM,
            now=now,
        )


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda corp: make_material(corp, status="archived").pk, "archived"),
        (lambda corp: make_material(corp, status="blocked").pk, "blocked"),
        (lambda corp: make_material(corp, kind="text", content={"text": "x"}).pk, "conflict"),
        (lambda corp: make_material(make_corp()).pk, "unknown"),
        (lambda corp: 4711, "unknown"),
        (lambda corp: 10**30, "unknown"),
        (lambda corp: "7", "invalid"),
        (lambda corp: True, "invalid"),
    ],
)
def test_a_campaign_takes_only_materials_that_can_be_used(
    corp: Corp, now: datetime, make: Any, code: str
) -> None:
    draft = CampaignDraft(
        name="n", segment_id=make_segment(corp).pk, attachments=[{"material": make(corp)}]
    )

    with pytest.raises(InvalidInput) as refusal:
        create_campaign(corp, draft=draft, actor=SYSTEM, now=now)

    assert [(each.path, each.code) for each in refusal.value.errors] == [
        ("/attachments/0/material", code)
    ]


def test_what_is_sent_is_what_stood_in_it_when_it_was_submitted(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    make_customer(corp, staff=alice)
    material = keep(corp, now)
    campaign = make_campaign(
        corp, segment=make_segment(corp), attachments=[{"material": material.pk}]
    )
    submit_campaign(campaign, actor=SYSTEM, now=now)
    update_material(material, changes={"content": LINK | {"title": "New"}}, actor=SYSTEM, now=now)
    archive_material(material, actor=SYSTEM, now=now)

    plan_due_campaigns(now=now)

    campaign.refresh_from_db()
    assert campaign.attachments == [{"material": material.pk, "kind": "link", **LINK}]
    assert Operation.objects.get().payload["attachments"] == [{"kind": "link", **LINK}]


def test_a_material_archived_since_the_draft_refuses_the_submission(
    corp: Corp, alice: Staff, now: datetime
) -> None:
    make_customer(corp, staff=alice)
    material = keep(corp, now)
    campaign = make_campaign(
        corp, segment=make_segment(corp), attachments=[{"material": material.pk}]
    )
    archive_material(material, actor=SYSTEM, now=now)

    with pytest.raises(InvalidInput) as refusal:
        submit_campaign(campaign, actor=SYSTEM, now=now)

    assert [each.path for each in refusal.value.errors] == ["/attachments/0/material"]
    campaign.refresh_from_db()
    assert campaign.status == "draft"
