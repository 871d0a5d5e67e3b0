"""The OpenAPI description and its pages."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.api.endpoints import endpoints


@pytest.fixture
def schema() -> Any:
    GENERATOR_STATS.reset()
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def test_is_valid_and_comes_without_warnings(schema: Any) -> None:
    validate_schema(schema)  # type: ignore[no-untyped-call]

    assert not GENERATOR_STATS


def test_describes_every_endpoint(schema: Any) -> None:
    described = {
        f"{method.upper()} {re.sub('{[^}]+}', '{id}', path)}"
        for path, methods in schema["paths"].items()
        for method in methods
    }

    assert described == {re.sub("{[^}]+}", "{id}", str(each)) for each in endpoints()}


def test_tells_of_keys_problems_and_pages(schema: Any) -> None:
    listing = schema["paths"]["/api/v1/customers/"]["get"]
    parameters = {parameter["name"] for parameter in listing["parameters"]}

    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert listing["security"] == [{"key": []}]
    assert "`customers:read`" in listing["description"]
    assert list(listing["responses"]["default"]["content"]) == ["application/problem+json"]
    assert "RateLimit-Remaining" in listing["responses"]["200"]["headers"]
    assert parameters == {
        "cursor",
        "external_userid",
        "limit",
        "segment",
        "staff",
        "stage",
        "status",
        "tag",
        "unionid",
        "updated_since",
    }


def test_tells_of_idempotency_and_dry_runs(schema: Any) -> None:
    submit = schema["paths"]["/api/v1/campaigns/{id}/submit/"]["post"]

    names = {(parameter["in"], parameter["name"]) for parameter in submit["parameters"]}
    assert {("header", "Idempotency-Key"), ("query", "dry_run")} <= names


def test_is_served_without_a_key(client: Client, db: None) -> None:
    response = client.get("/api/schema/", headers={"Accept": "application/json"})

    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")


def test_the_pages_need_nothing_from_elsewhere(client: Client, db: None) -> None:
    page = client.get("/api/docs/").content.decode()

    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(needed) >= 3
    for address in needed:
        assert address.startswith("/static/")
        assert finders.find(address.removeprefix("/static/")), address
