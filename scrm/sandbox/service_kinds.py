"""What messages in customer service look like: those of people, and those the API may send."""

import re
from collections.abc import Callable
from typing import Any

from scrm.sandbox.errors import Refused

TEXT_BYTES = 2048
MSGID = re.compile(r"[0-9a-zA-Z_-]{0,32}")
CLICKABLE = 10
MENU_ITEMS = 50

# kind → a body in which `text` takes the place of its most telling words
SAMPLES: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda text: {"content": text},
    "image": lambda text: {"media_id": "kfimage0001"},
    "voice": lambda text: {"media_id": "kfvoice0001"},
    "video": lambda text: {"media_id": "kfvideo0001"},
    "file": lambda text: {"media_id": "kffile0001"},
    "location": lambda text: {
        "latitude": 31.2304,
        "longitude": 121.4737,
        "name": text or "门店",
        "address": "上海市黄浦区",
    },
    "link": lambda text: {
        "title": text or "商品页",
        "desc": "",
        "url": "https://example.com/item",
        "pic_url": "https://example.com/item.png",
    },
    "business_card": lambda text: {"userid": text or "advisor"},
    "miniprogram": lambda text: {
        "title": text or "会员中心",
        "appid": "wx0000000000000000",
        "pagepath": "pages/index",
        "thumb_media_id": "kfthumb0001",
    },
    "msgmenu": lambda text: {"head_content": text or "请选择", "list": [], "tail_content": ""},
    "channels_shop_product": lambda text: {
        "product_id": "1001",
        "head_image": "https://example.com/head.png",
        "title": text or "三段奶粉",
        "sales_price": "19900",
        "shop_nickname": "品牌小店",
        "shop_head_image": "https://example.com/shop.png",
    },
    "channels_shop_order": lambda text: {
        "order_id": "2001",
        "product_titles": text or "三段奶粉",
        "price_wording": "¥199.00",
        "state": "待发货",
        "image_url": "https://example.com/order.png",
        "shop_nickname": "品牌小店",
    },
    "merged_msg": lambda text: {
        "title": "聊天记录",
        "item": [
            {
                "send_time": 1_780_000_000,
                "msgtype": "text",
                "sender_name": "客户",
                "msg_content": '{"text":{"content":"' + (text or "昨天的事") + '"}}',
            }
        ],
    },
    "channels": lambda text: {"sub_type": 1, "nickname": "品牌号", "title": text or "直播回放"},
    "meeting": lambda text: {},
    "calendar": lambda text: {},
    "note": lambda text: {},
}


def _check_text(body: dict[str, Any]) -> None:
    content = _text(body, "content")
    if not content:
        raise Refused(44004)
    if len(content.encode()) > TEXT_BYTES:
        raise Refused(45002, "text.content")


def _check_media(body: dict[str, Any]) -> None:
    if not _text(body, "media_id"):
        raise Refused(41006)


def _check_link(body: dict[str, Any]) -> None:
    _need(body, "title", "url")
    if not _text(body, "thumb_media_id"):
        raise Refused(41006)


def _check_miniprogram(body: dict[str, Any]) -> None:
    _need(body, "appid", "pagepath")
    if not _text(body, "thumb_media_id"):
        raise Refused(41006)


def _check_location(body: dict[str, Any]) -> None:
    for name, most in (("latitude", 90), ("longitude", 180)):
        value = body.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > most:
            raise Refused(40058, name)


def _check_acquisition_link(body: dict[str, Any]) -> None:
    _need(body, "link_url")


def _check_menu(body: dict[str, Any]) -> None:
    check_menu(body, MENU_ITEMS)


def check_menu(body: dict[str, Any], most: int) -> None:
    """Refuse a menu with more items than `most`, or more than ten that can be clicked."""
    items = body.get("list")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(40058, "msgmenu.list")
    if not 1 <= len(items) <= most:
        raise Refused(40058, f"msgmenu.list has {len(items)} items")
    for item in items:
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in {"click", "view", "miniprogram", "text"}:
            raise Refused(40058, "msgmenu.list.type")
        if not isinstance(item.get(kind), dict):
            raise Refused(40063, f"msgmenu.list.{kind}")
    if sum(1 for item in items if item["type"] != "text") > CLICKABLE:
        raise Refused(40058, "msgmenu.list has too many items to click")


def _need(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if not _text(body, name):
            raise Refused(40063, name)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise Refused(40058, name)
    return value


# kind the API may send → what refuses a body that is not as documented
SENDABLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "text": _check_text,
    "image": _check_media,
    "voice": _check_media,
    "video": _check_media,
    "file": _check_media,
    "link": _check_link,
    "miniprogram": _check_miniprogram,
    "msgmenu": _check_menu,
    "location": _check_location,
    "ca_link": _check_acquisition_link,
}
