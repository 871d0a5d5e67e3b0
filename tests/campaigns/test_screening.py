"""What must not be said does not go: at submit, and again when its time has come."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions.approval import submit_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.preflight import preflight_campaign
from campaigns.actions.screening import BlockedByRisk, screen_message
from campaigns.models import Campaign
from risk.models import Incident
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.factories import make_campaign, make_customer, make_lexicon, make_material, make_segment

LINK = {"kind": "link", "title": "Sale", "url": "https://brand.example/"}


@pytest.fixture(autouse=True)
def somebody(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice)


def draft(corp: Corp, **fields: Any) -> Campaign:
    return make_campaign(corp, segment=make_segment(corp), **fields)


def test_a_forbidden_text_stays_a_draft_and_is_an_incident(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["guaranteed"])
    campaign = draft(corp, content="Health, guaranteed!")

    with pytest.raises(BlockedByRisk):
        submit_campaign(campaign, actor=SYSTEM, now=now)
    with pytest.raises(BlockedByRisk) as refusal:
        submit_campaign(campaign, actor=SYSTEM, now=now)

    (found,) = refusal.value.screened.found
    assert (found.path, found.hit.start, found.hit.end) == ("/content", 8, 18)
    assert refusal.value.errors[0].path == "/content"
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT
    incident = Incident.objects.get()
    assert (incident.kind, incident.severity) == (Incident.Kind.STOPPED_SEND, "high")
    assert incident.data["campaign"] == campaign.pk
    assert incident.hits[0]["text"] == "guaranteed"


def test_other_words_of_the_same_campaign_are_another_incident(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["guaranteed"])
    campaign = draft(corp, content="guaranteed")
    for content in ("guaranteed", "guaranteed indeed"):
        campaign.content = content
        campaign.save()
        with pytest.raises(BlockedByRisk):
            submit_campaign(campaign, actor=SYSTEM, now=now)

    assert Incident.objects.count() == 2


@pytest.mark.parametrize(
    ("attachment", "path"),
    [
        (LINK | {"title": "guaranteed"}, "/attachments/0/title"),
        (LINK | {"desc": "it is guaranteed"}, "/attachments/0/desc"),
        (LINK | {"url": "https://guaranteed.example/"}, "/attachments/0/url"),
    ],
)
def test_what_attachments_say_is_screened_too(
    corp: Corp, now: datetime, attachment: dict[str, Any], path: str
) -> None:
    make_lexicon(corp, ["guaranteed"])

    screened = screen_message("Fine", [attachment], corp=corp)

    assert [each.path for each in screened.found] == [path]


def test_what_stands_in_a_material_is_screened(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["guaranteed"])
    # Kept before the word was forbidden.
    material = make_material(corp, content=LINK | {"title": "guaranteed"})
    campaign = draft(corp, attachments=[{"material": material.pk}])

    with pytest.raises(BlockedByRisk):
        submit_campaign(campaign, actor=SYSTEM, now=now)


def test_a_warning_is_shown_and_lets_it_go(corp: Corp, now: datetime) -> None:
    make_lexicon(corp, ["cheap"], severity="medium")
    campaign = draft(corp, content="cheap")

    checked = preflight_campaign(campaign, now=now)

    assert checked.screening.as_dict()["verdict"] == "warn"
    assert any("cheap" in warning for warning in checked.as_dict()["warnings"])
    assert submit_campaign(campaign, actor=SYSTEM, now=now).status == Campaign.Status.SCHEDULED
    assert not Incident.objects.exists()


def test_rules_that_changed_since_stop_it_when_its_time_has_come(corp: Corp, now: datetime) -> None:
    campaign = draft(corp, content="guaranteed", send_at=now + timedelta(hours=1))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    make_lexicon(corp, ["guaranteed"])

    plan_due_campaigns(now=now + timedelta(hours=1))

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FAILED
    assert "guaranteed" in campaign.problem
    assert Incident.objects.get().data["campaign"] == campaign.pk
    assert not Operation.objects.exists()
    assert not campaign.recipients.exists()
