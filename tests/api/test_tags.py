"""Tags over REST."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.models import Tag, TagAssignment, TagGroup
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_tag

URL = "/api/v1/tags/"
BATCH = "/api/v1/tags/batch/"


def carried() -> set[tuple[str, int]]:
    rows = TagAssignment.objects.values_list("customer__external_userid", "tag")
    return set(rows)


def test_makes_groups_and_tags(brand: APIClient) -> None:
    group = brand.post("/api/v1/tag-groups/", {"name": "Level"})
    tag = brand.post(URL, {"name": "VIP", "group": group.json()["id"]})

    assert group.status_code == tag.status_code == 201
    assert group.json()["kind"] == "system"
    assert tag.json() == {
        "id": Tag.objects.get().pk,
        "name": "VIP",
        "kind": "system",
        "group": group.json()["id"],
        "wecom_id": "",
        "lasts_days": None,
        "customer_count": 0,
    }
    assert brand.get(URL).json()["results"] == [tag.json()]
    assert brand.get(f"{URL}{tag.json()['id']}/").json() == tag.json()


def test_a_tag_without_a_group_gets_one_whatever_the_language(brand: APIClient) -> None:
    brand.post(URL, {"name": "VIP"})
    response = brand.post(URL, {"name": "Gold"}, headers={"Accept-Language": "zh-Hans"})

    assert response.status_code == 201
    assert TagGroup.objects.count() == 1


def test_renames_and_deletes(brand: APIClient, corp: Corp) -> None:
    tag = make_tag(corp)
    make_customer(corp, tags=[tag])

    renamed = brand.patch(f"{URL}{tag.pk}/", {"name": "Gold"})
    deleted = brand.delete(f"{URL}{tag.pk}/")

    assert renamed.json()["name"] == "Gold"
    assert deleted.status_code == 204
    assert brand.get(f"{URL}{tag.pk}/").status_code == 404
    assert carried() == set()


def test_a_deleted_group_takes_its_tags_along(brand: APIClient, corp: Corp) -> None:
    tag = make_tag(corp)

    brand.patch(f"/api/v1/tag-groups/{tag.group_id}/", {"name": "Other"})
    assert brand.get("/api/v1/tag-groups/").json()["results"][0]["name"] == "Other"
    assert brand.delete(f"/api/v1/tag-groups/{tag.group_id}/").status_code == 204

    assert brand.get(URL).json()["results"] == []


@pytest.mark.parametrize(
    ("method", "body"), [("patch", {"name": "n"}), ("patch", {"nam": 1}), ("delete", {})]
)
def test_leaves_the_platforms_tags_to_the_platform(
    brand: APIClient, corp: Corp, method: str, body: dict[str, Any]
) -> None:
    tag = make_tag(corp, kind="wecom")

    for url in (f"{URL}{tag.pk}/", f"/api/v1/tag-groups/{tag.group_id}/"):
        response = getattr(brand, method)(url, body)
        assert (response.status_code, response.json()["code"]) == (409, "platform_tag")


@pytest.mark.parametrize("body", [{"name": "n", "kind": "wecom"}, {"name": "n", "group": "theirs"}])
def test_makes_no_platform_tags_either(brand: APIClient, corp: Corp, body: dict[str, Any]) -> None:
    if body.get("group"):
        body = body | {"group": make_tag(corp, kind="wecom").group_id}

    assert brand.post(URL, body).json()["code"] == "platform_tag"


def test_refuses_a_name_that_is_taken(brand: APIClient, corp: Corp) -> None:
    tag = make_tag(corp, "VIP")

    response = brand.post(URL, {"name": "VIP", "group": tag.group_id})

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/name"


def test_refuses_the_group_of_another_corp(brand: APIClient) -> None:
    theirs = make_tag(make_corp())

    response = brand.post(URL, {"name": "VIP", "group": theirs.group_id})

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/group"


def test_counts_customers_with_a_live_follow_once(
    brand: APIClient, corp: Corp, alice: Staff, bob: Staff
) -> None:
    mine, theirs = make_tag(corp), make_tag(corp, kind="wecom")
    both = make_customer(corp, staff=[alice, bob], tags=[mine, theirs])
    TagAssignment.objects.create(
        corp=corp, customer=both, tag=theirs, follow=both.follows.get(staff=bob), since=NOW
    )
    make_customer(corp, tags=[mine])
    gone = make_customer(corp, staff=[alice, bob], tags=[theirs])
    gone.follows.filter(staff=alice).update(status="gone", ended_at=NOW)

    counts = {row["id"]: row["customer_count"] for row in brand.get(URL).json()["results"]}

    assert counts == {mine.pk: 1, theirs.pk: 1}


def test_a_page_of_tags_takes_as_many_queries_as_a_row(brand: APIClient, corp: Corp) -> None:
    make_tag(corp)
    brand.get(URL)
    with CaptureQueriesContext(connection) as one:
        brand.get(URL)
    for _ in range(20):
        make_tag(corp)
    with CaptureQueriesContext(connection) as many:
        brand.get(URL)

    assert len(one) == len(many) == 3


def test_a_batch_answers_row_by_row(brand: APIClient, corp: Corp, alice: Staff) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    first = make_customer(corp, staff=alice).external_userid
    second = make_customer(corp, staff=alice, tags=[blue]).external_userid
    theirs = make_tag(make_corp())
    items: list[dict[str, Any]] = [
        {"external_userid": second, "add": [red.pk], "remove": [blue.pk]},
        {"external_userid": "nobody", "add": [red.pk]},
        {"external_userid": first, "add": [red.pk]},
        {"external_userid": first, "add": [theirs.pk], "remove": [blue.pk, 999999]},
        {"external_userid": first, "add": [blue.pk], "remove": [blue.pk]},
        {"external_userid": first},
    ]

    response = brand.post(BATCH, {"items": items})

    assert response.status_code == 207
    results = response.json()["results"]
    assert [row["external_userid"] for row in results] == [i["external_userid"] for i in items]
    assert [row["status"] for row in results] == [200, 404, 200, 422, 422, 200]
    problems = [[(e["path"], e["code"]) for e in row["errors"]] for row in results]
    assert problems == [
        [],
        [("/items/1/external_userid", "not_found")],
        [],
        [("/items/3/add/0", "unknown"), ("/items/3/remove/1", "unknown")],
        [("/items/4/remove/0", "conflict")],
        [],
    ]
    assert carried() == {(first, red.pk), (second, red.pk)}


def test_of_two_rows_about_one_customer_the_later_counts(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    customer = make_customer(corp, staff=alice).external_userid
    items = [
        {"external_userid": customer, "add": [red.pk, blue.pk]},
        {"external_userid": customer, "remove": [red.pk]},
    ]

    brand.post(BATCH, {"items": items})

    assert carried() == {(customer, blue.pk)}


def test_platform_tags_are_asked_of_the_platform(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    gold = make_tag(corp, kind="wecom")
    live = make_customer(corp, staff=alice).external_userid
    lost = make_customer(corp).external_userid
    items = [{"external_userid": each, "add": [gold.pk]} for each in (live, lost)]

    results = brand.post(BATCH, {"items": items}).json()["results"]

    assert [row["status"] for row in results] == [202, 409]
    assert results[1]["errors"][0]["code"] == "no_live_follow"
    operation = Operation.objects.get()
    assert (operation.kind, operation.payload["external_userid"]) == ("tag_customer", live)
    assert carried() == set()


def test_a_dry_run_answers_the_same_and_does_nothing(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    mine, theirs = make_tag(corp), make_tag(corp, kind="wecom")
    customer = make_customer(corp, staff=alice).external_userid
    items = [{"external_userid": customer, "add": [mine.pk, theirs.pk]}, {"external_userid": "x"}]

    dry = brand.post(f"{BATCH}?dry_run=true", {"items": items})

    assert carried() == set()
    assert not Operation.objects.exists()
    assert brand.post(f"{BATCH}?dry_run=false", {"items": items}).json() == dry.json()
    assert carried() == {(customer, mine.pk)}


def test_a_batch_takes_as_many_queries_as_a_row(brand: APIClient, corp: Corp, alice: Staff) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    people = [make_customer(corp, staff=alice).external_userid for _ in range(41)]

    def tag(names: list[str]) -> int:
        items = [{"external_userid": name, "add": [red.pk], "remove": [blue.pk]} for name in names]
        with CaptureQueriesContext(connection) as queries:
            assert brand.post(BATCH, {"items": items}).status_code == 207
        return len(queries)

    tag(people[:1])
    # One more: who is tagged is a fact of one customer, and of the corp when there are many.
    assert abs(tag(people[1:2]) - tag(people[2:])) <= 1


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_one_to_five_hundred_rows(brand: APIClient, count: int) -> None:
    items = [{"external_userid": "wm"}] * count

    response = brand.post(BATCH, {"items": items})

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/items"


def test_a_tag_lasts_and_a_group_excludes_when_told_so(brand: APIClient, corp: Corp) -> None:
    tag = brand.post(URL, {"name": "Trial", "lasts_days": 30}).json()
    group = f"/api/v1/tag-groups/{tag['group']}/"

    assert tag["lasts_days"] == 30
    assert brand.patch(f"{URL}{tag['id']}/", {"lasts_days": None}).json()["lasts_days"] is None
    assert brand.patch(f"{URL}{tag['id']}/", {"lasts_days": 0}).status_code == 422
    assert brand.patch(group, {"is_exclusive": True}).json()["is_exclusive"] is True


def test_a_batch_refuses_two_that_exclude_each_other(brand: APIClient, corp: Corp) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    TagGroup.objects.update(is_exclusive=True)
    customer = make_customer(corp).external_userid
    items = [
        {"external_userid": customer, "add": [red.pk, blue.pk]},
        {"external_userid": customer, "add": [red.pk]},
        {"external_userid": customer, "add": [blue.pk]},
    ]

    results = brand.post(BATCH, {"items": items}).json()["results"]

    assert [row["status"] for row in results] == [422, 200, 200]
    assert [(each["path"], each["code"]) for each in results[0]["errors"]] == [
        ("/items/0/add/1", "exclusive")
    ]
    # Of rows that exclude each other the later one counts.
    assert carried() == {(customer, blue.pk)}


def test_a_batch_says_until_when(brand: APIClient, corp: Corp) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    customer = make_customer(corp).external_userid
    items = [
        {"external_userid": customer, "add": [red.pk], "until": "2099-01-01T00:00:00Z"},
        {"external_userid": customer, "add": [blue.pk]},
        {"external_userid": customer, "add": [blue.pk], "until": "2020-01-01T00:00:00Z"},
    ]

    results = brand.post(BATCH, {"items": items}).json()["results"]

    assert [row["status"] for row in results] == [200, 200, 422]
    assert results[2]["errors"][0]["path"] == "/items/2/until"
    ends = dict(TagAssignment.objects.values_list("tag", "until"))
    assert ends[blue.pk] is None
    assert str(ends[red.pk]).startswith("2099-01-01")
    assert set(TagAssignment.objects.values_list("source", flat=True)) == {"api"}
