"""What every endpoint keeps to, and every one that will be added."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from scrm.tenancy.actions.api_keys import SCOPES
from scrm.tenancy.models import Corp
from tests.api.conftest import client_of
from tests.api.endpoints import Endpoint, endpoints, make_subject
from tests.factories import make_corp

ALL = endpoints()
DETAIL = [each for each in ALL if each.lookup and not each.makes_its_subject]
PAGES = [each for each in ALL if each.is_page]
WITH_BODY = [each for each in ALL if each.takes_body]
# What they say about the object comes before what they say about their empty body.
VERBS = {
    "submit",
    "approve",
    "cancel",
    "remind",
    "execute",
    "activate",
    "pause",
    "undo_identity_move",
}


def own_url(endpoint: Endpoint, corp: Corp) -> str:
    return endpoint.url(make_subject(endpoint, corp)) if endpoint.lookup else endpoint.path


def send(
    client: APIClient, endpoint: Endpoint, url: str, *, body: str = "{}", **options: Any
) -> Any:
    return client.generic(
        endpoint.method.upper(), url, body, content_type="application/json", **options
    )


def test_finds_the_endpoints() -> None:
    found = {str(each) for each in ALL}
    assert {
        "GET /api/v1/corp/",
        "GET /api/v1/customers/",
        "PATCH /api/v1/customers/{id}/",
        "POST /api/v1/tags/batch/",
        "POST /api/v1/campaigns/{id}/submit/",
    } <= found


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_asks_for_a_key_first(endpoint: Endpoint, db: None) -> None:
    client = APIClient()

    response = send(client, endpoint, endpoint.url("nothing"), body="{")

    assert response.status_code == 401
    assert response["WWW-Authenticate"]
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_asks_for_the_scope_before_it_looks(endpoint: Endpoint, corp: Corp) -> None:
    others = SCOPES - set(endpoint.scopes) - {"*"}
    client = client_of(corp, ",".join(sorted(others)))

    response = send(client, endpoint, endpoint.url("nothing"), body="{")

    assert response.status_code == 403
    assert response.json()["code"] == "missing_scope"


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_asks_for_no_more_than_the_scope(endpoint: Endpoint, corp: Corp) -> None:
    client = client_of(corp, endpoint.scopes[0])

    response = send(client, endpoint, own_url(endpoint, corp))

    assert response.status_code not in {401, 403, 404, 405, 500}


@pytest.mark.parametrize("endpoint", DETAIL, ids=str)
def test_another_corps_object_and_nonsense_are_the_same_nothing(
    endpoint: Endpoint, corp: Corp, brand: APIClient
) -> None:
    theirs = make_subject(endpoint, make_corp())
    # What else is wrong with the call is not told about what does not exist.
    headers = {"X-Request-Id": "same", "Idempotency-Key": ""}
    nonsense = ["nonsense", "0", "-1", "9" * 30, "%00", "%F0%9F%92%A9", "1.5", "..%2F1"]

    answers = {
        (response.status_code, response.content)
        for identifier in (theirs, *nonsense)
        for response in [
            send(
                brand,
                endpoint,
                endpoint.url(identifier) + "?limit=0&nothing=1",
                body="{",
                headers=headers,
            )
        ]
    }

    assert len(answers) == 1
    ((status, body),) = answers
    assert (status, json.loads(body)["code"]) == (404, "not_found")


@pytest.mark.parametrize("endpoint", PAGES, ids=str)
def test_pages_a_list(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    url = own_url(endpoint, corp)

    page = brand.get(url).json()

    assert set(page) == {"results", "next"}
    assert brand.get(f"{url}?limit=0").status_code == 400
    assert brand.get(f"{url}?cursor=x").status_code == 400


@pytest.mark.parametrize("endpoint", [each for each in PAGES if not each.lookup], ids=str)
def test_lists_nothing_of_another_corp(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    make_subject(endpoint, make_corp())

    assert brand.get(endpoint.path).json()["results"] == []


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_refuses_unknown_parameters(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    url = own_url(endpoint, corp)

    response = send(brand, endpoint, f"{url}?nothing=1")

    if endpoint.action in VERBS:
        assert response.status_code in {400, 409, 422}
    else:
        assert response.status_code == 400


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=str)
def test_refuses_unknown_fields(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    response = send(brand, endpoint, own_url(endpoint, corp), body='{"nothing": 1}')

    if endpoint.action in VERBS:
        assert response.status_code in {409, 422}
    else:
        assert response.status_code == 422
        assert "/nothing" in {error["path"] for error in response.json()["errors"]}


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=str)
def test_refuses_malformed_json(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    response = send(brand, endpoint, own_url(endpoint, corp), body="{")

    if endpoint.action in VERBS:
        assert response.status_code in {400, 409, 422}
    else:
        assert response.status_code == 400
        assert response.json()["code"] == "parse_error"


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_tells_the_rate_and_the_request_id(
    endpoint: Endpoint, corp: Corp, brand: APIClient
) -> None:
    response = send(brand, endpoint, own_url(endpoint, corp))

    assert response["RateLimit-Limit"] == "600"
    assert response["RateLimit-Remaining"] == "599"
    assert int(response["RateLimit-Reset"]) > 0
    assert response["X-Request-Id"]
