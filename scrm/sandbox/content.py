"""What may be sent: a text and attachments within the platform's limits."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.errors import Refused
from scrm.sandbox.media import check_medium, check_picture
from scrm.sandbox.sending import Content

TEXT_BYTES = 4000
ATTACHMENTS = 9

# kind → field → (required, longest in bytes)
FIELDS: dict[str, dict[str, tuple[bool, int]]] = {
    "image": {"media_id": (False, 512), "pic_url": (False, 2048)},
    "link": {
        "title": (True, 128),
        "picurl": (False, 2048),
        "desc": (False, 512),
        "url": (True, 2048),
    },
    "miniprogram": {
        "title": (True, 64),
        "pic_media_id": (True, 512),
        "appid": (True, 512),
        "page": (True, 2048),
    },
    "video": {"media_id": (True, 512)},
    "file": {"media_id": (True, 512)},
}


def read_content(call: Call) -> Content:
    """Return text and attachments as given; at least one of them is required."""
    text = call.mapping("text").get("content") or ""
    attachments: Any = call.parameters.get("attachments") or []
    if not text and not attachments:
        raise Refused(40063, "text or attachments")
    if not isinstance(text, str) or not isinstance(attachments, list):
        raise Refused(40058, "text or attachments")
    if len(text.encode()) > TEXT_BYTES:
        raise Refused(45002, "text.content")
    if len(attachments) > ATTACHMENTS:
        raise Refused(41064)
    for attachment in attachments:
        check_attachment(attachment)
    check_media(call, attachments)
    return Content(text, attachments)


def check_media(call: Call, attachments: list[dict[str, Any]]) -> None:
    """Refuse attachments whose media are unknown or expired."""
    for attachment in attachments:
        kind = attachment["msgtype"]
        body = attachment[kind]
        if kind == "miniprogram":
            check_medium(call, body["pic_media_id"], "image")
        elif body.get("media_id"):
            check_medium(call, body["media_id"], kind)
        elif kind == "image":
            check_picture(call, body["pic_url"])


def check_attachment(attachment: object) -> None:
    """Refuse what is no attachment of a documented kind within its limits."""
    kind = attachment.get("msgtype") if isinstance(attachment, dict) else None
    if not isinstance(attachment, dict) or not isinstance(kind, str) or kind not in FIELDS:
        raise Refused(41065, str(kind))
    body = attachment.get(kind)
    if not isinstance(body, dict):
        raise Refused(40063, kind)
    for name, (is_required, longest) in FIELDS[kind].items():
        _check_field(body.get(name), name, longest, is_required=is_required)
    if kind == "image" and not (body.get("media_id") or body.get("pic_url")):
        raise Refused(41006)


def _check_field(value: object, name: str, longest: int, *, is_required: bool) -> None:
    if value is None or value == "":
        if is_required:
            raise Refused(41006 if name.endswith("media_id") else 40063, name)
        return
    if not isinstance(value, str):
        raise Refused(40058, name)
    if len(value.encode()) > longest:
        raise Refused(45002, name)
