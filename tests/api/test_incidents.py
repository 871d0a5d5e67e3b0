"""Incidents over REST: the queue, one with its conversation, and the decision."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from risk.models import Incident
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import make_incident, make_message

URL = "/api/v1/risk/incidents/"
HIT = {
    "rule": "private", "category": "diversion", "severity": "high", "start": 2, "end": 4, "text": "微信",
}  # fmt: skip


def url(incident: Incident) -> str:
    return f"{URL}{incident.pk}/"


def test_lists_the_newest_first_without_what_was_said(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    make_incident(corp)
    make_incident(corp, staff=alice, external_userid="wm1", hits=[HIT])

    rows = brand.get(URL).json()["results"]

    assert [row["staff"] for row in rows] == ["alice", None]
    assert rows[0]["hits"] == [HIT]
    assert (rows[0]["status"], rows[0]["severity"], rows[0]["kind"]) == ("open", "high", "message")
    assert "context" not in rows[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "open"}, 2),
        ({"status": "decided"}, 1),
        ({"severity": "low"}, 1),
        ({"staff": "alice"}, 1),
        ({"kind": "deletion"}, 1),
        ({"category": "price"}, 1),
        ({"external_userid": "wm1"}, 1),
        ({"decision": "minor"}, 1),
    ],
)
def test_filters(
    brand: APIClient, corp: Corp, alice: Staff, query: dict[str, str], found: int
) -> None:
    make_incident(corp, staff=alice, category="price")
    make_incident(corp, kind="deletion", external_userid="wm1")
    make_incident(corp, status="decided", decision="minor", severity="low")

    assert len(brand.get(URL, query).json()["results"]) == found


def test_refuses_a_filter_that_means_nothing(brand: APIClient) -> None:
    assert brand.get(URL, {"severity": "awful"}).status_code == 400


def test_costs_the_same_however_many_there_are(
    brand: APIClient, corp: Corp, alice: Staff, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        make_incident(corp, staff=alice)

    with django_assert_max_num_queries(6):
        assert len(brand.get(URL).json()["results"]) == 20


def test_shows_the_conversation_and_what_was_decided_before(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    before = make_message(corp, sender="wm1", is_from_staff=False, text="", text_state="no_consent")
    subject = make_message(corp, sender="alice", text="加我微信")
    earlier = make_incident(corp, staff=alice, status="decided", decision="reminded")
    make_incident(corp)
    incident = make_incident(corp, message=subject, staff=alice, hits=[HIT])

    shown = brand.get(url(incident)).json()

    assert [line["id"] for line in shown["context"]] == [before.pk, subject.pk]
    assert shown["context"][0] | {"sent_at": ""} == {
        "id": before.pk,
        "sender": "wm1",
        "is_from_staff": False,
        "name": "wm1",
        "sent_at": "",
        "kind": "text",
        "text": None,
        "text_state": "no_consent",
        "is_recalled": False,
        "is_subject": False,
    }
    assert (shown["context"][1]["text"], shown["context"][1]["name"]) == ("加我微信", "Alice")
    assert [past["id"] for past in shown["history"]] == [earlier.pk]


def test_decides_and_opens_again(brand: APIClient, corp: Corp) -> None:
    incident = make_incident(corp)

    answer = brand.patch(url(incident), {"decision": "false_alarm", "note": "A brand name"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["decision"]) == ("decided", "false_alarm")
    assert AuditEntry.objects.get(action="incidents.decided").actor_kind == "api_key"

    twice = brand.patch(url(incident), {"decision": "serious", "note": "No"})
    assert (twice.status_code, twice.json()["code"]) == (409, "incident_decided")

    again = brand.patch(url(incident), {"status": "open", "note": "New facts"})
    assert (again.status_code, again.json()["status"]) == (200, "open")
    assert brand.patch(url(incident), {"status": "open", "note": "x"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"decision": "minor"}, "/note"),
        ({"decision": "minor", "note": " "}, "/note"),
        ({"decision": "hang", "note": "x"}, "/decision"),
        ({"note": "x"}, "/decision"),
        ({"status": "decided", "note": "x"}, "/status"),
        ({"decision": "minor", "note": "x", "severity": "low"}, "/severity"),
    ],
)
def test_refuses_half_a_decision(
    brand: APIClient, corp: Corp, body: dict[str, str], path: str
) -> None:
    incident = make_incident(corp)

    answer = brand.patch(url(incident), body)

    assert answer.status_code == 422
    assert path in {error["path"] for error in answer.json()["errors"]}
    incident.refresh_from_db()
    assert incident.is_open


def test_needs_the_scope_to_read_and_another_to_decide(corp: Corp) -> None:
    incident = make_incident(corp)
    reader = client_of(corp, "risk:read")

    assert reader.get(url(incident)).status_code == 200
    body = {"decision": "minor", "note": "x"}
    assert reader.patch(url(incident), body).status_code == 403
    assert client_of(corp, "customers:read").get(URL).status_code == 403


def test_another_corps_incident_is_nothing(mallory: APIClient, corp: Corp) -> None:
    incident = make_incident(corp)

    assert mallory.get(url(incident)).status_code == 404
    assert mallory.patch(url(incident), {"decision": "minor", "note": "x"}).status_code == 404
