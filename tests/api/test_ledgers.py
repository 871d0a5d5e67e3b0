"""Operations, inbox, outbox and groups over REST: to be read."""

from rest_framework.test import APIClient

from groups.models import Membership
from scrm.channels.models import InboundEvent, Operation
from scrm.jobs.actions.running import start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer, make_group_chat


def test_shows_an_operation(brand: APIClient, corp: Corp) -> None:
    job = start_job("sync", corp=corp, now=NOW)
    Job.objects.update(
        status="partial", done=3, total=4, report={"staff": 3}, errors=[{"message": "no"}]
    )

    assert brand.get(f"/api/v1/operations/{job.pk}/").json() == {
        "id": job.pk,
        "kind": "sync",
        "status": "partial",
        "progress": {"done": 3, "total": 4},
        "report": {"staff": 3},
        "errors": [{"message": "no"}],
        "created_at": "2026-11-18T12:00:00+08:00",
        "finished_at": None,
    }


def test_filters_operations(brand: APIClient, corp: Corp) -> None:
    start_job("sync", corp=corp, now=NOW)

    assert len(brand.get("/api/v1/operations/?status=queued&kind=sync").json()["results"]) == 1
    assert brand.get("/api/v1/operations/?status=failed").json()["results"] == []
    assert brand.get("/api/v1/operations/?status=nothing").status_code == 400


def test_shows_the_inbox_without_what_came(brand: APIClient, corp: Corp) -> None:
    event = InboundEvent.objects.create(
        corp=corp,
        digest=b"1",
        event="change_external_contact",
        change_type="add_external_contact",
        body="<xml/>",
        status="failed",
        attempts=6,
        error="no",
        received_at=NOW,
        next_attempt_at=NOW,
    )

    expected = {
        "id": event.pk,
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "received_at": "2026-11-18T12:00:00+08:00",
        "status": "failed",
        "attempts": 6,
        "error": "no",
    }
    assert brand.get("/api/v1/inbox-events/?status=failed").json()["results"] == [expected]
    assert brand.get("/api/v1/inbox-events/?status=handled").json()["results"] == []


def test_shows_the_outbox(brand: APIClient, corp: Corp) -> None:
    operation = Operation.objects.create(
        corp=corp,
        kind="tag_customer",
        idempotency_key="1",
        payload={},
        status="parked",
        next_attempt_at=NOW,
        created_at=NOW,
    )

    expected = {
        "id": operation.pk,
        "kind": "tag_customer",
        "status": "parked",
        "attempts": 0,
        "next_attempt_at": "2026-11-18T12:00:00+08:00",
        "error": "",
    }
    assert brand.get("/api/v1/outbox-operations/?status=parked").json()["results"] == [expected]


def test_shows_groups_and_who_is_in_them(brand: APIClient, corp: Corp, alice: Staff) -> None:
    chat = make_group_chat(corp, owner=alice, name="Mothers", member_count=2)
    customer = make_customer(corp, staff=alice)
    common = {"corp": corp, "chat": chat, "joined_at": NOW, "join_scene": 1}
    Membership.objects.create(**common, type="staff", member_id="alice", name="Alice")
    Membership.objects.create(
        **common,
        type="customer",
        member_id=customer.external_userid,
        customer=customer,
        name="Mei",
        inviter="alice",
    )
    Membership.objects.create(**common, type="customer", member_id="gone", left_at=NOW)

    shown = brand.get(f"/api/v1/groups/{chat.chat_id}/").json()
    members = brand.get(f"/api/v1/groups/{chat.chat_id}/members/").json()["results"]

    assert (
        shown.items()
        >= {
            "chat_id": chat.chat_id,
            "name": "Mothers",
            "owner": "alice",
            "member_count": 2,
            "status": "normal",
        }.items()
    )
    assert [(row["type"], row["userid"], row["external_userid"]) for row in members] == [
        ("staff", "alice", None),
        ("customer", None, customer.external_userid),
    ]
    assert members[1]["inviter"] == "alice"
    assert members[1]["join_scene"] == 1
    assert brand.get("/api/v1/groups/?owner=alice&status=normal").json()["results"] == [shown]
    assert brand.get("/api/v1/groups/?owner=bob").json()["results"] == []


def test_a_chat_without_an_owner_says_so(brand: APIClient, corp: Corp) -> None:
    chat = make_group_chat(corp)

    assert brand.get(f"/api/v1/groups/{chat.chat_id}/").json()["owner"] is None
