"""The same call twice is one act and one answer."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from customers.api.tag_views import TagGroupViewSet
from customers.models import TagGroup
from scrm.tenancy.actions.idempotent_calls import purge_idempotent_calls
from scrm.tenancy.models import Corp, IdempotentCall
from tests.api.conftest import client_of
from tests.factories import make_corp, make_tag

URL = "/api/v1/tag-groups/"


def send(client: APIClient, body: Any = None, *, key: str = "k1", url: str = URL) -> Any:
    given = {"name": "VIP"} if body is None else body
    return client.post(url, given, headers={"Idempotency-Key": key})


def test_repeats_the_first_answer(brand: APIClient) -> None:
    first, second = send(brand), send(brand)

    assert first.status_code == second.status_code == 201
    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert second["Content-Type"] == "application/json"
    assert second["RateLimit-Remaining"] == "598"
    assert TagGroup.objects.count() == 1


def test_repeats_refusals_too(brand: APIClient) -> None:
    first, second = send(brand, {"nam": 1}), send(brand, {"nam": 1})

    assert first.status_code == second.status_code == 422
    assert second.content == first.content
    assert second["Content-Type"] == "application/problem+json"


def test_repeats_the_answer_to_a_deletion(brand: APIClient, corp: Corp) -> None:
    url = f"/api/v1/tags/{make_tag(corp).pk}/"

    first = brand.delete(url, headers={"Idempotency-Key": "k"})
    second = brand.delete(url, headers={"Idempotency-Key": "k"})

    assert first.status_code == second.status_code == 204
    assert second["Idempotent-Replayed"] == "true"
    assert brand.delete(url).status_code == 404


def test_takes_json_that_says_the_same_for_the_same(brand: APIClient) -> None:
    _first, second = (
        brand.post(URL, body, content_type="application/json", headers={"Idempotency-Key": "k"})
        for body in ('{"name":"VIP","kind":"system"}', '{ "kind": "system", "name": "VIP" }')
    )

    assert second.status_code == 201
    assert second["Idempotent-Replayed"] == "true"


def test_refuses_a_key_with_another_body(brand: APIClient) -> None:
    send(brand)

    response = send(brand, {"name": "Other"})

    assert response.status_code == 409
    assert response.json()["code"] == "idempotency_key_reuse"
    assert TagGroup.objects.count() == 1


def test_a_dry_run_is_another_call(brand: APIClient) -> None:
    url = "/api/v1/tags/batch/"
    body = {"items": [{"external_userid": "wm"}]}
    send(brand, body, url=f"{url}?dry_run=true")

    assert send(brand, body, url=url).status_code == 409


def test_scopes_a_key_to_caller_method_and_path(brand: APIClient, corp: Corp) -> None:
    send(brand)

    assert send(brand, {"name": "VIP", "kind": "system"}, url="/api/v1/tags/").status_code == 201
    assert "Idempotent-Replayed" not in send(client_of(corp), {"name": "Other"})
    assert send(client_of(make_corp())).status_code == 201


def test_tells_at_once_that_the_first_call_still_runs(brand: APIClient) -> None:
    send(brand)
    IdempotentCall.objects.update(status=None, started_at=timezone.now())

    response = send(brand)

    assert response.status_code == 409
    assert response.json()["code"] == "in_progress"
    assert int(response["Retry-After"]) >= 1


def test_does_again_what_died_in_the_middle(brand: APIClient) -> None:
    send(brand)
    TagGroup.objects.all().delete()
    long_ago = timezone.now() - timedelta(minutes=2)
    IdempotentCall.objects.update(status=None, started_at=long_ago)

    response = send(brand)

    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response
    assert TagGroup.objects.count() == 1


def test_forgets_after_72_hours(brand: APIClient) -> None:
    send(brand)
    IdempotentCall.objects.update(started_at=timezone.now() - timedelta(hours=72, seconds=1))

    response = send(brand, {"name": "Other"})

    assert response.status_code == 201
    assert TagGroup.objects.count() == 2


def test_remembers_for_72_hours(brand: APIClient) -> None:
    send(brand)
    IdempotentCall.objects.update(started_at=timezone.now() - timedelta(hours=71))

    assert send(brand)["Idempotent-Replayed"] == "true"


def test_purges_what_is_older(brand: APIClient) -> None:
    send(brand, key="old")
    IdempotentCall.objects.update(started_at=timezone.now() - timedelta(hours=73))
    send(brand, {"name": "Other"}, key="new")

    purge_idempotent_calls(now=timezone.now())

    assert [call.key for call in IdempotentCall.objects.all()] == ["new"]


def test_keeps_no_answer_of_a_key_that_may_not(corp: Corp) -> None:
    assert send(client_of(corp, "tags:read")).status_code == 403
    assert not IdempotentCall.objects.exists()


def test_keeps_no_answer_of_a_failure_and_none_of_its_work(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(corp)
    client.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr("customers.api.tag_views.TagGroupViewSet.get_serializer", fail)
        assert send(client).status_code == 500
    assert not TagGroup.objects.exists()

    assert send(client).status_code == 201


def fail(*_: Any, **__: Any) -> None:
    raise RuntimeError


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_refuses_a_key_that_is_none(brand: APIClient, key: str) -> None:
    response = send(brand, key=key)

    assert response.status_code == 400
    assert response.json()["code"] == "idempotency_key_invalid"


def test_what_does_not_exist_is_told_before_a_wrong_key(brand: APIClient) -> None:
    url = "/api/v1/campaigns/999/submit/"

    assert send(brand, {}, key="", url=url).status_code == 404
    assert send(brand, {}, key="a", url=url).status_code == 404
    assert send(brand, {"x": 1}, key="a", url=url).status_code == 404


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_calls_at_once_do_the_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    corp = make_corp()
    is_inside, may_end = threading.Event(), threading.Event()
    create = TagGroupViewSet.create

    def slow(view: TagGroupViewSet, request: Any) -> Any:
        response = create(view, request)
        is_inside.set()
        may_end.wait(10)
        return response

    monkeypatch.setattr(TagGroupViewSet, "create", slow)
    client = client_of(corp)
    answers: list[Any] = []

    def first() -> None:
        answers.append(send(client))
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert is_inside.wait(10)

    second = send(client)
    may_end.set()
    thread.join(10)

    assert second.status_code == 409
    assert second.json()["code"] == "in_progress"
    assert answers[0].status_code == 201
    assert send(client)["Idempotent-Replayed"] == "true"
    assert TagGroup.objects.count() == 1


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_a_call_that_was_taken_over_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(make_corp())
    create = TagGroupViewSet.create

    def overtaken(view: TagGroupViewSet, request: Any) -> Any:
        response = create(view, request)
        IdempotentCall.objects.update(started_at=timezone.now())
        return response

    monkeypatch.setattr(TagGroupViewSet, "create", overtaken)

    response = send(client)

    assert response.status_code == 409
    assert not TagGroup.objects.exists()
