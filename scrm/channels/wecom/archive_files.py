"""Which files an archived message brings: its own, and those of messages inside it [doc 91774]."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from scrm.channels.base import ArchivedFile
from scrm.channels.wecom.parsing import Json, number, text

# As deep as a forwarded chat may hold forwarded chats, with their lists.
_DEPTH = 24
_SIZES = ("filesize", "voice_size", "imagesize")


def files_in(payload: str) -> Sequence[ArchivedFile]:
    """The files of a payload, in their order, each once."""
    return tuple(dict.fromkeys(_files_of(_parsed(payload), _DEPTH)))


def _files_of(value: Any, depth: int) -> Iterator[ArchivedFile]:
    if depth <= 0:
        return
    if isinstance(value, list):
        for each in value:
            yield from _files_of(each, depth - 1)
    elif isinstance(value, dict):
        if file_id := text(value.get("sdkfileid")):
            yield _file_of(file_id, value)
        for name, each in value.items():
            # A message inside another is JSON in a string.
            inner = _parsed(each) if name == "content" and isinstance(each, str) else each
            yield from _files_of(inner, depth - 1)


def _file_of(file_id: str, body: Json) -> ArchivedFile:
    size = next((number(body[name]) for name in _SIZES if name in body), 0)
    return ArchivedFile(file_id, text(body.get("md5sum")), size, text(body.get("filename")))


def _parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
