"""Attachments as the platform spells them, with the ids it knows our files by."""

from collections.abc import Callable, Sequence
from typing import Any

from scrm.channels.errors import ChannelError, NotReady
from scrm.channels.wecom.asking import Json
from scrm.channels.wecom.errcodes import MEDIA_GONE
from scrm.channels.wecom.media import MediaDesk


def spelled(ours: dict[str, Any]) -> dict[str, Any]:
    """`{"kind": "link", "title": …}` as `{"msgtype": "link", "link": {…}}`."""
    kind = ours["kind"]
    return {"msgtype": kind, kind: {name: text for name, text in ours.items() if name != "kind"}}


def asked_with_media(
    desk: MediaDesk, attachments: Sequence[dict[str, Any]], ask: Callable[[list[Json]], Json]
) -> Json:
    """Ask with the files' ids of now; those the platform has forgotten are uploaded again.

    Raises NotReady until they are there.
    """
    ready = [spelled(each) for each in map(desk.spelled, attachments)]
    try:
        return ask(ready)
    except ChannelError as error:
        if error.errcode not in MEDIA_GONE or not desk.forget(attachments):
            raise
        raise NotReady(error.detail, errcode=error.errcode) from None
