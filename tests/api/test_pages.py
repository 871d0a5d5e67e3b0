"""Pages by cursor."""

from urllib.parse import parse_qs, urlparse

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from scrm.tenancy.models import Corp, Staff
from tests.factories import make_campaign, make_customer

URL = "/api/v1/customers/"


def follow_pages(client: APIClient, url: str) -> list[str]:
    found: list[str] = []
    following: str | None = url
    while following:
        page = client.get(following).json()
        found += [row["external_userid"] for row in page["results"]]
        following = page["next"]
    return found


def test_gives_every_row_once_and_in_order(brand: APIClient, corp: Corp, alice: Staff) -> None:
    made = [make_customer(corp, staff=alice).external_userid for _ in range(7)]

    assert follow_pages(brand, f"{URL}?limit=3") == made


def test_next_is_an_absolute_address_that_keeps_the_parameters(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    for _ in range(3):
        make_customer(corp, staff=alice)

    following = brand.get(f"{URL}?limit=2&staff=alice").json()["next"]

    assert following.startswith("http://testserver/api/v1/customers/?")
    query = parse_qs(urlparse(following).query)
    assert (query["limit"], query["staff"]) == (["2"], ["alice"])


def test_the_last_page_has_no_next(brand: APIClient, corp: Corp, alice: Staff) -> None:
    for _ in range(2):
        make_customer(corp, staff=alice)

    assert brand.get(f"{URL}?limit=2").json()["next"] is None


def test_rows_that_come_and_go_between_pages_move_nobody(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    made = [make_customer(corp, staff=alice).external_userid for _ in range(4)]
    first = brand.get(f"{URL}?limit=2").json()

    Customer.objects.filter(external_userid=made[0]).delete()
    late = make_customer(corp, staff=alice).external_userid

    assert follow_pages(brand, first["next"]) == [*made[2:], late]


def test_new_rows_do_not_repeat_old_ones_where_the_newest_come_first(
    brand: APIClient, corp: Corp
) -> None:
    made = [make_campaign(corp).pk for _ in range(3)]
    first = brand.get("/api/v1/campaigns/?limit=2").json()

    make_campaign(corp)
    second = brand.get(first["next"]).json()

    ids = [row["id"] for row in first["results"] + second["results"]]
    assert ids == made[::-1]


def test_a_page_has_fifty_rows_and_never_more_than_two_hundred(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    for _ in range(201):
        make_customer(corp, staff=alice)

    assert len(brand.get(URL).json()["results"]) == 50
    assert len(brand.get(f"{URL}?limit=1000").json()["results"]) == 200


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "９", "1e3", "9" * 5000])
def test_refuses_a_limit_that_is_none(brand: APIClient, limit: str) -> None:
    response = brand.get(f"{URL}?limit={limit}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["path"] == "/limit"


@pytest.mark.parametrize("cursor", ["x", "12", "12:forged", "%00", "é"])
def test_refuses_a_cursor_that_is_none_of_ours(brand: APIClient, cursor: str) -> None:
    response = brand.get(f"{URL}?cursor={cursor}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["path"] == "/cursor"


def test_refuses_the_cursor_of_another_list(brand: APIClient, corp: Corp, alice: Staff) -> None:
    for _ in range(2):
        make_customer(corp, staff=alice)
    following = brand.get(f"{URL}?limit=1").json()["next"]

    response = brand.get(following.replace("/customers/", "/staff/"))

    assert response.status_code == 400
