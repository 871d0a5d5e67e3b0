"""SOPs by REST: as api.md's exact meanings 11 say."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.models import Enrolment, Sop, StepRun
from risk.models import Incident
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.campaigns.sops import enrol, forbid, make_sop, message, tag
from tests.factories import NOW, make_corp, make_customer, make_staff, make_tag

SOPS = "/api/v1/sops/"


def post(client: APIClient, url: str, body: Any = None, **headers: str) -> Any:
    return client.post(url, body if body is not None else {}, format="json", headers=headers)


def drafted(brand: APIClient, **fields: Any) -> dict[str, Any]:
    body = {"name": "Newborn", "trigger": {"type": "api"}, "steps": [message("Hello")], **fields}
    answer = post(brand, SOPS, body)
    assert answer.status_code == 201, answer.json()
    sop: dict[str, Any] = answer.json()
    return sop


def test_keeps_a_draft_as_it_was_written(brand: APIClient, corp: Corp) -> None:
    vip = make_tag(corp)
    rule = {"all": [{"field": "tags", "op": "any_of", "value": [vip.pk]}]}
    steps = [
        message("Hello", days=1, at="09:00", condition=rule),
        tag(vip.pk, days=1, minutes=30),
    ]

    sop = drafted(
        brand,
        trigger={"type": "tag_added", "tag": vip.pk},
        steps=steps,
        exit=rule,
        quiet_hours={"start": "21:00", "end": "09:00"},
        late_policy="catch_up",
        grace_minutes=30,
    )

    assert [{**step, "id": None} for step in sop["steps"]] == [
        {**step, "id": None, "condition": step.get("condition")} for step in steps
    ]
    assert (sop["status"], sop["late_policy"], sop["grace_minutes"]) == ("draft", "catch_up", 30)
    assert sop["trigger"] == {"type": "tag_added", "tag": vip.pk}
    assert brand.get(f"{SOPS}{sop['id']}/").json() == sop
    assert brand.get(SOPS).json()["results"] == [sop]


def test_names_what_is_wrong(brand: APIClient) -> None:
    body = {"name": "X", "trigger": {"type": "api"}, "steps": [{"action": {"kind": "webhook"}}]}

    answer = post(brand, SOPS, body)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["path"], error["code"]) == ("/steps/0/action/kind", "unsupported")


def test_runs_pauses_and_changes(brand: APIClient) -> None:
    sop = drafted(brand)
    url = f"{SOPS}{sop['id']}/"

    assert post(brand, f"{url}pause/").json()["code"] == "wrong_status"
    assert post(brand, f"{url}activate/").json()["status"] == "active"
    assert post(brand, f"{url}activate/").status_code == 200
    assert post(brand, f"{url}pause/").json()["status"] == "paused"
    changed = brand.patch(url, {"steps": [*sop["steps"], message("Two", days=2)]}, format="json")

    assert changed.status_code == 200
    assert changed.json()["steps"][0]["id"] == sop["steps"][0]["id"]
    assert changed.json()["version"] == 2


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}])
def test_a_forbidden_text_is_refused_and_kept_in_mind(
    brand: APIClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    sop = drafted(brand, steps=[message("保证治愈")])
    forbid(monkeypatch, "治愈")

    answer = post(brand, f"{SOPS}{sop['id']}/activate/", **headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "blocked_by_risk")
    assert answer.json()["errors"][0]["path"] == "/steps/0/action/content"
    incident = Incident.objects.get()
    assert (incident.kind, incident.data["sop"]) == ("stopped_send", sop["id"])
    assert Sop.objects.get().status == Sop.Status.DRAFT


def test_simulates(brand: APIClient, corp: Corp, alice: Staff) -> None:
    steps = [message(days=1, at="09:00"), message(minutes=90)]
    sop = drafted(brand, steps=steps, quiet_hours={"start": "21:00", "end": "09:30"})
    customer = make_customer(corp, staff=alice)
    body = {"external_userid": customer.external_userid, "now": "2026-11-18T12:00:00+08:00"}

    answer = post(brand, f"{SOPS}{sop['id']}/simulate/", body).json()

    runs = {run["step"]: datetime.fromisoformat(run["due_at"]) for run in answer["runs"]}
    first, second = (step["id"] for step in sop["steps"])
    assert runs == {
        second: datetime.fromisoformat("2026-11-18T13:30:00+08:00"),
        first: datetime.fromisoformat("2026-11-19T09:30:00+08:00"),
    }
    assert not Enrolment.objects.exists()


def test_enrols_once(brand: APIClient, corp: Corp, alice: Staff) -> None:
    sop = drafted(brand)
    url = f"{SOPS}{sop['id']}/enrolments/"
    customer = make_customer(corp, staff=alice)
    body = {"external_userid": customer.external_userid, "anchor": "2026-11-18T12:00:00+08:00"}
    assert post(brand, url, body).json()["code"] == "wrong_status"
    post(brand, f"{SOPS}{sop['id']}/activate/")

    first = post(brand, url, body)
    second = post(brand, url, body)

    # The anchor is long past: the only step was missed, and she is through.
    assert first.status_code == 201
    assert first.json()["trigger"] == "api"
    assert second.status_code == 201
    third = post(brand, url, {"external_userid": customer.external_userid})
    fourth = post(brand, url, {"external_userid": customer.external_userid})
    assert third.json()["status"] == "active"
    assert (fourth.status_code, fourth.json()["code"]) == (409, "already_enrolled")
    assert len(brand.get(url).json()["results"]) == 3


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({}, 422, "/external_userid"),
        ({"external_userid": "nobody"}, 422, "/external_userid"),
        ({"external_userid": "x", "anchor": "soon"}, 422, "/anchor"),
        ({"external_userid": "x", "anchor": "2026-11-18T12:00:00"}, 422, "/anchor"),
        ({"external_userid": "x", "colour": 1}, 422, "/colour"),
    ],
)
def test_refuses_bad_enrolments(
    brand: APIClient, corp: Corp, body: dict[str, Any], status: int, path: str
) -> None:
    sop = make_sop(corp, [message()], now=NOW)

    answer = post(brand, f"{SOPS}{sop.pk}/enrolments/", body)

    assert answer.status_code == status
    assert [each["path"] for each in answer.json()["errors"]] == [path]


def test_another_corps_customer_is_nobody(brand: APIClient, corp: Corp) -> None:
    other = make_corp()
    stranger = make_customer(other, staff=make_staff(other))
    sop = make_sop(corp, [message()], now=NOW)

    answer = post(
        brand, f"{SOPS}{sop.pk}/enrolments/", {"external_userid": stranger.external_userid}
    )

    assert answer.status_code == 422


def test_takes_out_once(brand: APIClient, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message(days=1)], now=NOW)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=NOW)
    other = make_sop(corp, [message()], now=NOW)
    url = f"{SOPS}{sop.pk}/enrolments/{enrolment.pk}/"

    assert brand.delete(f"{SOPS}{other.pk}/enrolments/{enrolment.pk}/").status_code == 404
    assert brand.delete(url).status_code == 204
    assert brand.delete(url).json()["code"] == "enrolment_ended"
    assert brand.get(url).json()["status"] == "cancelled"


def test_lists_step_runs(brand: APIClient, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [tag(make_tag(corp).pk), message(days=1)], now=NOW)
    first, second = (make_customer(corp, staff=alice) for _ in range(2))
    enrolments = [enrol(sop, customer, now=NOW) for customer in (first, second)]
    run_due_steps(now=NOW)
    url = f"{SOPS}{sop.pk}/step-runs/"

    done = brand.get(url, {"status": "done"}).json()["results"]
    hers = brand.get(url, {"customer": first.external_userid}).json()["results"]

    assert len(done) == 2
    assert [(run["status"], run["reason"]) for run in hers] == [("done", ""), ("pending", "")]
    assert set(hers[0]) >= {
        "id", "enrolment", "external_userid", "step", "due_at", "status", "reason",
    }  # fmt: skip
    assert hers[0]["enrolment"] == enrolments[0].pk
    assert brand.get(url, {"status": "late"}).status_code == 400


def test_lists_who_is_left_out(brand: APIClient, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice, attributes={"due": "soon"})
    trigger = {"type": "attribute_date", "attribute": "due"}
    sop = make_sop(corp, [message()], now=NOW, trigger=trigger)

    (row,) = brand.get(f"{SOPS}{sop.pk}/left-out/").json()["results"]

    assert row == {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "value": "soon",
        "reason": "not_a_date",
    }


def test_explains_where_a_customer_stands(brand: APIClient, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message(days=1)], now=NOW)
    customer = make_customer(corp, staff=alice)
    url = f"/api/v1/customers/{customer.external_userid}/explain/?sop={sop.pk}"

    assert brand.get(url).json()["reasons"] == ["not_triggered"]
    enrol(sop, customer, now=NOW)
    told = brand.get(url).json()

    assert told["matched"] is True
    assert [run["status"] for run in told["runs"]] == ["pending"]


def test_reading_is_not_writing(corp: Corp) -> None:
    sop = make_sop(corp, [message()], now=NOW)
    reader = client_of(corp, "sops:read")

    assert reader.get(f"{SOPS}{sop.pk}/").status_code == 200
    assert post(reader, f"{SOPS}{sop.pk}/pause/").json()["code"] == "missing_scope"


def test_pages_need_as_many_queries_for_many(brand: APIClient, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message(days=1), message(days=2)], now=NOW)
    urls = [SOPS, f"{SOPS}{sop.pk}/enrolments/", f"{SOPS}{sop.pk}/step-runs/"]

    def count() -> list[int]:
        counts = []
        for url in urls:
            with CaptureQueriesContext(connection) as captured:
                brand.get(url)
            counts.append(len(captured))
        return counts

    enrol(sop, make_customer(corp, staff=alice), now=NOW)
    count()
    one = count()
    for _ in range(5):
        enrol(sop, make_customer(corp, staff=alice), now=NOW + timedelta(minutes=1))
        make_sop(corp, [message()], now=NOW)

    assert count() == one
    assert StepRun.objects.count() == 12
