"""Events and their types over REST."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import BrandEvent, Customer
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.api.conftest import client_of
from tests.factories import make_brand_event, make_corp, make_customer, make_event_type

URL = "/api/v1/events/"
TYPE = "/api/v1/event-types/basket/"
SCHEMA = {"type": "object", "required": ["sku"]}


def body(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": "e1",
        "type": "basket",
        "occurred_at": "2026-11-01T10:00:00+08:00",
        "external_userid": "wm1",
        "data": {"sku": "A"},
    } | fields


@pytest.fixture(autouse=True)
def wang(corp: Corp) -> Customer:
    return make_customer(corp, external_userid="wm1", live_follows=1)


def test_takes_one_event_and_shows_it(brand: APIClient) -> None:
    response = brand.post(URL, body())

    assert response.status_code == 201
    assert response.json() == {
        "event_id": "e1", "status": "taken", "matched": True, "problem": "",
    }  # fmt: skip
    shown = brand.get(f"{URL}e1/").json()
    assert (shown["type"], shown["data"], shown["external_userid"]) == (
        "basket",
        {"sku": "A"},
        "wm1",
    )
    assert brand.get(URL).json()["results"] == [shown]


def test_a_duplicate_is_said_to_be_one(brand: APIClient) -> None:
    brand.post(URL, body())
    again = brand.post(URL, body())

    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    assert BrandEvent.objects.count() == 1


def test_says_what_is_wrong_with_an_event(brand: APIClient) -> None:
    response = brand.post(URL, body(occurred_at="yesterday", nothing=1))

    assert response.status_code == 422
    assert {(error["path"], error["code"]) for error in response.json()["errors"]} == {
        ("/nothing", "unknown"), ("/occurred_at", "invalid"),
    }  # fmt: skip


@pytest.mark.parametrize("is_bare", [True, False])
def test_a_batch_answers_row_by_row(brand: APIClient, is_bare: bool) -> None:
    brand.put(TYPE, {"schema": SCHEMA})
    rows = [body(), body(event_id="e2", data={}), body(), body(event_id="e3", type=7)]

    response = brand.post(URL, rows if is_bare else {"items": rows})

    assert response.status_code == 207
    results = response.json()["results"]
    assert [(each["status"], each["outcome"]) for each in results] == [
        (201, "taken"), (201, "quarantined"), (200, "duplicate"), (422, "refused"),
    ]  # fmt: skip
    assert "sku" in results[1]["problem"]
    assert results[3]["errors"][0]["path"] == "/items/3/type"


def test_the_quarantine_is_listed_and_released(brand: APIClient, corp: Corp) -> None:
    assert brand.put(TYPE, {"schema": SCHEMA}).status_code == 201
    response = brand.post(URL, body(data={}))
    assert (response.status_code, response.json()["status"]) == (201, "quarantined")
    assert [
        each["event_id"] for each in brand.get(f"{URL}?status=quarantined").json()["results"]
    ] == ["e1"]

    mended = brand.put(TYPE, {"schema": {"type": "object"}})

    assert mended.status_code == 200
    assert mended.json()["operation"] == Job.objects.get().pk
    run_due_jobs(clock=lambda: Job.objects.get().due_at)
    assert brand.get(f"{URL}?status=quarantined").json()["results"] == []
    assert brand.get(f"/api/v1/operations/{Job.objects.get().pk}/").json()["status"] == "succeeded"


def test_judges_anew_when_asked(brand: APIClient, corp: Corp) -> None:
    make_event_type(corp, "basket")
    make_brand_event(corp, type="basket", status="quarantined")

    response = brand.post(f"{TYPE}rejudge/")

    assert response.status_code == 202
    run_due_jobs(clock=lambda: Job.objects.get().due_at)
    assert BrandEvent.objects.get().status == "taken"


def test_types_are_put_and_listed(brand: APIClient) -> None:
    brand.put(TYPE, {"schema": SCHEMA})

    (listed,) = brand.get("/api/v1/event-types/").json()["results"]
    assert (listed["name"], listed["schema"]) == ("basket", SCHEMA)
    assert brand.get(TYPE).json() == listed
    wrong = brand.put(TYPE, {"schema": {"type": "nothing"}})
    assert wrong.status_code == 422
    assert (
        wrong.json()["errors"][0] | {"path": "/schema/type", "code": "invalid_schema"}
        == (wrong.json()["errors"][0])
    )
    assert brand.put(TYPE, {}).status_code == 422


def test_a_dry_run_tells_and_writes_nothing(brand: APIClient) -> None:
    response = brand.post(f"{URL}?dry_run=true", body())

    assert (response.status_code, response.json()["status"]) == (201, "taken")
    assert not BrandEvent.objects.exists()


def test_filters(brand: APIClient, corp: Corp, wang: Customer) -> None:
    make_brand_event(corp, event_id="mine", customer=wang)
    make_brand_event(corp, event_id="nobody's", type="other")
    make_brand_event(make_corp(), event_id="theirs")

    def found(query: str) -> list[str]:
        return [each["event_id"] for each in brand.get(f"{URL}?{query}").json()["results"]]

    assert found("") == ["nobody's", "mine"]
    assert found("external_userid=wm1") == found("matched=true") == ["mine"]
    assert found("type=other") == found("matched=false") == ["nobody's"]
    assert brand.get(f"{URL}theirs/").status_code == 404


def test_scopes(corp: Corp) -> None:
    reader, writer = client_of(corp, "events:read"), client_of(corp, "events:write")

    assert reader.post(URL, body()).status_code == 403
    assert reader.put(TYPE, {"schema": {}}).status_code == 403
    assert writer.post(URL, body()).status_code == 201
    assert writer.get(URL).status_code == 403
