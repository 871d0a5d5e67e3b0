"""Orders and identities over REST."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer, Identity, Order
from scrm.tenancy.models import Corp
from tests.api.conftest import client_of
from tests.factories import NOW, make_corp, make_customer, make_identity, make_order

URL = "/api/v1/orders/"
BATCH = "/api/v1/orders/batch/"
ONE = "/api/v1/orders/tmall/A-1/"


def body(**fields: Any) -> dict[str, Any]:
    return {
        "external_userid": "wm1",
        "status": "paid",
        "amount_fen": 19_900,
        "paid_at": "2026-11-01T10:00:00+08:00",
        "items": [{"sku": "A"}],
    } | fields


@pytest.fixture
def wang(corp: Corp) -> Customer:
    return make_customer(corp, external_userid="wm1", live_follows=1)


def paths(response: Any) -> list[tuple[str, str]]:
    return [(error["path"], error["code"]) for error in response.json()["errors"]]


def test_puts_an_order_and_reads_it(brand: APIClient, wang: Customer) -> None:
    put = brand.put(ONE, body())

    assert put.status_code == 201
    assert put.json() == brand.get(ONE).json() | {"outcome": "created"}
    shown = brand.get(ONE).json()
    assert shown["paid_at"] == "2026-11-01T10:00:00+08:00"
    assert (shown["matched"], shown["external_userid"]) == (True, "wm1")
    assert (shown["amount_fen"], shown["refunded_fen"]) == (19_900, 0)
    assert brand.get(URL).json()["results"] == [shown]


def test_puts_it_again(brand: APIClient, wang: Customer) -> None:
    brand.put(ONE, body(changed_at="2026-11-02T10:00:00+08:00"))
    same = brand.put(ONE, body(changed_at="2026-11-02T10:00:00+08:00"))
    late = brand.put(ONE, body(status="shipped", changed_at="2026-11-01T10:00:00+08:00"))
    later = brand.put(
        ONE,
        body(status="refunded", refunded_fen=5_000, changed_at="2026-11-05T10:00:00+08:00"),
    )

    assert [each.status_code for each in (same, late, later)] == [200, 200, 200]
    assert [each.json()["outcome"] for each in (same, late, later)] == [
        "unchanged", "stale", "updated",
    ]  # fmt: skip
    assert late.json()["status"] == "paid"
    assert later.json()["refunded_fen"] == 5_000


def test_an_order_of_a_stranger_waits(brand: APIClient, corp: Corp, wang: Customer) -> None:
    nobody = {"external_userid": None, "phone": "138 1234 5678"}
    assert brand.put(ONE, body(**nobody)).json()["matched"] is False

    linked = brand.post(
        "/api/v1/customers/wm1/identities/", {"kind": "phone", "value": "13812345678"}
    )

    assert linked.status_code == 201
    assert brand.get(ONE).json()["external_userid"] == "wm1"


def test_a_dry_run_tells_and_writes_nothing(brand: APIClient, wang: Customer) -> None:
    put = brand.put(f"{ONE}?dry_run=true", body())
    batch = brand.post(f"{BATCH}?dry_run=true", {"items": [body(shop_id="s", order_no="1")]})

    assert (put.status_code, put.json()["outcome"]) == (201, "created")
    assert batch.json()["results"][0]["outcome"] == "created"
    assert not Order.objects.exists()


def test_says_what_is_wrong_with_an_order(brand: APIClient, wang: Customer) -> None:
    response = brand.put(ONE, body(amount_fen="1", status="x", nothing=1, shop_id="jd"))

    assert response.status_code == 422
    assert paths(response) == [("/shop_id", "conflict")]
    response = brand.put(ONE, body(amount_fen="1", status="x", nothing=1))
    assert set(paths(response)) == {
        ("/nothing", "unknown"), ("/status", "invalid_choice"), ("/amount_fen", "invalid"),
    }  # fmt: skip
    assert brand.put(ONE, [body()]).status_code == 422
    assert brand.put("/api/v1/orders/tmall/%00/", body()).status_code == 422
    assert brand.put(f"/api/v1/orders/tmall/{'9' * 65}/", body()).status_code == 422


def test_a_batch_answers_row_by_row(brand: APIClient, wang: Customer) -> None:
    rows = [
        body(shop_id="tmall", order_no="1"),
        body(shop_id="tmall", order_no="2", amount_fen=-1),
        body(shop_id="tmall", order_no="3", external_userid="stranger"),
    ]

    response = brand.post(BATCH, {"items": rows})

    assert response.status_code == 207
    results = response.json()["results"]
    assert [(each["order_no"], each["status"], each["matched"]) for each in results] == [
        ("1", 201, True), ("2", 422, False), ("3", 201, False),
    ]  # fmt: skip
    assert results[1]["errors"][0]["path"] == "/items/1/amount_fen"
    assert brand.post(BATCH, rows).json()["results"][0]["outcome"] == "unchanged"


def test_a_batch_has_five_hundred_rows(brand: APIClient, wang: Customer) -> None:
    rows = [body(shop_id="s", order_no=str(number)) for number in range(501)]

    assert brand.post(BATCH, {"items": rows}).status_code == 422
    assert brand.post(BATCH, {"items": []}).status_code == 422
    assert brand.post(BATCH, {"items": rows[:500]}).status_code == 207
    assert Order.objects.count() == 500


def test_the_same_call_twice_is_one_act(brand: APIClient, wang: Customer) -> None:
    headers = {"Idempotency-Key": "k"}
    first = brand.put(ONE, body(), headers=headers)
    again = brand.put(ONE, body(), headers=headers)

    assert again["Idempotent-Replayed"] == "true"
    assert again.content == first.content
    # What is put need not be there when the key is no good.
    bad = brand.put("/api/v1/orders/tmall/new/", body(), headers={"Idempotency-Key": ""})
    assert bad.status_code == 400


def test_filters(brand: APIClient, corp: Corp, wang: Customer) -> None:
    make_order(corp, customer=wang, order_no="old", received_at=NOW - timedelta(days=9))
    make_order(corp, order_no="new", status="closed")
    make_order(make_corp(), order_no="theirs")

    def found(query: str) -> list[str]:
        return [each["order_no"] for each in brand.get(f"{URL}?{query}").json()["results"]]

    assert found("") == ["new", "old"]
    assert found("external_userid=wm1") == found("matched=true") == ["old"]
    assert found("status=closed") == found("matched=false") == ["new"]
    assert found("order_no=old&shop_id=tmall") == ["old"]
    assert found("received_since=2026-11-17T00:00:00%2B08:00") == ["new"]
    assert found("changed_since=2026-12-17T00:00:00%2B08:00") == []
    assert brand.get(f"{URL}?status=lost").status_code == 400


def test_scopes(corp: Corp, wang: Customer) -> None:
    reader, writer = client_of(corp, "orders:read"), client_of(corp, "orders:write")

    assert reader.put(ONE, body()).status_code == 403
    assert writer.put(ONE, body()).status_code == 201
    assert writer.get(ONE).status_code == 403
    assert reader.get(ONE).status_code == 200


def test_an_order_of_another_corp_is_nothing(brand: APIClient) -> None:
    make_order(make_corp(), shop_id="tmall", order_no="A-1")

    assert brand.get(ONE).status_code == 404


def test_looks_customers_up_by_phone_and_member_number(brand: APIClient, wang: Customer) -> None:
    make_identity(wang, "phone", "13812345678")
    make_identity(wang, "member_id", "M1")

    asked = {"phones": ["138-1234-5678", "x"], "member_ids": ["M1", "M2"]}
    response = brand.post("/api/v1/customers/lookup/", asked)

    assert [each["external_userid"] for each in response.json()["results"]] == ["wm1"]
    assert response.json()["missing"] == ["x", "M2"]


IDENTITIES = "/api/v1/customers/wm1/identities/"


def test_phones_are_masked_without_the_scope(brand: APIClient, corp: Corp, wang: Customer) -> None:
    make_identity(wang, "phone", "13812345678")

    def shown(client: APIClient) -> str:
        return str(client.get(IDENTITIES).json()["results"][0]["value"])

    assert shown(brand) == "+8613812345678"
    assert shown(client_of(corp, "customers:read")) == "138****5678"
    assert shown(client_of(corp, "customers:read,customers:pii")) == "+8613812345678"


def test_an_identity_is_one_customer_s(brand: APIClient, corp: Corp, wang: Customer) -> None:
    make_identity(make_customer(corp, external_userid="wm2"), "phone", "13812345678")

    response = brand.post(IDENTITIES, {"kind": "phone", "value": "13812345678"})

    assert (response.status_code, response.json()["code"]) == (409, "identity_taken")
    assert "wm2" in response.json()["detail"]
    assert brand.post(IDENTITIES, {"kind": "phone", "value": "12"}).status_code == 422
    assert paths(brand.post(IDENTITIES, {"kind": "phone", "value": "12"}))[0][0] == "/value"


def test_moves_an_identity_and_back(brand: APIClient, corp: Corp, wang: Customer) -> None:
    taker = make_customer(corp, external_userid="wm2")
    identity = make_identity(wang, "phone", "13812345678")
    brand.put(ONE, body(external_userid=None, phone="13812345678"))
    mine, hers = f"{IDENTITIES}{identity.pk}/", f"/api/v1/customers/wm2/identities/{identity.pk}/"

    assert brand.post(f"{mine}undo/").json()["code"] == "nothing_to_undo"
    assert brand.post(f"{mine}move/", {"external_userid": "nobody"}).status_code == 422
    moved = brand.post(f"{mine}move/", {"external_userid": "wm2"})
    assert (moved.status_code, moved.json()["orders"]) == (200, 1)
    assert Order.objects.get().customer == taker
    assert brand.post(f"{mine}undo/").status_code == 404
    assert brand.post(f"{hers}undo/").status_code == 200
    assert Order.objects.get().customer == wang

    assert brand.delete(mine).status_code == 204
    assert not Identity.objects.exists()
    assert Order.objects.get().customer == wang
