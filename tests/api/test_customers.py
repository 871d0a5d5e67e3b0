"""Customers and staff over REST."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.actions.tagging import tag_customers
from customers.api.serializers import CustomerSerializer, FollowSerializer
from customers.models import Customer, Tag
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Department, Staff
from tests.api.conftest import client_of
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_department,
    make_follow,
    make_segment,
    make_staff,
    make_stage,
    make_tag,
)

URL = "/api/v1/customers/"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["external_userid"] for row in response.json()["results"]]


def end(customer: Customer, status: str = "deleted_by_customer") -> None:
    customer.follows.update(status=status, ended_at=NOW)
    Customer.objects.filter(pk=customer.pk).update(live_follows=0, added_at=None)


def test_shows_a_customer_as_promised(
    brand: APIClient, corp: Corp, alice: Staff, bob: Staff
) -> None:
    mine, theirs = make_tag(corp, "VIP"), make_tag(corp, "Gold", kind="wecom")
    customer = make_customer(
        corp,
        staff=[alice],
        tags=[mine, theirs],
        unionid="o1",
        name="Mei",
        gender=2,
        stage=make_stage(corp, "repeat"),
        attributes={"due": "2026-12-01"},
        last_interaction_at=NOW,
    )
    make_follow(customer, bob, status="deleted_by_staff", ended_at=NOW, remark="r", state="s")
    added = "2026-11-08T12:00:00+08:00"
    vip = {"id": mine.pk, "name": "VIP", "kind": "system"}
    gold = {"id": theirs.pk, "name": "Gold", "kind": "wecom"}

    shown = brand.get(f"{URL}{customer.external_userid}/").json()

    assert shown == {
        "external_userid": customer.external_userid,
        "unionid": "o1",
        "name": "Mei",
        "type": 1,
        "gender": 2,
        "stage": "repeat",
        "tags": [vip, gold],
        "follows": [
            {
                "userid": "alice",
                "remark": "",
                "state": "",
                "status": "live",
                "added_at": added,
                "tags": [gold],
            },
            {
                "userid": "bob",
                "remark": "r",
                "state": "s",
                "status": "deleted_by_staff",
                "added_at": added,
                "tags": [],
            },
        ],
        "attributes": {"due": "2026-12-01"},
        "added_at": added,
        "last_interaction_at": "2026-11-18T12:00:00+08:00",
    }
    assert brand.get(URL).json()["results"] == [shown]
    assert (
        brand.get(f"{URL}{customer.external_userid}/follows/").json()["results"]
        == (shown["follows"])
    )
    assert list(shown) == list(CustomerSerializer().fields)
    assert list(shown["follows"][0]) == list(FollowSerializer().fields)


def test_platform_tags_of_ended_follows_are_not_the_customers(
    brand: APIClient, corp: Corp, alice: Staff
) -> None:
    gold = make_tag(corp, kind="wecom")
    customer = make_customer(corp, staff=alice, tags=[gold])
    end(customer)

    shown = brand.get(f"{URL}{customer.external_userid}/").json()

    assert shown["tags"] == []
    assert [tag["id"] for tag in shown["follows"][0]["tags"]] == [gold.pk]


@pytest.mark.parametrize(
    ("query", "found"),
    [("", "live"), ("?status=live", "live"), ("?status=lost", "lost"), ("?status=all", "both")],
)
def test_shows_the_followed_unless_asked(
    brand: APIClient, corp: Corp, alice: Staff, query: str, found: str
) -> None:
    live, lost = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    end(lost)
    wanted = {"live": [live], "lost": [lost], "both": [live, lost]}[found]

    assert ids(brand.get(URL + query)) == [each.external_userid for each in wanted]


def test_filters(brand: APIClient, corp: Corp, alice: Staff, bob: Staff) -> None:
    red, blue = make_tag(corp), make_tag(corp)
    first = make_customer(
        corp, staff=alice, tags=[red], unionid="o1", stage=make_stage(corp, "repeat")
    ).external_userid
    second = make_customer(
        corp, staff=bob, tags=[blue], gender=2, updated_at=NOW + timedelta(hours=1)
    ).external_userid
    make_customer(corp, staff=bob)
    women = make_segment(corp, {"field": "gender", "op": "eq", "value": 2})

    assert ids(brand.get(f"{URL}?external_userid={first}")) == [first]
    assert ids(brand.get(f"{URL}?external_userid=nobody")) == []
    assert ids(brand.get(f"{URL}?unionid=o1")) == [first]
    assert ids(brand.get(f"{URL}?tag={red.pk}")) == [first]
    assert ids(brand.get(f"{URL}?tag={red.pk}&tag={blue.pk}")) == [first, second]
    assert ids(brand.get(f"{URL}?tag={red.pk},{blue.pk}")) == [first, second]
    assert ids(brand.get(f"{URL}?stage=repeat")) == [first]
    assert ids(brand.get(f"{URL}?staff=alice")) == [first]
    assert ids(brand.get(f"{URL}?segment={women.pk}")) == [second]
    assert ids(brand.get(f"{URL}?tag={red.pk}&staff=bob")) == []
    since = "2026-11-18T12:30:00%2B08:00"
    assert ids(brand.get(f"{URL}?updated_since={since}")) == [second]
    # Somebody always forgets to escape the plus.
    assert ids(brand.get(f"{URL}?updated_since=2026-11-18T12:30:00+08:00")) == [second]


def test_a_changed_tag_of_ours_is_a_change(brand: APIClient, corp: Corp, alice: Staff) -> None:
    tagged, emptied, _same = (
        make_customer(corp, staff=alice, tags=[make_tag(corp)]) for _ in "abc"
    )
    (only,) = Tag.objects.filter(pk__in=emptied.tag_set.tag_ids)
    later = NOW + timedelta(hours=1)

    tag_customers([tagged], corp=corp, actor=SYSTEM, now=later, add=[make_tag(corp)])
    tag_customers([emptied], corp=corp, actor=SYSTEM, now=later, remove=[only])

    assert ids(brand.get(f"{URL}?updated_since=2026-11-18T12:30:00%2B08:00")) == [
        tagged.external_userid,
        emptied.external_userid,
    ]


def test_staff_who_follow_no_longer_do_not_count(
    brand: APIClient, corp: Corp, alice: Staff, bob: Staff
) -> None:
    customer = make_customer(corp, staff=alice)
    make_follow(customer, bob, status="transferred", ended_at=NOW)

    assert ids(brand.get(f"{URL}?staff=bob")) == []
    assert ids(brand.get(f"{URL}?staff=bob&status=all")) == [customer.external_userid]


@pytest.mark.parametrize("name", ["tag", "segment", "stage", "staff"])
def test_a_filter_by_what_does_not_exist_is_refused(
    brand: APIClient, corp: Corp, name: str
) -> None:
    other = make_corp()
    theirs: dict[str, object] = {
        "tag": make_tag(other).pk,
        "segment": make_segment(other).pk,
        "stage": make_stage(other, "special").key,
        "staff": make_staff(other).userid,
    }

    response = brand.get(f"{URL}?{name}={theirs[name]}")

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == f"/{name}"
    assert response.json()["errors"][0]["code"] == "unknown"


@pytest.mark.parametrize(
    "query",
    ["tag=x", "tag=1,", "tag=99999999999", "segment=x", "segment=0", "segment=1.5", "status=gone",
     "updated_since=yesterday", "updated_since=2026-11-18T12:30:00", "external_userid=%00"],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_refused(brand: APIClient, query: str) -> None:
    response = brand.get(f"{URL}?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["path"] == f"/{query.partition('=')[0]}"


def test_a_page_takes_as_many_queries_as_a_row(
    brand: APIClient, corp: Corp, alice: Staff, bob: Staff
) -> None:
    tags = [make_tag(corp), make_tag(corp, kind="wecom")]
    make_customer(corp, staff=[alice, bob], tags=tags, stage=make_stage(corp, "repeat"))
    brand.get(URL)  # notes the use of the key

    with CaptureQueriesContext(connection) as one:
        assert len(ids(brand.get(URL))) == 1
    for _ in range(49):
        make_customer(corp, staff=[alice, bob], tags=tags)
    with CaptureQueriesContext(connection) as many:
        assert len(ids(brand.get(URL))) == 50

    # The key, the rate; customers with stages, their tags, their follows with staff.
    assert len(one) == len(many) == 5


def test_changes_stage_and_attributes(brand: APIClient, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice, attributes={"due": "2026-12-01", "baby": 1})
    make_stage(corp, "repeat")

    response = brand.patch(
        f"{URL}{customer.external_userid}/",
        {"stage": "repeat", "attributes": {"baby": 2, "due": None, "city": "杭州"}},
    )

    assert response.status_code == 200
    assert response.json()["stage"] == "repeat"
    assert response.json()["attributes"] == {"baby": 2, "city": "杭州"}
    changed = Customer.objects.get()
    assert changed.attributes == {"baby": 2, "city": "杭州"}
    assert changed.updated_at > NOW
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {
        "customers.stage_changed",
        "customers.attributes_changed",
    }


def test_takes_a_stage_away(brand: APIClient, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice, stage=make_stage(corp, "repeat"))

    response = brand.patch(f"{URL}{customer.external_userid}/", {"stage": None})

    assert response.json()["stage"] is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "Mei"}, "/name"),
        ({"stage": "nowhere", "attributes": {"a": 1}}, "/stage"),
        ({"stage": 7.5}, "/stage"),
        ({"attributes": []}, "/attributes"),
        ({"attributes": {"a b": 1}}, "/attributes/a b"),
        ({"attributes": {"a": {"b": 1}}}, "/attributes/a"),
        ({"attributes": {"a": "x" * 1001}}, "/attributes/a"),
    ],
)
def test_refuses_other_changes_and_keeps_everything(
    brand: APIClient, corp: Corp, alice: Staff, body: dict[str, Any], path: str
) -> None:
    customer = make_customer(corp, staff=alice)

    response = brand.patch(f"{URL}{customer.external_userid}/", body)

    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert Customer.objects.get().attributes == {}
    assert Customer.objects.get().updated_at == NOW


def test_looks_customers_up(brand: APIClient, corp: Corp, alice: Staff) -> None:
    by_id = make_customer(corp, staff=alice).external_userid
    by_unionid = make_customer(corp, staff=alice, unionid="o1").external_userid
    theirs = make_customer(make_corp()).external_userid

    response = client_of(corp, "customers:read").post(
        f"{URL}lookup/",
        {"external_userids": [by_id, theirs], "unionids": ["o1", "o2"], "phones": ["13800000000"]},
    )

    assert ids(response) == [by_id, by_unionid]
    assert response.json()["missing"] == [theirs, "o2", "13800000000"]


@pytest.mark.parametrize(
    "body", [{}, {"external_userids": []}, {"external_userids": ["a"] * 60, "unionids": ["b"] * 41}]
)
def test_looks_up_one_to_a_hundred(brand: APIClient, body: dict[str, Any]) -> None:
    assert brand.post(f"{URL}lookup/", body).status_code == 422


def test_explains_why_somebody_is_in_a_segment(brand: APIClient, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice, gender=1)
    women = make_segment(corp, {"all": [{"field": "gender", "op": "eq", "value": 2}]})
    url = f"{URL}{customer.external_userid}/explain/"

    explained = brand.get(f"{url}?segment={women.pk}").json()

    assert explained["matched"] is False
    assert explained["first_failing"] == "/rule/all/0"
    assert brand.get(url).status_code == 400
    assert brand.get(f"{url}?segment=999999").status_code == 422


def test_shows_staff(brand: APIClient, corp: Corp) -> None:
    sales = make_department(corp)
    closed = make_department(corp)
    Department.objects.filter(pk=closed.pk).update(deleted_at=NOW)
    carol = make_staff(corp, userid="carol", name="Carol", departments=[sales, closed])
    dave = make_staff(corp, userid="dave", status="left")
    make_customer(corp, staff=[carol, dave])
    make_customer(corp, staff=carol)
    end(make_customer(corp, staff=carol))

    response = brand.get("/api/v1/staff/")

    assert response.json()["results"] == [
        {
            "userid": "carol",
            "name": "Carol",
            "departments": [sales.department_id],
            "status": "active",
            "leaving_since": None,
            "customer_count": 2,
        },
        {
            "userid": "dave",
            "name": dave.name,
            "departments": [],
            "status": "left",
            "leaving_since": None,
            "customer_count": 1,
        },
    ]
    assert brand.get("/api/v1/staff/carol/").json() == response.json()["results"][0]
    filtered = brand.get(f"/api/v1/staff/?department={sales.department_id}&status=active")
    assert [row["userid"] for row in filtered.json()["results"]] == ["carol"]


def test_a_page_of_staff_takes_as_many_queries_as_a_row(brand: APIClient, corp: Corp) -> None:
    department = make_department(corp)
    make_staff(corp, departments=[department])
    brand.get("/api/v1/staff/")

    with CaptureQueriesContext(connection) as one:
        brand.get("/api/v1/staff/")
    for _ in range(20):
        make_staff(corp, departments=[department])
    with CaptureQueriesContext(connection) as many:
        brand.get("/api/v1/staff/")

    assert len(one) == len(many) == 4


def test_times_are_told_with_their_offset(brand: APIClient, corp: Corp, alice: Staff) -> None:
    added_at = datetime(2026, 1, 1, 20, 30, 15, 123000, tzinfo=UTC)
    make_customer(corp, staff=alice, added_at=added_at)

    row = brand.get(URL).json()["results"][0]

    assert row["added_at"] == "2026-01-02T04:30:15.123000+08:00"
