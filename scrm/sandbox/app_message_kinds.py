"""What messages of each kind to members must look like, and the words that tell each best."""

from collections.abc import Callable
from typing import Any

from scrm.sandbox.card_forms import check_card
from scrm.sandbox.errors import Refused

TEXT_BYTES = 2048
URL_BYTES = 2048
ARTICLES = 8
CONTENT_BYTES = 666 * 1024
CONTENT_ITEMS = 10

Fields = dict[str, Any]


def read_words(kind: str, body: Fields) -> str:
    """Refuse a body that is not as documented; return its most telling words, cut as shown."""
    return KINDS[kind](body)


def _read_text(body: Fields) -> str:
    words = body.get("content")
    if not isinstance(words, str) or not words:
        raise Refused(44004)
    return _cut_bytes(words, TEXT_BYTES)


def _read_media(body: Fields) -> str:
    if not _text(body, "media_id"):
        raise Refused(41006)
    return _text(body, "media_id")


def _read_video(body: Fields) -> str:
    media_id = _read_media(body)
    _text(body, "description")
    return _cut_bytes(_text(body, "title"), 128) or media_id


def _read_textcard(body: Fields) -> str:
    title = _need(body, "title")
    _need(body, "description")
    _check_url(_need(body, "url"))
    _text(body, "btntxt")
    return title[:128]


def _read_news(body: Fields) -> str:
    rows = _articles(body)
    for row in rows:
        _need(row, "title")
        url = _text(row, "url")
        if not url and not (_text(row, "appid") and _text(row, "pagepath")):
            raise Refused(40063, "url, or appid and pagepath")
        _check_url(url)
    return _cut_bytes(str(rows[0]["title"]), 128)


def _read_mpnews(body: Fields) -> str:
    rows = _articles(body)
    for row in rows:
        _need(row, "title")
        if not _text(row, "thumb_media_id"):
            raise Refused(41006, "thumb_media_id")
        if len(_need(row, "content").encode()) > CONTENT_BYTES:
            raise Refused(45002, "content")
    return _cut_bytes(str(rows[0]["title"]), 128)


def _read_notice(body: Fields) -> str:
    _need(body, "appid")
    title = _need(body, "title")
    if not 4 <= len(title) <= 12:
        raise Refused(40058, "title")
    items = body.get("content_item", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(40058, "content_item")
    if len(items) > CONTENT_ITEMS:
        raise Refused(40058, "content_item")
    for item in items:
        _need(item, "key")
        _need(item, "value")
    return title


def _articles(body: Fields) -> list[Fields]:
    rows = body.get("articles")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(40063, "articles")
    if not 1 <= len(rows) <= ARTICLES:
        raise Refused(40058, "articles")
    return rows


def _check_url(url: str) -> None:
    if len(url.encode()) > URL_BYTES:
        raise Refused(45002, "url")


def _need(body: Fields, name: str) -> str:
    value = _text(body, name)
    if not value:
        raise Refused(40063, name)
    return value


def _text(body: Fields, name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise Refused(40058, name)
    return value


def _cut_bytes(words: str, longest: int) -> str:
    return words.encode()[:longest].decode(errors="ignore")


KINDS: dict[str, Callable[[Fields], str]] = {
    "text": _read_text,
    "markdown": _read_text,
    "image": _read_media,
    "voice": _read_media,
    "file": _read_media,
    "video": _read_video,
    "textcard": _read_textcard,
    "news": _read_news,
    "mpnews": _read_mpnews,
    "miniprogram_notice": _read_notice,
    "template_card": check_card,
}
