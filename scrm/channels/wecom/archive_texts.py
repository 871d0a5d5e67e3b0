"""What can be read in an archived message, field by field of each kind [doc 91774].

Never the JSON as it stands: a key such as "content" is nobody's word.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from scrm.channels.wecom.parsing import Json, items, objects, text

# Longer ones are not kept: 50 KB is the size of what the largest groups bring.
_LONGEST_PAYLOAD = 200_000
# A forwarded chat can hold forwarded chats.
_DEPTH = 8

# Kind → the key of its body, and the fields a person reads. Kinds that are not here (image, voice,
# video, emotion, calls) have no text; what a picture or a voice says is not checked.
_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "text": ("text", ("content",)),
    "markdown": ("info", ("content",)),
    "link": ("link", ("title", "description", "link_url")),
    "weapp": ("weapp", ("title", "description", "displayname")),
    "file": ("file", ("filename",)),
    "card": ("card", ("corpname",)),
    "location": ("location", ("title", "address")),
    "todo": ("todo", ("title", "content")),
    "vote": ("vote", ("votetitle", "voteitem")),
    "redpacket": ("redpacket", ("wish",)),
    "external_redpacket": ("redpacket", ("wish",)),
    "meeting": ("meeting", ("topic", "address", "remarks")),
    "meeting_notification": ("info", ("content",)),
    "docmsg": ("doc", ("title", "link_url")),
    "calendar": ("calendar", ("title", "place", "remarks")),
    "sphfeed": ("sphfeed", ("sph_name", "feed_desc")),
    "voip_doc_share": ("voip_doc_share", ("filename",)),
    "qydiskfile": ("info", ("filename", "url")),
    "solitaire": ("info", ("solitaire_content",)),
}
# Nothing in them to read.
_WORDLESS = {"image", "voice", "video", "emotion", "voiptext"}
# Not anybody's words, but what happened to the chat.
_NEWS = {"revoke", "agree", "disagree"}
# Their text is all there is to them.
_NOTHING_MORE = {"text", "markdown"} | _NEWS


def text_of(message: Json) -> str:
    """Everything a person reads in the message, one field a line."""
    return "\n".join(_lines_of_message(message))


def is_known(message: Json) -> bool:
    """Whether we know what messages of its kind look like; a switch of corps has none."""
    kind = text(message.get("msgtype"))
    return not kind or kind in _FIELDS or kind in _LISTS or kind in _WORDLESS | _NEWS


def payload_of(message: Json) -> str:
    """The message as the platform gave it, where its text does not say all: files, figures."""
    kind = text(message.get("msgtype"))
    if not kind or kind in _NOTHING_MORE:
        return ""
    # Half an emoji cannot be encoded.
    payload = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace").decode()
    return payload if len(payload) <= _LONGEST_PAYLOAD else ""


def _lines_of_message(message: Json) -> Iterator[str]:
    kind = text(message.get("msgtype"))
    if kind in _LISTS:
        key, lines_of = _LISTS[kind]
        yield from lines_of(_object(message.get(key)), _DEPTH)
    elif kind in _FIELDS:
        yield from _lines_of_body(kind, _object(message.get(_FIELDS[kind][0])))


def _lines_of_body(kind: str, body: Json) -> Iterator[str]:
    for name in _FIELDS[kind][1]:
        yield from filter(None, (text(value).strip() for value in items(body.get(name))))


def _lines_of_news(body: Json, _depth: int) -> Iterator[str]:
    for article in objects(body.get("item")):
        names = ("title", "description", "url")
        yield from filter(None, (text(article.get(name)).strip() for name in names))


def _lines_of_collect(body: Json, _depth: int) -> Iterator[str]:
    yield from filter(None, [text(body.get("title")).strip()])
    for question in objects(body.get("details")):
        yield from filter(None, [text(question.get("ques")).strip()])


def _lines_of_call(body: Json, _depth: int) -> Iterator[str]:
    for shown in objects(body.get("demofiledata")):
        yield from filter(None, [text(shown.get("filename")).strip()])


def _lines_of_mixed(body: Json, depth: int) -> Iterator[str]:
    for part in objects(body.get("item")):
        yield from _lines_of_part(text(part.get("type")), part.get("content"), depth)


def _lines_of_chatrecord(body: Json, depth: int) -> Iterator[str]:
    yield from filter(None, [text(body.get("title")).strip()])
    yield from _lines_of_mixed(body, depth)


def _lines_of_note(body: Json, depth: int) -> Iterator[str]:
    for part in objects(body.get("items")):
        yield from _lines_of_part(text(part.get("msg_type")), part.get("content"), depth)


def _lines_of_part(name: str, content: object, depth: int) -> Iterator[str]:
    """A message inside another: its body is JSON in a string, its kind is "ChatRecordText"."""
    kind = name.removeprefix("ChatRecord").lower()
    body = _object(content)
    if depth <= 0:
        return
    if kind in _LISTS:
        yield from _LISTS[kind][1](body, depth - 1)
    elif kind in _FIELDS and body:
        yield from _lines_of_body(kind, body)
    elif kind == "text":
        # Some versions put the bare words there.
        yield from filter(None, [text(content).strip()])


_LISTS: dict[str, tuple[str, Callable[[Json, int], Iterator[str]]]] = {
    "news": ("info", _lines_of_news),
    "collect": ("collect", _lines_of_collect),
    "meeting_voice_call": ("meeting_voice_call", _lines_of_call),
    "mixed": ("mixed", _lines_of_mixed),
    "chatrecord": ("chatrecord", _lines_of_chatrecord),
    "note": ("info", _lines_of_note),
}


def _object(value: Any) -> Json:
    """An object, given as such or as JSON in a string; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
