from typing import Any

import pytest

from scrm.sandbox.formats import paint
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_product_album"
GET = "externalcontact/get_product_album"
LIST = "externalcontact/get_product_album_list"
UPDATE = "externalcontact/update_product_album"
DELETE = "externalcontact/delete_product_album"


def picture(api: Api, scene: str = "2") -> dict[str, Any]:
    query = {"media_type": "image", "attachment_type": scene}
    answer = api.upload("media/upload_attachment", paint(5, 5), "a.png", **query)
    return {"type": "image", "image": {"media_id": answer["media_id"]}}


@pytest.fixture
def product(api: Api) -> dict[str, Any]:
    return {
        "description": "二段奶粉 800 克",
        "price": 26_800,
        "product_sn": "NF2800",
        "attachments": [picture(api)],
    }


def test_adds_changes_and_deletes_a_product(
    api: Api, sandbox: SandboxServer, product: dict[str, Any]
) -> None:
    product_id = api.ok(ADD, **product)["product_id"]
    named = {"product_id": product_id}

    stored = api.ok(GET, **named)["product"]
    assert stored == product | named | {"create_time": stored["create_time"]}
    api.ok(UPDATE, **named, price=19_900)
    assert api.ok(GET, **named)["product"] == stored | {"price": 19_900}
    (row,) = api.ok(LIST)["product_list"]
    assert row == product | named | {"price": 19_900}
    api.ok(DELETE, **named)
    assert api.ok(LIST)["product_list"] == []
    assert [api.post(path, **named)["errcode"] for path in (GET, UPDATE, DELETE)] == [41074] * 3
    kinds = [entry.kind for entry in sandbox.entries("product")]
    assert kinds == ["product.added", "product.updated", "product.deleted"]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"description": ""}, 41087),
        ({"description": "长" * 300}, 0),
        ({"description": "长" * 301}, 41087),
        ({"price": None}, 40063),
        ({"price": 5_000_000}, 0),
        ({"price": 5_000_001}, 41086),
        ({"price": -1}, 41086),
        ({"price": "free"}, 40058),
        ({"product_sn": "A" * 128}, 0),
        ({"product_sn": "A" * 129}, 41085),
        ({"product_sn": "A-1"}, 41085),
        ({"product_sn": "编号"}, 41085),
        ({"attachments": []}, 40063),
        ({"attachments": ["own"] * 9}, 0),
        ({"attachments": ["own"] * 10}, 41064),
        ({"attachments": [{"type": "video", "video": {}}]}, 41065),
        ({"attachments": [{"type": "image", "image": {}}]}, 41006),
        ({"attachments": [{"type": "image", "image": {"media_id": "unknown"}}]}, 40007),
        ({"attachments": ["of a moment"]}, 40007),
    ],
)
def test_checks_every_field(
    api: Api,
    sandbox: SandboxServer,
    product: dict[str, Any],
    changes: dict[str, Any],
    errcode: int,
) -> None:
    pictures = {"own": product["attachments"][0], "of a moment": picture(api, "1")}
    body = product | changes
    body["attachments"] = [
        pictures[each] if isinstance(each, str) else each for each in body["attachments"]
    ]

    assert api.post(ADD, **body)["errcode"] == errcode
    assert len(sandbox.world.products) == (not errcode)


def test_a_wrong_change_changes_nothing(api: Api, product: dict[str, Any]) -> None:
    product_id = api.ok(ADD, **product)["product_id"]

    answer = api.post(UPDATE, product_id=product_id, price=1, product_sn="no-thing")

    assert answer["errcode"] == 41085
    assert api.ok(GET, product_id=product_id)["product"]["price"] == product["price"]


def test_pages_and_limits_the_album(
    api: Api, sandbox: SandboxServer, product: dict[str, Any]
) -> None:
    for number in range(103):
        api.ok(ADD, **(product | {"product_sn": f"N{number}"}))

    assert [len(page) for page in api.walk(LIST, "product_list", limit=100)] == [100, 3]
    assert [len(page) for page in api.walk(LIST, "product_list", limit=101)] == [50, 50, 3]
    sandbox.options.product_limit = 103
    assert api.post(ADD, **product)["errcode"] == 41202


def test_refuses_products_that_never_were(api: Api) -> None:
    for path in (GET, UPDATE, DELETE):
        assert api.post(path)["errcode"] == 41075
        assert api.post(path, product_id="pdx")["errcode"] == 41075
