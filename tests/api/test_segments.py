"""Segments over REST."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.actions.snapshots import note_moves
from customers.models import Segment
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import NOW, make_campaign, make_corp, make_customer, make_segment, make_tag

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


def test_a_version_that_is_not_the_latest_changes_nothing(brand: APIClient, corp: Corp) -> None:
    segment = make_segment(corp)
    url = f"{URL}{segment.pk}/"

    first = brand.patch(url, {"rule": WOMEN, "version": 1})
    by_body = brand.patch(url, {"rule": {"none": []}, "version": 1})
    by_header = brand.patch(url, {"rule": {"none": []}}, headers={"If-Match": '"1"'})
    latest = brand.patch(url, {"rule": {"none": []}}, headers={"If-Match": '"2"'})

    assert first.json()["version"] == 2
    for refused in (by_body, by_header):
        assert (refused.status_code, refused.json()["code"]) == (409, "version_conflict")
    assert (latest.status_code, latest.json()["version"]) == (200, 3)
    assert brand.patch(url, {"name": "n"}, headers={"If-Match": "x"}).status_code == 422


def test_a_rule_that_contradicts_itself_is_counted_and_not_saved(
    brand: APIClient, corp: Corp
) -> None:
    men = {"field": "gender", "op": "eq", "value": 1}
    rule = {"all": [*WOMEN["all"], men]}

    counted = brand.post(f"{URL}preview/", {"rule": rule})
    saved = brand.post(URL, {"name": "Nobody", "rule": rule})

    assert counted.status_code == 200
    assert counted.json()["count"] == 0
    assert counted.json()["warnings"][0]["path"] == "/rule/all/1"
    assert saved.status_code == 422
    assert saved.json()["errors"][0]["code"] == "contradiction"


def test_a_list_has_members_instead_of_a_rule(brand: APIClient, corp: Corp, alice: Staff) -> None:
    mei = make_customer(corp, staff=alice, unionid="u-mei")
    li = make_customer(corp, staff=alice)

    made = brand.post(URL, {"name": "VIP", "kind": "list", "members": ["u-mei", "nobody"]})
    url = f"{URL}{made.json()['id']}/"
    changed = brand.post(
        f"{url}members/", {"add": [li.external_userid], "remove": [mei.external_userid]}
    )

    assert made.status_code == 201
    assert (made.json()["kind"], made.json()["unknown"][0]["text"]) == ("list", "nobody")
    assert changed.json() == {"added": 1, "removed": 1, "unknown": [], "version": 2}
    shown = brand.get(f"{url}members/").json()["results"]
    assert [row["external_userid"] for row in shown] == [li.external_userid]
    for wrong in (
        {"name": "n", "kind": "list"},
        {"name": "n", "kind": "list", "members": [], "rule": WOMEN},
        {"name": "n", "rule": WOMEN, "members": []},
        {"name": "n"},
    ):
        assert brand.post(URL, wrong).status_code == 422
    assert brand.patch(url, {"rule": WOMEN}).status_code == 422


def test_snapshots_and_what_changed_between_them(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    mei = make_customer(corp, staff=alice, gender=2)
    li = make_customer(corp, staff=alice, gender=1)
    url = f"{URL}{make_segment(corp, WOMEN).pk}/"

    first = brand.post(f"{url}snapshot/").json()
    type(mei).objects.filter(pk=mei.pk).update(gender=0)
    type(li).objects.filter(pk=li.pk).update(gender=2)
    second = brand.post(f"{url}snapshot/").json()
    pair = f"from={first['id']}&to={second['id']}"

    assert brand.get(f"{url}difference/?{pair}").json() == {"gained": 1, "lost": 1, "stayed": 0}
    for which, customer in (("gained", li), ("lost", mei)):
        rows = brand.get(f"{url}changed/?{pair}&which={which}").json()["results"]
        assert [row["external_userid"] for row in rows] == [customer.external_userid]
    kept = brand.get(f"{url}members/?snapshot={first['id']}").json()["results"]
    assert [row["external_userid"] for row in kept] == [mei.external_userid]
    shown = brand.get(f"{url}snapshots/").json()["results"]
    assert [row["count"] for row in shown] == [1, 1]
    other = f"{URL}{make_segment(corp).pk}/"
    assert brand.get(f"{other}members/?snapshot={first['id']}").status_code == 422


def test_asks_about_a_past_day(brand: APIClient, corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, added_at=NOW)
    everybody = f"{URL}{make_segment(corp).pk}/"
    women = f"{URL}{make_segment(corp, WOMEN).pk}/"

    before = brand.get(f"{everybody}members/?as_of=2026-11-01")
    refused = brand.get(f"{women}members/?as_of=2026-11-01")
    future = brand.post(f"{everybody}snapshot/", {"as_of": "2999-01-01"})

    assert before.json()["results"] == []
    assert (refused.status_code, future.status_code) == (422, 422)
    assert refused.json()["errors"][0]["path"] == "/rule/all/0/field"


def test_two_segments_overlap(brand: APIClient, corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, gender=2)
    make_customer(corp, staff=alice, gender=1)
    women, everybody = make_segment(corp, WOMEN), make_segment(corp)
    theirs = make_segment(make_corp())

    answer = brand.get(f"{URL}{women.pk}/overlap/?with={everybody.pk}")

    assert answer.json() == {"only_this": 0, "both": 1, "only_other": 1}
    assert brand.get(f"{URL}{women.pk}/overlap/?with={theirs.pk}").status_code == 422


def test_who_entered_and_left_a_watched_segment(brand: APIClient, corp: Corp, alice: Staff) -> None:
    mei = make_customer(corp, staff=alice, gender=2, name="Mei")
    made = brand.post(URL, {"name": "Women", "rule": WOMEN, "is_watched": True}).json()
    segment = Segment.objects.get()
    note_moves(segment, now=NOW)
    type(mei).objects.filter(pk=mei.pk).update(gender=0)
    note_moves(segment, now=NOW + timedelta(days=1))

    rows = brand.get(f"{URL}{made['id']}/moves/").json()["results"]

    assert made["is_watched"] is True
    assert [(row["name"], row["entered"]) for row in rows] == [("Mei", False)]
