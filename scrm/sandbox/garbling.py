"""Answers that are not what the documentation promises."""

import json
from collections.abc import Callable
from typing import Any

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
KEPT = ("errcode", "errmsg")


class Garbled(Exception):
    """The platform acted and says so in a form that nobody can expect."""

    def __init__(self, body: bytes, mimetype: str) -> None:
        super().__init__("garbled")
        self.body = body
        self.mimetype = mimetype


def _dump(answer: object) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode()


def _change_fields(answer: dict[str, Any], change: Callable[[Any], Any]) -> bytes:
    return _dump({n: value if n in KEPT else change(value) for n, value in answer.items()})


def _mistype(value: object) -> object:
    if isinstance(value, list):
        return {"0": value[0]} if value else "none"
    if isinstance(value, dict):
        return list(value)
    return [value] if isinstance(value, str) else str(value)


def _keep_errcode_only(answer: dict[str, Any]) -> bytes:
    return _dump({name: answer[name] for name in KEPT})


# form → what becomes of the answer
FORMS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "html": lambda answer: b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    "empty": lambda answer: b"",
    "truncated": lambda answer: _dump(answer)[: len(_dump(answer)) // 2],
    "not_an_object": lambda answer: _dump([answer]),
    "wrong_types": lambda answer: _change_fields(answer, _mistype),
    "nulls": lambda answer: _change_fields(answer, lambda value: None),
    "missing_fields": _keep_errcode_only,
    "no_errcode": lambda answer: _dump({n: v for n, v in answer.items() if n not in KEPT}),
    # Some old endpoints of the platform did so.
    "errcode_as_text": lambda answer: _dump(answer | {"errcode": str(answer["errcode"])}),
}


def garble(answer: dict[str, Any], form: str) -> Garbled:
    return Garbled(FORMS[form](answer), HTML if form == "html" else JSON)
