"""The album of products that members show to customers."""

import re
from collections.abc import Callable
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.cursors import take_page
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.media import Scene, check_medium
from scrm.sandbox.products import Product

DESCRIPTION_LENGTH = 300
DEAREST = 5_000_000
NUMBER = re.compile(r"[0-9A-Za-z]{0,128}", re.ASCII)
PICTURES = 9


@endpoint("POST", "externalcontact/add_product_album")
def add_product(call: Call) -> Answer:
    world = call.world
    if len(_living(call)) >= world.options.product_limit:
        raise Refused(41202)
    product = Product(
        "",
        _read_description(call),
        _read_price(call),
        _read_number(call),
        _read_pictures(call),
        call.now,
    )
    product.product_id = world.mint_id("pd")
    world.products[product.product_id] = product
    _note(call, "added", product)
    return {"product_id": product.product_id}


@endpoint("POST", "externalcontact/get_product_album")
def get_product(call: Call) -> Answer:
    product = _find(call)
    return {"product": _describe(product) | {"create_time": product.create_time}}


@endpoint("POST", "externalcontact/get_product_album_list")
def list_products(call: Call) -> Answer:
    limit = call.page_size(default=50, maximum=100, clamp=False)
    page, next_cursor = take_page(call, _living(call), limit)
    return {"next_cursor": next_cursor, "product_list": [_describe(product) for product in page]}


@endpoint("POST", "externalcontact/update_product_album")
def update_product(call: Call) -> Answer:
    """Change what is given; everything is checked before anything changes."""
    product = _find(call)
    changes = {n: read(call) for n, read in _READERS.items() if n in call.parameters}
    for name, value in changes.items():
        setattr(product, name, value)
    _note(call, "updated", product)
    return {}


@endpoint("POST", "externalcontact/delete_product_album")
def delete_product(call: Call) -> Answer:
    product = _find(call)
    product.is_deleted = True
    _note(call, "deleted", product)
    return {}


def _living(call: Call) -> list[Product]:
    return [product for product in call.world.products.values() if not product.is_deleted]


def _find(call: Call) -> Product:
    product = call.world.products.get(call.text("product_id", missing=41075))
    if product is None:
        raise Refused(41075)
    if product.is_deleted:
        raise Refused(41074)
    return product


def _read_description(call: Call) -> str:
    description = call.text("description", missing=41087)
    if len(description) > DESCRIPTION_LENGTH:
        raise Refused(41087, f"exceeds {DESCRIPTION_LENGTH} characters")
    return description


def _read_price(call: Call) -> int:
    price = call.integer("price")
    if not 0 <= price <= DEAREST:
        raise Refused(41086, str(price))
    return price


def _read_number(call: Call) -> str:
    number = call.optional_text("product_sn")
    if NUMBER.fullmatch(number) is None:
        raise Refused(41085, number)
    return number


def _read_pictures(call: Call) -> list[dict[str, Any]]:
    attachments = call.parameters.get("attachments")
    if not attachments:
        raise Refused(40063, "attachments")
    if not isinstance(attachments, list):
        raise Refused(40058, "attachments")
    if len(attachments) > PICTURES:
        raise Refused(41064)
    return [_read_picture(call, attachment) for attachment in attachments]


def _read_picture(call: Call, attachment: object) -> dict[str, Any]:
    if not isinstance(attachment, dict) or attachment.get("type") != "image":
        raise Refused(41065)
    image = attachment.get("image")
    media_id = image.get("media_id") if isinstance(image, dict) else None
    if not media_id:
        raise Refused(41006)
    if not isinstance(media_id, str):
        raise Refused(40058, "media_id")
    check_medium(call, media_id, "image", scene=Scene.ALBUM)
    return {"type": "image", "image": {"media_id": media_id}}


_READERS: dict[str, Callable[[Call], Any]] = {
    "description": _read_description,
    "price": _read_price,
    "product_sn": _read_number,
    "attachments": _read_pictures,
}


def _describe(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.product_id,
        "description": product.description,
        "price": product.price,
        "product_sn": product.product_sn,
        "attachments": product.attachments,
    }


def _note(call: Call, what: str, product: Product) -> None:
    call.world.ledger.append(
        f"product.{what}",
        product_id=product.product_id,
        description=product.description,
        price=product.price,
    )
