"""Segments over REST."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Segment
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import make_campaign, make_corp, make_customer, make_segment, make_tag

URL = "/api/v1/segments/"
WOMEN = {"all": [{"field": "gender", "op": "eq", "value": 2}]}


def test_saves_changes_and_deletes(brand: APIClient) -> None:
    created = brand.post(URL, {"name": "Women", "rule": WOMEN})
    url = f"{URL}{created.json()['id']}/"
    renamed = brand.patch(url, {"name": "Mothers"})
    changed = brand.patch(url, {"rule": {"all": []}})

    assert created.status_code == 201
    assert created.json()["rule"] == WOMEN
    assert (renamed.json()["name"], renamed.json()["version"]) == ("Mothers", 1)
    assert (changed.json()["rule"], changed.json()["version"]) == ({"all": []}, 2)
    assert brand.get(URL).json()["results"] == [changed.json()]
    assert brand.delete(url).status_code == 204
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"all": [{"field": "nothing", "op": "eq", "value": 1}]}, "/rule/all/0/field"),
        ({"all": [{"field": "gender", "op": "near", "value": 1}]}, "/rule/all/0/op"),
        ({"all": [{"field": "tags", "op": "any_of", "value": [1, 999]}]}, "/rule/all/0/value/1"),
        ("everybody", "/rule"),
        (None, "/rule"),
    ],
)
def test_names_what_is_wrong_with_a_rule(
    brand: APIClient, corp: Corp, rule: Any, path: str
) -> None:
    if isinstance(rule, dict) and rule["all"][0]["field"] == "tags":
        value = [make_tag(corp).pk, make_tag(make_corp()).pk]
        rule = {"all": [{"field": "tags", "op": "any_of", "value": value}]}
    kept = make_segment(corp)

    for response in (
        brand.post(URL, {"name": "n", "rule": rule}),
        brand.post(f"{URL}preview/", {"rule": rule}),
        brand.patch(f"{URL}{kept.pk}/", {"rule": rule}),
    ):
        assert response.status_code == 422
        assert path in [error["path"] for error in response.json()["errors"]]
    assert Segment.objects.get().rule == {"all": []}


def test_previews_a_rule(brand: APIClient, corp: Corp, alice: Staff) -> None:
    mei = make_customer(corp, staff=alice, gender=2, name="Mei")
    make_customer(corp, staff=alice, gender=1)
    make_customer(make_corp(), gender=2)

    answer = brand.post(f"{URL}preview/", {"rule": WOMEN}).json()

    assert answer["count"] == 1
    assert answer["sample"] == [{"external_userid": mei.external_userid, "name": "Mei"}]
    assert answer["took_ms"] >= 0


def test_shows_members_page_by_page(brand: APIClient, corp: Corp, alice: Staff) -> None:
    women = [make_customer(corp, staff=alice, gender=2) for _ in range(3)]
    make_customer(corp, staff=alice, gender=1)
    url = f"{URL}{make_segment(corp, WOMEN).pk}/members/?limit=2"

    first = brand.get(url).json()
    second = brand.get(first["next"]).json()

    shown = [row["external_userid"] for row in first["results"] + second["results"]]
    assert shown == [each.external_userid for each in women]
    assert set(first["results"][0]) == {"external_userid", "name"}


def test_shows_the_grammar(brand: APIClient) -> None:
    schema = brand.get(f"{URL}schema/").json()

    assert schema["$schema"].startswith("https://json-schema.org/")


def test_keeps_a_segment_that_a_campaign_names(brand: APIClient, corp: Corp) -> None:
    segment = make_segment(corp)
    make_campaign(corp, segment=segment)

    response = brand.delete(f"{URL}{segment.pk}/")

    assert response.status_code == 409
    assert Segment.objects.exists()


def test_previews_with_the_right_to_read(corp: Corp) -> None:
    reader = client_of(corp, "segments:read")

    assert reader.post(f"{URL}preview/", {"rule": {"all": []}}).status_code == 200
    assert reader.post(URL, {"name": "n", "rule": {"all": []}}).status_code == 403
