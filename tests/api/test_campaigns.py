"""Campaigns over REST."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import Campaign, Recipient, Sop, Step, Task
from customers.models import Customer
from risk.models import Incident
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import (
    NOW,
    make_campaign,
    make_corp,
    make_customer,
    make_group_chat,
    make_lexicon,
    make_segment,
    make_staff,
)

URL = "/api/v1/campaigns/"


@pytest.fixture
def mei(corp: Corp, alice: Staff) -> Customer:
    return make_customer(corp, staff=alice, gender=2)


def body_for(*customers: Customer, **fields: Any) -> dict[str, Any]:
    listed = [customer.external_userid for customer in customers]
    return {"name": "New", "content": "Hello", "external_userids": listed} | fields


def asked_campaign(corp: Corp, alice: Staff, *statuses: str) -> Campaign:
    """A campaign as planning and asking leave it, one recipient for each status."""
    campaign = make_campaign(corp, status="partly_confirmed", planned_at=NOW, asked_at=NOW)
    task = Task.objects.create(
        corp=corp, campaign=campaign, staff=alice, status="asked", msgid="m1", asked_at=NOW
    )
    for status in statuses:
        is_excluded = status == "excluded"
        Recipient.objects.create(
            corp=corp,
            campaign=campaign,
            customer=make_customer(corp, staff=alice),
            staff=None if is_excluded else alice,
            task=None if is_excluded else task,
            status=status,
            reason="blocked" if is_excluded else "",
        )
    return campaign


def test_drafts_a_campaign(brand: APIClient, corp: Corp, alice: Staff) -> None:
    segment = make_segment(corp)
    link = {"kind": "link", "title": "Sale", "url": "https://example.com/"}
    body = {
        "name": "Spring",
        "kind": "customers",
        "segment": segment.pk,
        "content": " Hello ",
        "attachments": [link],
        "send_at": "2030-03-01T09:00:00+09:00",
        "sender_policy": "named",
        "senders": ["alice"],
    }

    response = brand.post(URL, body)

    assert response.status_code == 201
    shown = response.json()
    assert (
        shown.items()
        >= {
            "name": "Spring",
            "kind": "customers",
            "segment": segment.pk,
            "external_userids": None,
            "content": " Hello ",
            "attachments": [link],
            "send_at": "2030-03-01T08:00:00+08:00",
            "sender_policy": "named",
            "senders": ["alice"],
            "status": "draft",
            "rule": None,
            "submitted_at": None,
        }.items()
    )
    assert brand.get(f"{URL}{shown['id']}/").json() == shown
    listed = brand.get(URL).json()["results"][0]
    assert listed == {name: value for name, value in shown.items() if name != "external_userids"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "/name"),
        ({"kind": "letters"}, "/kind"),
        ({"send_at": "2030-03-01T09:00:00"}, "/send_at"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, "/send_at"),
        ({"sender_policy": "anybody"}, "/sender_policy"),
        ({"sender_policy": "named", "senders": ["nobody"]}, "/senders/0"),
        ({"external_userids": ["nobody"]}, "/external_userids/0"),
        ({"external_userids": None, "segment": 999_999}, "/segment"),
        ({"external_userids": None, "segment": 10**30}, "/segment"),
        ({"external_userids": None, "segment": True}, "/segment"),
        ({"content": "字" * 1400}, "/content"),
        ({"attachments": [{"kind": "link", "url": "https://e.com"}]}, "/attachments/0/title"),
        ({"attachments": ["link"]}, "/attachments/0"),
        ({"attachments": [{"kind": "image", "media_id": "m"}] * 10}, "/attachments"),
        ({"status": "done"}, "/status"),
    ],
)
def test_names_what_is_wrong_with_a_draft(
    brand: APIClient, corp: Corp, mei: Customer, fields: dict[str, Any], path: str
) -> None:
    kept = make_campaign(corp)

    for response in (
        brand.post(URL, body_for(mei, **fields)),
        brand.patch(f"{URL}{kept.pk}/", fields),
    ):
        assert response.status_code == 422, response.content
        assert path in [error["path"] for error in response.json()["errors"]]
    assert [campaign.name for campaign in Campaign.objects.all()] == [kept.name]


def test_refuses_the_segment_of_another_corp(brand: APIClient) -> None:
    theirs = make_segment(make_corp())

    response = brand.post(URL, {"name": "n", "content": "c", "segment": theirs.pk})

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/segment"


def test_changes_only_what_is_given(brand: APIClient, mei: Customer) -> None:
    created = brand.post(URL, body_for(mei)).json()

    changed = brand.patch(f"{URL}{created['id']}/", {"content": "Bye"}).json()

    assert changed == created | {"content": "Bye"}


def test_changes_no_campaign_that_has_left(brand: APIClient, corp: Corp) -> None:
    campaign = make_campaign(corp, status="scheduled")

    for body in ({"content": "Bye"}, {"nonsense": 1}):
        response = brand.patch(f"{URL}{campaign.pk}/", body)
        assert (response.status_code, response.json()["code"]) == (409, "wrong_status")
    assert Campaign.objects.get().content == "Hello"


def test_says_before_what_will_happen(brand: APIClient, corp: Corp, mei: Customer) -> None:
    gone = make_staff(corp, status="left")
    left_alone = make_customer(corp, staff=gone)
    blocked = make_customer(corp, staff=gone, is_blocked=True)
    body = body_for(mei, left_alone, blocked)
    created = brand.post(URL, body).json()
    expected = {"planned": 1, "excluded": {"sender_inactive": 1, "blocked": 1}, "senders": 1}

    preflight = brand.post(f"{URL}{created['id']}/preflight/")
    dry_create = brand.post(f"{URL}?dry_run=true", body)
    dry_submit = brand.post(f"{URL}{created['id']}/submit/?dry_run=true")

    for response in (preflight, dry_create, dry_submit):
        assert response.status_code == 200
        assert response.json().items() >= expected.items()
    assert Campaign.objects.get().status == "draft"


def test_submits_at_once_or_to_be_approved(brand: APIClient, corp: Corp, mei: Customer) -> None:
    small = brand.post(URL, body_for(mei)).json()["id"]
    assert brand.post(f"{URL}{small}/submit/").json()["status"] == "scheduled"

    corp.approval_threshold = 1
    corp.save()
    large = brand.post(URL, body_for(mei)).json()["id"]
    assert brand.post(f"{URL}{large}/submit/").json()["status"] == "pending_approval"

    own = brand.post(f"{URL}{large}/approve/")
    assert (own.status_code, own.json()["code"]) == (409, "own_submission")
    approver = client_of(corp, "campaigns:approve")
    assert approver.post(f"{URL}{large}/approve/").json()["status"] == "scheduled"


def test_submits_once(brand: APIClient, mei: Customer) -> None:
    url = f"{URL}{brand.post(URL, body_for(mei)).json()['id']}/submit/"
    brand.post(url)

    again = brand.post(url)
    nonsense = brand.post(url, {"nonsense": 1})

    assert (again.status_code, again.json()["code"]) == (409, "wrong_status")
    assert nonsense.status_code == 409


def test_a_body_that_says_too_much_submits_nothing(brand: APIClient, mei: Customer) -> None:
    created = brand.post(URL, body_for(mei)).json()

    response = brand.post(f"{URL}{created['id']}/submit/", {"at": "now"})

    assert response.status_code == 422
    assert Campaign.objects.get().status == "draft"


def test_submits_nothing_that_reaches_nobody(brand: APIClient, corp: Corp) -> None:
    campaign = make_campaign(corp)

    response = brand.post(f"{URL}{campaign.pk}/submit/")

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/segment"
    assert Campaign.objects.get().status == "draft"


def test_cancels_as_an_operation_that_can_be_followed(brand: APIClient, mei: Customer) -> None:
    created = brand.post(URL, body_for(mei)).json()
    brand.post(f"{URL}{created['id']}/submit/")

    response = brand.post(f"{URL}{created['id']}/cancel/")

    assert response.status_code == 202
    job = Job.objects.get()
    assert response.json() == {"operation": {"id": job.pk, "status": "queued"}}
    followed = brand.get(response["Location"])
    assert followed.json()["kind"] == "campaigns.cancel"
    assert Campaign.objects.get().status == "cancelled"


def test_refreshes_as_an_operation(brand: APIClient, corp: Corp, alice: Staff) -> None:
    campaign = asked_campaign(corp, alice, "asked")

    first = brand.post(f"{URL}{campaign.pk}/refresh/")
    second = brand.post(f"{URL}{campaign.pk}/refresh/")

    assert first.status_code == 202
    assert second.json() == first.json()


def test_reminds_three_times_a_day(brand: APIClient, corp: Corp, alice: Staff) -> None:
    campaign = asked_campaign(corp, alice, "asked")
    url = f"{URL}{campaign.pk}/remind/"

    answers = [brand.post(url) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]
    assert answers[0].json() == {"reminded": 1}
    assert answers[3].json()["code"] == "reminder_limit"


def test_shows_results_and_who_is_behind_them(brand: APIClient, corp: Corp, alice: Staff) -> None:
    campaign = asked_campaign(
        corp, alice, "asked", "asked", "delivered", "not_friend", "quota", "failed", "excluded"
    )

    results = brand.get(f"{URL}{campaign.pk}/results/").json()

    assert results == {
        "planned": 6,
        "asked": 5,
        "confirmed": 3,
        "delivered": 1,
        "not_friend": 1,
        "quota": 1,
        "unsent": 2,
        "failed": 1,
        "cancelled": 0,
        "excluded": {"blocked": 1},
    }
    for word, count in (results | {"excluded": 1}).items():
        page = brand.get(f"{URL}{campaign.pk}/recipients/?status={word}").json()
        assert len(page["results"]) == count, word
    everybody = brand.get(f"{URL}{campaign.pk}/recipients/").json()["results"]
    assert len(everybody) == 7
    assert everybody[0] == {
        "external_userid": Customer.objects.earliest("id").external_userid,
        "userid": "alice",
        "status": "asked",
        "reason": "",
        "settled_at": None,
    }
    assert everybody[-1]["reason"] == "blocked"
    assert everybody[-1]["userid"] is None
    assert brand.get(f"{URL}{campaign.pk}/recipients/?status=x").status_code == 400


def test_shows_tasks(brand: APIClient, corp: Corp, alice: Staff) -> None:
    campaign = asked_campaign(corp, alice, "asked", "delivered")

    (task,) = brand.get(f"{URL}{campaign.pk}/tasks/").json()["results"]

    assert (
        task.items()
        >= {
            "userid": "alice",
            "status": "asked",
            "planned": 2,
            "delivered": 1,
            "unsent": 1,
            "asked_at": "2026-11-18T12:00:00+08:00",
        }.items()
    )


def test_what_is_not_known_yet_is_null(brand: APIClient, corp: Corp) -> None:
    results = brand.get(f"{URL}{make_campaign(corp).pk}/results/").json()

    assert results["planned"] is None
    assert results["delivered"] is None


@pytest.mark.parametrize("verb", ["submit", "cancel", "remind", "approve"])
def test_writing_is_not_sending(corp: Corp, verb: str) -> None:
    writer = client_of(corp, "campaigns:read,campaigns:write")

    assert writer.post(f"{URL}1/{verb}/").status_code == 403


def test_a_repeated_submission_is_one(brand: APIClient, mei: Customer) -> None:
    created = brand.post(URL, body_for(mei)).json()
    url = f"{URL}{created['id']}/submit/"

    first = brand.post(url, headers={"Idempotency-Key": "k"})
    second = brand.post(url, headers={"Idempotency-Key": "k"})

    assert first.status_code == second.status_code == 200
    assert second["Idempotent-Replayed"] == "true"


def test_send_at_may_be_any_time(brand: APIClient, mei: Customer) -> None:
    soon = (timezone.now() + timedelta(minutes=5)).isoformat()

    assert brand.post(URL, body_for(mei, send_at=soon)).status_code == 201


# --- to chats ---------------------------------------------------------------------------------
def test_a_campaign_to_chats_is_drafted_checked_and_submitted(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    chats = [make_group_chat(corp, owner=alice), make_group_chat(corp)]
    body = {
        "name": "Topic",
        "kind": "groups",
        "content": "Hi all",
        "chat_ids": [chat.chat_id for chat in chats],
    }

    created = brand.post(URL, body)
    url = f"{URL}{created.json()['id']}/"

    assert created.status_code == 201, created.content
    assert created.json()["chat_ids"] == body["chat_ids"]
    checked = brand.post(f"{url}preflight/").json()
    assert (checked["planned"], checked["excluded"]) == (1, {"no_owner": 1})
    assert checked["screening"] == {"verdict": "pass", "hits": []}
    assert brand.post(f"{url}submit/").json()["status"] == "scheduled"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"chat_ids": ["nothing"]}, "/chat_ids/0"),
        ({"chat_ids": []}, "/chat_ids"),
        ({"chat_ids": None}, "/chat_ids"),
        ({"chat_ids": "x"}, "/chat_ids"),
        ({"segment": 1}, "/segment"),
        ({"senders": ["alice"]}, "/senders"),
    ],
)
def test_names_what_is_wrong_with_a_draft_to_chats(
    brand: APIClient, corp: Corp, alice: Staff, fields: dict[str, Any], path: str
) -> None:
    chat = make_group_chat(corp, owner=alice)
    body = {"name": "n", "kind": "groups", "content": "c", "chat_ids": [chat.chat_id]}

    response = brand.post(URL, body | fields)

    assert response.status_code == 422
    assert path in [error["path"] for error in response.json()["errors"]]


def test_recipients_of_a_campaign_to_chats_are_chats(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    chat = make_group_chat(corp, owner=alice)
    campaign = make_campaign(
        corp, kind="groups", chat_ids=[chat.chat_id], status="done", planned_at=NOW
    )
    campaign.recipients.create(
        corp=corp, chat=chat, staff=alice, status="asked", reason="chat_dismissed", settled_at=NOW
    )

    (row,) = brand.get(f"{URL}{campaign.pk}/recipients/?status=unsent").json()["results"]

    assert row == {
        "chat_id": chat.chat_id,
        "userid": "alice",
        "status": "asked",
        "reason": "chat_dismissed",
        "settled_at": "2026-11-18T12:00:00+08:00",
    }


# --- screened ---------------------------------------------------------------------------------
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_forbidden_text_is_refused_with_its_places_and_kept_as_an_incident(
    brand: APIClient, corp: Corp, mei: Customer, headers: dict[str, str]
) -> None:
    make_lexicon(corp, ["根治"])
    url = f"{URL}{brand.post(URL, body_for(mei, content='一周根治湿疹')).json()['id']}/"

    answers = [brand.post(f"{url}submit/", headers=headers) for _ in range(2)]

    for answer in answers:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "blocked_by_risk")
        assert [error["path"] for error in problem["errors"]] == ["/content"]
        (hit,) = problem["hits"]
        assert (hit["path"], hit["start"], hit["end"], hit["text"]) == ("/content", 2, 4, "根治")
    assert Incident.objects.get().kind == Incident.Kind.STOPPED_SEND
    assert Campaign.objects.get().status == "draft"
    screening = brand.post(f"{url}preflight/").json()["screening"]
    assert (screening["verdict"], screening["hits"]) == ("block", answers[0].json()["hits"])


def test_a_dry_run_of_a_forbidden_text_leaves_no_incident(
    brand: APIClient, corp: Corp, mei: Customer
) -> None:
    make_lexicon(corp, ["根治"])
    created = brand.post(URL, body_for(mei, content="根治")).json()

    response = brand.post(f"{URL}{created['id']}/submit/?dry_run=true")

    assert response.json()["code"] == "blocked_by_risk"
    assert not Incident.objects.exists()


def test_campaigns_of_sops_are_not_listed(brand: APIClient, corp: Corp) -> None:
    sop = Sop.objects.create(corp=corp, name="s", trigger={}, created_at=NOW, updated_at=NOW)
    step = Step.objects.create(sop=sop, position=1, action={"kind": "message"})
    made_by_sop = make_campaign(corp, sop_step=step)
    make_campaign(corp, name="By people")

    assert [row["name"] for row in brand.get(URL).json()["results"]] == ["By people"]
    assert brand.get(f"{URL}{made_by_sop.pk}/").status_code == 200
