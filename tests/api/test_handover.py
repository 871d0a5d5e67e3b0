"""Handover over REST: leaving, who waits, plans, items."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Follow, HandoverItem, HandoverPlan
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import (
    make_customer,
    make_group_chat,
    make_handover_plan,
    make_staff,
    make_stage,
    make_tag,
)

PLANS = "/api/v1/handover/plans/"
WAITING = "/api/v1/handover/unassigned/"


@pytest.fixture
def leaver(corp: Corp) -> Staff:
    left_at = timezone.now() - timedelta(hours=30)
    return make_staff(corp, userid="carol", status="left", left_at=left_at)


def wish(**fields: Any) -> dict[str, Any]:
    return {"kind": "resigned", "from_userid": "carol", "to_userids": ["alice", "bob"], **fields}


def paths(response: Any) -> set[tuple[str, str]]:
    return {(error["path"], error["code"]) for error in response.json()["errors"]}


# --- leaving ---


def test_marks_and_unmarks_a_leaver(alice: Staff, brand: APIClient) -> None:
    marked = brand.post("/api/v1/staff/alice/leaving/")
    again = brand.post("/api/v1/staff/alice/leaving/")

    assert marked.status_code == again.status_code == 200
    assert marked.json()["leaving_since"] == again.json()["leaving_since"]
    assert not Staff.objects.available().filter(pk=alice.pk).exists()
    undone = brand.delete("/api/v1/staff/alice/leaving/")
    assert undone.json()["leaving_since"] is None
    assert Staff.objects.available().filter(pk=alice.pk).exists()


def test_who_has_left_cannot_be_marked(leaver: Staff, brand: APIClient) -> None:
    response = brand.post("/api/v1/staff/carol/leaving/")

    assert (response.status_code, response.json()["code"]) == (409, "already_left")


# --- who waits ---


def test_lists_who_waits_and_why(corp: Corp, leaver: Staff, brand: APIClient) -> None:
    tag, stage = make_tag(corp), make_stage(corp, "loyal")
    customer = make_customer(corp, staff=leaver, tags=[tag], stage=stage)
    make_customer(corp, staff=make_staff(corp))

    (row,) = brand.get(WAITING).json()["results"]

    assert row["external_userid"] == customer.external_userid
    assert (row["from_userid"], row["kind"]) == ("carol", "resigned")
    assert (row["stage"], [each["id"] for each in row["tags"]]) == ("loyal", [tag.pk])
    assert (row["is_transferable"], row["reason"], row["plan"]) == (True, "", None)
    assert row["waits_hours"] == pytest.approx(30, abs=0.2)
    assert row["last_interaction_at"] is None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("staff=carol", 2),
        ("staff=dave", 1),
        ("stage=loyal", 1),
        ("q=Zoe", 1),
        ("q=nobody", 0),
        ("kind=customers", 3),
    ],
)
def test_filters_who_waits(
    query: str, count: int, corp: Corp, leaver: Staff, brand: APIClient
) -> None:
    dave = make_staff(corp, userid="dave", leaving_since=timezone.now())
    make_customer(corp, staff=leaver, stage=make_stage(corp, "loyal"))
    make_customer(corp, staff=leaver)
    make_customer(corp, staff=dave, name="Zoe")

    assert len(brand.get(f"{WAITING}?{query}").json()["results"]) == count


def test_filters_by_tag_and_refuses_unknown_staff(
    corp: Corp, leaver: Staff, brand: APIClient
) -> None:
    tag = make_tag(corp)
    make_customer(corp, staff=leaver, tags=[tag])
    make_customer(corp, staff=leaver)

    assert len(brand.get(f"{WAITING}?tag={tag.pk}").json()["results"]) == 1
    assert brand.get(f"{WAITING}?staff=nobody").status_code == 422


def test_lists_groups_that_wait(corp: Corp, leaver: Staff, brand: APIClient) -> None:
    chat = make_group_chat(corp, owner=leaver, member_count=7)
    make_group_chat(corp, owner=make_staff(corp))

    page = brand.get(f"{WAITING}?kind=groups").json()

    assert page["next"] is None
    assert [(row["chat_id"], row["from_userid"]) for row in page["results"]] == [
        (chat.chat_id, "carol")
    ]


def test_a_page_of_who_waits_costs_the_same_for_many(
    corp: Corp, leaver: Staff, brand: APIClient
) -> None:
    assert_constant(
        lambda: make_customer(corp, staff=leaver, tags=[make_tag(corp)]), brand, WAITING
    )


def assert_constant(make: Callable[[], object], client: APIClient, url: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len(captured)

    make()
    queries()  # the first call of a key writes its rate window
    few = queries()
    for _ in range(5):
        make()
    assert queries() == few


# --- plans ---


def test_plans_for_everybody_who_waits(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    for _ in range(4):
        make_customer(corp, staff=leaver)
    chat = make_group_chat(corp, owner=leaver)

    response = brand.post(PLANS, wish())

    assert response.status_code == 201
    plan = response.json()
    assert (plan["status"], plan["to_userids"]) == ("draft", ["alice", "bob"])
    assert (plan["results"]["planned"], plan["results"]["chats"]) == (4, {"planned": 1})
    items = brand.get(f"{PLANS}{plan['id']}/items/").json()["results"]
    assert {item["status"] for item in items} == {"planned"}
    assert {item["to_userid"] for item in items} == {"alice", "bob"}
    assert [item["chat_id"] for item in items if item["chat_id"]] == [chat.chat_id]
    listed = brand.get(PLANS).json()["results"]
    assert [each["id"] for each in listed] == [plan["id"]]
    (waiting, *_) = brand.get(WAITING).json()["results"]
    assert waiting["plan"] == plan["id"]


def test_plans_for_listed_customers_only(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    wanted, _other = (make_customer(corp, staff=leaver) for _ in range(2))
    make_group_chat(corp, owner=leaver)

    body = wish(external_userids=[wanted.external_userid, wanted.external_userid])
    plan = brand.post(PLANS, body).json()

    items = brand.get(f"{PLANS}{plan['id']}/items/").json()["results"]
    assert [item["external_userid"] for item in items] == [wanted.external_userid]


def test_a_dry_run_shows_who_would_get_whom(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    for _ in range(3):
        make_customer(corp, staff=leaver)

    response = brand.post(f"{PLANS}?dry_run=true", wish())

    assert response.status_code == 200
    trace = response.json()
    assert (trace["planned"], trace["ready"], trace["blocked"]) == (3, 3, {})
    assert sum(load["customers"] for load in trace["loads"]) == 3
    assert {load["userid"]: load["before"] for load in trace["loads"]} == {"alice": 0, "bob": 0}
    assert not HandoverPlan.objects.exists()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "moved"}, ("/kind", "invalid_choice")),
        ({"from_userid": "nobody"}, ("/from_userid", "unknown")),
        ({"to_userids": []}, ("/to_userids", "min_length")),
        ({"to_userids": ["alice", "nobody"]}, ("/to_userids/1", "unknown")),
        ({"to_userids": ["alice", "carol"]}, ("/to_userids/1", "same_person")),
        ({"external_userids": ["wmnone"]}, ("/external_userids/0", "unknown")),
        ({"chat_ids": ["wrnone"]}, ("/chat_ids/0", "unknown")),
        ({"rule": "random"}, ("/rule", "invalid_choice")),
        ({"message": "hello"}, ("/message", "unsupported")),
        ({"kind": "in_service", "message": "x" * 201}, ("/message", "too_long")),
    ],
)
def test_refuses_a_plan_with_its_place(
    fields: dict[str, Any],
    problem: tuple[str, str],
    leaver: Staff,
    alice: Staff,
    bob: Staff,
    brand: APIClient,
) -> None:
    response = brand.post(PLANS, wish(**fields))

    assert response.status_code == 422
    assert problem in paths(response)
    assert not HandoverPlan.objects.exists()


def test_the_preflight_names_a_reason_for_each(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    gone, fine = (make_customer(corp, staff=leaver) for _ in range(2))
    plan = brand.post(PLANS, wish()).json()
    Follow.objects.filter(customer=gone).update(
        status="deleted_by_customer", ended_at=timezone.now()
    )

    checked = brand.post(f"{PLANS}{plan['id']}/preflight/").json()

    assert (checked["planned"], checked["ready"]) == (2, 1)
    assert checked["blocked"] == {"not_followed": 1}
    reasons = {item["external_userid"]: item["reason"] for item in checked["items"]}
    assert reasons == {gone.external_userid: "not_followed", fine.external_userid: ""}
    assert HandoverItem.objects.filter(status="planned").count() == 2


def test_a_plan_is_carried_out_once(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    make_customer(corp, staff=leaver)
    plan = brand.post(PLANS, wish()).json()

    first = brand.post(f"{PLANS}{plan['id']}/execute/")
    second = brand.post(f"{PLANS}{plan['id']}/execute/")

    assert first.status_code == 202
    operation = first.json()["operation"]
    assert operation["status"] == "queued"
    assert brand.get(f"/api/v1/operations/{operation['id']}/").status_code == 200
    assert (second.status_code, second.json()["code"]) == (409, "wrong_status")
    assert Job.objects.filter(kind="handover.execute").count() == 1


def test_a_dry_run_of_carrying_out_changes_nothing(corp: Corp, brand: APIClient) -> None:
    plan = make_handover_plan(corp)

    response = brand.post(f"{PLANS}{plan.pk}/execute/?dry_run=true")

    assert (response.status_code, response.json()["ready"]) == (200, 1)
    plan.refresh_from_db()
    assert plan.status == "draft"
    assert not Job.objects.exists()


def test_a_replay_of_the_same_click_answers_the_same(corp: Corp, brand: APIClient) -> None:
    plan = make_handover_plan(corp)
    headers = {"Idempotency-Key": "once"}

    first, second = (brand.post(f"{PLANS}{plan.pk}/execute/", headers=headers) for _ in range(2))

    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"


def test_carrying_out_needs_its_own_scope(corp: Corp) -> None:
    plan = make_handover_plan(corp)
    writer = client_of(corp, "handover:write,handover:read")

    for verb in ("execute", "cancel"):
        assert writer.post(f"{PLANS}{plan.pk}/{verb}/").status_code == 403
    assert writer.post(f"{PLANS}{plan.pk}/refresh/").status_code == 202
    assert writer.post(f"{PLANS}{plan.pk}/preflight/").status_code == 200


def test_an_empty_plan_is_not_carried_out(
    leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    plan = brand.post(PLANS, wish()).json()

    response = brand.post(f"{PLANS}{plan['id']}/execute/")

    assert (response.status_code, response.json()["code"]) == (409, "nothing_to_hand_over")


def test_items_of_a_draft_change_their_taker(
    corp: Corp, leaver: Staff, alice: Staff, bob: Staff, brand: APIClient
) -> None:
    make_customer(corp, staff=leaver)
    make_staff(corp, userid="eve")
    plan = brand.post(PLANS, wish()).json()
    (item,) = brand.get(f"{PLANS}{plan['id']}/items/").json()["results"]
    url = f"{PLANS}{plan['id']}/items/{item['id']}/"

    changed = brand.patch(url, {"to_userid": "eve"})

    assert (changed.status_code, changed.json()["to_userid"]) == (200, "eve")
    assert "eve" in brand.get(f"{PLANS}{plan['id']}/").json()["to_userids"]
    assert paths(brand.patch(url, {"to_userid": "carol"})) == {("/to_userid", "same_person")}
    assert paths(brand.patch(url, {"to_userid": "x"})) == {("/to_userid", "unknown")}
    assert brand.patch(f"{PLANS}{plan['id']}/items/1{item['id']}/", {}).status_code == 404
    assert brand.delete(url).status_code == 204
    assert brand.delete(url).status_code == 409
    (removed,) = brand.get(f"{PLANS}{plan['id']}/items/?status=cancelled").json()["results"]
    assert removed["reason"] == "removed"


def test_nothing_changes_once_it_is_carried_out(corp: Corp, brand: APIClient) -> None:
    plan = make_handover_plan(corp, status="executing")
    url = f"{PLANS}{plan.pk}/items/{plan.items.get().pk}/"

    assert brand.patch(url, {"nothing": 1}).status_code == 409
    assert brand.delete(url).status_code == 409


def test_a_plan_is_cancelled(corp: Corp, brand: APIClient) -> None:
    plan = make_handover_plan(corp)

    cancelled = brand.post(f"{PLANS}{plan.pk}/cancel/")

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["results"]["cancelled"] == 1
    assert brand.post(f"{PLANS}{plan.pk}/cancel/").status_code == 409
    assert brand.post(f"{PLANS}{plan.pk}/execute/").status_code == 409


def test_items_cost_the_same_for_many(corp: Corp, brand: APIClient) -> None:
    plan = make_handover_plan(corp)

    def make() -> None:
        HandoverItem.objects.create(
            corp=corp,
            plan=plan,
            customer=make_customer(corp, staff=plan.from_staff),
            kind=plan.kind,
            from_staff=plan.from_staff,
            to_staff=make_staff(corp),
        )

    assert_constant(make, brand, f"{PLANS}{plan.pk}/items/")


def test_plans_cost_the_same_for_many(corp: Corp, brand: APIClient) -> None:
    assert_constant(lambda: make_handover_plan(corp), brand, PLANS)


def test_mallory_finds_nothing(corp: Corp, mallory: APIClient) -> None:
    plan = make_handover_plan(corp)

    assert mallory.get(f"{PLANS}{plan.pk}/").status_code == 404
    assert mallory.post(f"{PLANS}{plan.pk}/execute/").status_code == 404
    assert mallory.get(WAITING).json()["results"] == []
