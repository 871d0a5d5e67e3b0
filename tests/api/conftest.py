from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from scrm.tenancy.models import Corp
from tests.factories import make_api_key, make_corp

Client = Callable[..., APIClient]


def client_of(corp: Corp, scopes: str = "*", **headers: Any) -> APIClient:
    """A brand's developer with a key of `corp`, who speaks English."""
    client = APIClient(headers={"Accept-Language": "en"} | headers)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key(corp, scopes)}")
    client.default_format = "json"
    return client


@pytest.fixture
def brand(corp: Corp) -> APIClient:
    return client_of(corp)


@pytest.fixture
def mallory(db: None) -> APIClient:
    """All scopes, of another corp."""
    return client_of(make_corp())
