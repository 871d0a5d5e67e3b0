"""Tags in advance over REST."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import PreTag, TagAssignment
from scrm.tenancy.models import Corp
from tests.factories import make_corp, make_customer, make_tag

URL = "/api/v1/pretags/"


def test_every_row_has_its_own_answer(brand: APIClient, corp: Corp) -> None:
    vip, theirs = make_tag(corp), make_tag(make_corp())
    known = make_customer(corp, unionid="u1")
    items: list[dict[str, Any]] = [
        {"unionid": "u1", "tags": [vip.pk]},
        {"phone": "13800138000", "tags": [vip.pk]},
        {"member_id": "m1", "tags": [vip.pk, theirs.pk]},
        {"phone": "123", "tags": [vip.pk]},
        {"tags": [vip.pk]},
        {"phone": "13800138000", "unionid": "u2", "tags": [vip.pk]},
    ]

    response = brand.post(URL, {"items": items})

    assert response.status_code == 207
    results = response.json()["results"]
    assert [(row["status"], row["matched"]) for row in results] == [
        (200, True), (202, False), (422, False), (422, False), (422, False), (422, False),
    ]  # fmt: skip
    assert [[each["path"] for each in row["errors"]] for row in results] == [
        [], [], ["/items/2/tags/1"], ["/items/3/phone"], ["/items/4"], ["/items/5"],
    ]  # fmt: skip
    assert list(TagAssignment.objects.values_list("customer", "tag")) == [(known.pk, vip.pk)]
    assert "13800138000" not in response.content.decode()


def test_a_dry_run_answers_the_same_and_keeps_nothing(brand: APIClient, corp: Corp) -> None:
    items = [{"phone": "13800138000", "tags": [make_tag(corp).pk]}]

    dry = brand.post(f"{URL}?dry_run=true", {"items": items})

    assert not PreTag.objects.exists()
    assert brand.post(URL, {"items": items}).json() == dry.json()
    assert PreTag.objects.count() == 1


@pytest.mark.parametrize("count", [0, 501])
def test_takes_one_to_five_hundred_rows(brand: APIClient, count: int) -> None:
    items = [{"unionid": "u", "tags": [1]}] * count

    response = brand.post(URL, {"items": items})

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/items"
