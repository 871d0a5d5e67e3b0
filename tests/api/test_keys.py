"""Keys: who calls, and what she may do."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from scrm.tenancy.actions.api_keys import revoke_api_key
from scrm.tenancy.models import ApiKey, Corp
from tests.api.conftest import client_of
from tests.factories import make_api_key

URL = "/api/v1/corp/"


def test_shows_the_corp_of_the_key(corp: Corp) -> None:
    response = client_of(corp, "corp:read").get(URL)

    assert response.status_code == 200
    assert response.json() == {
        "corp_id": corp.corp_id,
        "name": corp.name,
        "time_zone": "Asia/Shanghai",
        "quota_mode": "month",
    }


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer sk_nobody", "Basic eDp5"]
)
def test_refuses_a_call_without_a_good_key(corp: Corp, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = APIClient().get(URL, headers=headers)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response.json()["code"] in {"not_authenticated", "authentication_failed"}


def test_refuses_an_expired_key(corp: Corp) -> None:
    client = client_of(corp)
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert client.get(URL).status_code == 401


def test_refuses_a_revoked_key(corp: Corp) -> None:
    client = client_of(corp)
    revoke_api_key(ApiKey.objects.get(), now=timezone.now())

    assert client.get(URL).status_code == 401


def test_takes_the_scheme_in_any_case(corp: Corp) -> None:
    response = APIClient().get(URL, headers={"Authorization": f"bearer {make_api_key(corp)}"})

    assert response.status_code == 200


def test_ignores_the_session_of_the_admin(corp: Corp, admin_client: APIClient) -> None:
    assert admin_client.get(URL).status_code == 401


@pytest.mark.parametrize("scopes", ["", "corp:write", "staff:read"])
def test_names_the_scope_that_is_missing(corp: Corp, scopes: str) -> None:
    response = client_of(corp, scopes).get(URL)

    assert response.status_code == 403
    assert response.json()["code"] == "missing_scope"
    assert "corp:read" in response.json()["detail"]


def test_notes_when_a_key_was_used(corp: Corp) -> None:
    client_of(corp).get(URL)

    assert ApiKey.objects.get().last_used_at is not None
