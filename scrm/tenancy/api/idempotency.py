"""`Idempotency-Key`: the same call twice is one act and one answer."""

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from django.db import transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.common.errors import DomainError
from scrm.tenancy.actions.idempotent_calls import (
    CallIdentity,
    begin_call,
    forget_call,
    keep_answer,
)
from scrm.tenancy.models import IdempotentCall

if TYPE_CHECKING:
    from scrm.tenancy.api.base import CorpViewSet

HEADER = "Idempotency-Key"
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NOT_KEPT = frozenset({401, 403, 429})
_MAX_PATH = 512

Work = Callable[[], Response]


class BadIdempotencyKey(DomainError):
    code = "idempotency_key_invalid"
    status = 400


def is_idempotent(request: Request) -> bool:
    return request.method in METHODS and HEADER in request.headers


def answer_once(view: "CorpViewSet", work: Work) -> Response | HttpResponse:
    """Do the work of the view, or repeat the answer that was given when it was done."""
    try:
        identity = _identity_of(view.request)
        call = begin_call(identity, api_key=view.api_key, now=view.now)
    except DomainError:
        # What does not exist is 404 before anything else is wrong.
        view.resolve_subject()
        raise
    return _answer_first(view, work, call) if call.status is None else _replay(call)


def _answer_first(view: "CorpViewSet", work: Work, call: IdempotentCall) -> Response:
    try:
        # The work and its answer are kept together or not at all: a process that dies between
        # them would otherwise leave work that the next try does again.
        with transaction.atomic():
            response = _attempt(view, work)
            is_kept = response.status_code < 500 and response.status_code not in _NOT_KEPT
            if is_kept:
                keep_answer(
                    call,
                    status=response.status_code,
                    body=response.content,
                    content_type=response.headers.get("Content-Type", ""),
                )
    except BaseException:
        forget_call(call)
        raise
    if not is_kept:
        forget_call(call)
    return response


def _attempt(view: "CorpViewSet", work: Work) -> Response:
    try:
        with transaction.atomic():
            response = work()
    except Exception as error:  # noqa: BLE001 — refusals are answers too, and kept like others
        response = view.handle_exception(error)
    return cast("Response", view.finalize_response(view.request, response).render())


def _replay(call: IdempotentCall) -> HttpResponse:
    response = HttpResponse(bytes(call.body), status=call.status)
    if call.content_type:
        response.headers["Content-Type"] = call.content_type
    else:
        del response.headers["Content-Type"]
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _identity_of(request: Request) -> CallIdentity:
    key = request.headers[HEADER]
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        message = _("An Idempotency-Key has 1 to 255 printable ASCII characters.")
        raise BadIdempotencyKey(message)
    path = request.path
    if len(path) > _MAX_PATH:
        path = hashlib.sha256(path.encode()).hexdigest()
    return CallIdentity(
        key=key, method=str(request.method), path=path, fingerprint=_fingerprint(request)
    )


def _fingerprint(request: Request) -> str:
    """The same query and the same JSON, however it is spaced and ordered."""
    query = sorted((name, values) for name, values in request.query_params.lists())
    body: bytes = request.body
    try:
        meaning = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    except (ValueError, RecursionError):
        meaning = body
    return hashlib.sha256(json.dumps(query).encode() + b"\0" + meaning).hexdigest()
