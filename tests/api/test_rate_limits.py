"""How often a key may call."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from scrm.tenancy.actions.rate_limits import Rate, count_call, parse_rate
from scrm.tenancy.models import ApiKey, Corp, RateWindow
from tests.api.conftest import client_of
from tests.factories import NOW, make_api_key, make_corp

URL = "/api/v1/corp/"


def test_tells_what_is_left(corp: Corp, settings: Any) -> None:
    settings.API_RATE = "3/day"
    client = client_of(corp)

    client.get(URL)
    response = client.get(URL)

    assert response["RateLimit-Limit"] == "3"
    assert response["RateLimit-Remaining"] == "1"
    assert 0 < int(response["RateLimit-Reset"]) <= 86400


def test_refuses_what_is_too_much(corp: Corp, settings: Any) -> None:
    settings.API_RATE = "1/day"
    client = client_of(corp)
    client.get(URL)

    response = client.get(URL)

    assert response.status_code == 429
    assert response.json()["code"] == "rate_limited"
    assert response["Retry-After"] == response["RateLimit-Reset"]
    assert response["RateLimit-Remaining"] == "0"


def test_counts_refusals_too(corp: Corp) -> None:
    client = client_of(corp, "")

    assert client.get(URL)["RateLimit-Remaining"] == "599"
    assert client.get("/api/v1/customers/wm/")["RateLimit-Remaining"] == "598"


def test_counts_each_key_alone(corp: Corp, settings: Any) -> None:
    settings.API_RATE = "1/day"
    client_of(corp).get(URL)

    assert client_of(corp).get(URL).status_code == 200


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_counts_exactly_however_many_call_at_once() -> None:
    make_api_key(make_corp())
    key = ApiKey.objects.get()

    def call(_number: int) -> bool:
        try:
            return count_call(key, rate=Rate(calls=30, seconds=60), now=NOW).is_exceeded
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as threads:
        refused = list(threads.map(call, range(40)))

    assert refused.count(False) == 30
    assert RateWindow.objects.get().calls == 40


def test_forgets_windows_that_are_over(corp: Corp) -> None:
    make_api_key(corp)
    key = ApiKey.objects.get()
    RateWindow.objects.create(api_key=key, window=1, calls=9)

    allowance = count_call(key, rate=Rate(calls=5, seconds=60), now=NOW)

    assert (allowance.remaining, allowance.is_exceeded) == (4, False)
    assert RateWindow.objects.get().window == int(NOW.timestamp()) // 60


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5/s", Rate(5, 1)),
        ("5/sec", Rate(5, 1)),
        ("600/min", Rate(600, 60)),
        ("7/hour", Rate(7, 3600)),
        ("8/day", Rate(8, 86400)),
    ],
)
def test_reads_a_rate(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "600", "0/min", "-1/min", "600/week", "many/min"])
def test_names_the_setting_of_a_rate_it_cannot_read(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SCRM_API_RATE"):
        parse_rate(text)
