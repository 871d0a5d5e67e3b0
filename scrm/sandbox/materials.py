"""A text with one thing beside it, as conclusions and group welcomes have it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.content import check_attachment, check_media
from scrm.sandbox.errors import Refused
from scrm.sandbox.sending import Content
from scrm.sandbox.world import World


def read_material(
    call: Call, body: dict[str, Any], kinds: Sequence[str], *, text_bytes: int
) -> Content:
    """Return what was given: the text, and of several things the first kind that there is."""
    text = body.get("text") or {}
    content = text.get("content") or "" if isinstance(text, dict) else None
    if not isinstance(content, str):
        raise Refused(40058, "text")
    if len(content.encode()) > text_bytes:
        raise Refused(45002, "text.content")
    kind = next((kind for kind in kinds if body.get(kind)), None)
    if kind is None:
        return Content(content, [])
    attachment = {"msgtype": kind, kind: body[kind]}
    check_attachment(attachment)
    check_media(call, [attachment])
    if kind == "image":
        _keep_picture(call.world, body[kind])
    return Content(content, [attachment])


def describe_material(world: World, content: Content) -> dict[str, Any]:
    """Return the material as the platform shows it, where a picture is an address."""
    fields: dict[str, Any] = {"text": {"content": content.text}} if content.text else {}
    for attachment in content.attachments:
        kind = attachment["msgtype"]
        body = attachment[kind]
        fields[kind] = {"pic_url": _picture_url(world, body)} if kind == "image" else body
    return fields


def _keep_picture(world: World, image: dict[str, str]) -> None:
    """Keep a picture longer than its medium lasts, for it is shown by its address from now on."""
    medium = world.media.media.get(image.get("media_id", ""))
    if medium is not None:
        world.media.pictures[_picture_name(medium.media_id)] = replace(medium, is_kept=True)


def _picture_url(world: World, image: dict[str, str]) -> str:
    if not image.get("media_id"):
        return image["pic_url"]
    return f"{world.root_url}pictures/{_picture_name(image['media_id'])}"


def _picture_name(media_id: str) -> str:
    return hashlib.sha256(media_id.encode()).hexdigest()[:32]
