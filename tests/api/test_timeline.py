"""GET and POST /customers/{id}/timeline/, and why something means a customer."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from campaigns.models import Recipient
from customers.actions.timeline import TYPES, Fact, note_facts
from customers.models import Customer, TimelineEntry
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import (
    NOW,
    make_campaign,
    make_corp,
    make_customer,
    make_segment,
    make_tag,
)


@pytest.fixture
def customer(corp: Corp, alice: Staff) -> Customer:
    return make_customer(corp, staff=alice)


def path(customer: Customer, verb: str = "timeline") -> str:
    return f"/api/v1/customers/{customer.external_userid}/{verb}/"


def test_tells_entries_newest_first_in_the_language_asked_for(
    brand: APIClient, corp: Corp, customer: Customer
) -> None:
    tag = make_tag(corp, "Gold")
    fact = Fact(customer.pk, TimelineEntry.Type.TAG_ADDED, NOW, TimelineEntry.Source.API, {"tag": tag.pk})  # fmt: skip
    note_facts([fact], corp=corp, now=NOW)
    entry = TimelineEntry.objects.get()

    answer = brand.get(path(customer), headers={"Accept-Language": "en"}).json()

    assert answer == {
        "results": [
            {
                "id": f"fact-{entry.pk}",
                "at": "2026-11-18T12:00:00+08:00",
                "type": "tag.added",
                "title": "Tag «Gold» given",
                "data": {"tag": tag.pk},
                "source": "api",
            }
        ],
        "next": None,
    }


def test_tells_what_campaigns_brought(
    brand: APIClient, corp: Corp, customer: Customer, alice: Staff
) -> None:
    campaign = make_campaign(corp, name="Spring")
    for status, settled_at in (("delivered", NOW), ("asked", None)):
        Recipient.objects.create(
            corp=corp,
            campaign=campaign if status == "delivered" else make_campaign(corp),
            customer=customer,
            staff=alice,
            status=status,
            settled_at=settled_at,
        )

    (entry,) = brand.get(path(customer), headers={"Accept-Language": "en"}).json()["results"]

    assert entry["type"] == "campaign.delivered"
    assert entry["title"] == "Got the campaign «Spring» from Alice"
    assert entry["data"] == {"campaign": campaign.pk, "staff": "alice"}


def test_pages_by_moment_and_takes_in_what_comes_meanwhile(
    brand: APIClient, corp: Corp, customer: Customer
) -> None:
    def note(minutes: int) -> None:
        fact = Fact(
            customer.pk, TimelineEntry.Type.NOTE, NOW + timedelta(minutes=minutes),
            TimelineEntry.Source.API, {"text": str(minutes)},
        )  # fmt: skip
        note_facts([fact], corp=corp, now=NOW)

    for minutes in range(5):
        note(minutes)
    first = brand.get(f"{path(customer)}?limit=2").json()
    note(9)
    second = brand.get(first["next"]).json()
    third = brand.get(second["next"]).json()

    told = [[entry["title"] for entry in page["results"]] for page in (first, second, third)]
    assert told == [["4", "3"], ["2", "1"], ["0"]]
    assert third["next"] is None
    other = make_customer(corp)
    cursor = first["next"].partition("cursor=")[2]
    assert brand.get(f"{path(other)}?cursor={cursor}").status_code == 400


@pytest.mark.parametrize("kind", TYPES)
def test_shows_one_type_alone(brand: APIClient, customer: Customer, kind: str) -> None:
    brand.post(path(customer), {"text": "x"}, format="json")

    results = brand.get(f"{path(customer)}?type={kind}").json()["results"]

    assert len(results) == (kind == "note")
    assert brand.get(f"{path(customer)}?type={kind}x").status_code == 400


def test_writes_a_note(brand: APIClient, corp: Corp, customer: Customer) -> None:
    answer = brand.post(path(customer), {"text": "wants a call"}, format="json")

    assert answer.status_code == 201
    assert (answer.json()["type"], answer.json()["title"]) == ("note", "wants a call")
    assert answer.json()["source"] == "api"
    assert brand.post(path(customer), {"text": " "}, format="json").status_code == 422
    assert brand.post(path(customer), {"text": "x" * 2001}, format="json").status_code == 422
    reader = client_of(corp, "customers:read")
    assert reader.post(path(customer), {"text": "x"}, format="json").status_code == 403
    assert TimelineEntry.objects.count() == 1


def test_another_corp_s_timeline_is_not_found(brand: APIClient) -> None:
    theirs = make_customer(make_corp())

    assert brand.get(path(theirs)).status_code == 404
    assert brand.post(path(theirs), {"text": "x"}, format="json").status_code == 404


# --- why ----------------------------------------------------------------------------------------
def test_explains_a_campaign_that_is_planned_and_one_that_is_not(
    brand: APIClient, corp: Corp, customer: Customer
) -> None:
    planned, draft = (make_campaign(corp, segment=make_segment(corp)) for _ in range(2))
    Recipient.objects.create(
        corp=corp, campaign=planned, customer=customer, status="excluded", reason="blocked"
    )

    why = brand.get(f"{path(customer, 'explain')}?campaign={planned.pk}").json()
    tree = brand.get(f"{path(customer, 'explain')}?campaign={draft.pk}").json()

    assert why == {"matched": False, "status": "excluded", "reason": "blocked"}
    assert (tree["matched"], tree["tree"]["node"]) == (True, "all")


def test_explains_one_thing_that_is_there(brand: APIClient, customer: Customer) -> None:
    theirs = make_campaign(make_corp())

    for asked, status in (
        (f"campaign={theirs.pk}", 422),
        ("segment=999999", 422),
        ("sop=999999", 422),
        ("", 400),
        ("segment=1&campaign=1", 400),
    ):
        assert brand.get(f"{path(customer, 'explain')}?{asked}").status_code == status
