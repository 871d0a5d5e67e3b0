"""JSON bodies, refused where PostgreSQL or Python would choke on them later."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from scrm.common.errors import FieldProblem, InvalidInput

MAX_DEPTH = 64


class StrictJSONParser(JSONParser):
    """JSON without NaN and infinities, without absurd nesting, with text that can be stored."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        value = _load(body)
        _check(value)
        return value


class AlwaysJSON(DefaultContentNegotiation):
    """JSON whatever `Accept` says: a 406 would come before the 401 and help nobody."""

    def select_renderer(
        self,
        request: Request,
        renderers: Any,
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def _load(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ParseError(_("The JSON is nested too deeply.")) from None
    except ValueError as error:
        raise ParseError(_("The body is not valid JSON: %(why)s") % {"why": error}) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _check(value: Any) -> None:
    for path, text in _texts(value):
        if "\x00" in text or not _is_encodable(text):
            message = _("This text has a character that cannot be stored.")
            errors = (FieldProblem(path, "invalid_character", message),)
            raise InvalidInput(f"{path}: {message}", errors=errors)


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """All texts with their JSON pointers, keys among them; without recursion."""
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        path, node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ParseError(_("The JSON is nested too deeply."))
        if isinstance(node, str):
            yield path, node
        elif isinstance(node, list):
            waiting.extend((f"{path}/{i}", below, depth + 1) for i, below in enumerate(node))
        elif isinstance(node, dict):
            yield from ((path, key) for key in node)
            waiting.extend((f"{path}/{key}", below, depth + 1) for key, below in node.items())


def _is_encodable(text: str) -> bool:
    # A lone half of a surrogate pair is legal in JSON and nowhere else.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
