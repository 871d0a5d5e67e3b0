"""Every refusal of the API as problem+json (RFC 9457), whoever raised it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.common.errors import DomainError, FieldProblem

CONTENT_TYPE = "application/problem+json"
_NAMED_IN_DETAIL = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    status: int
    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


def answer_problem(exception: Exception, context: dict[str, Any]) -> Response:
    """The exception handler of DRF; nothing of an unexpected failure leaves the server."""
    request: Request = context["request"]
    problem = problem_of(exception)
    if problem.status == 500:
        logger.error("API call failed", exc_info=exception, extra={"path": request.path})
        got_request_exception.send(sender=type(context["view"]), request=request)
    return Response(
        body_of(problem, request),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def plain_problem(request: HttpRequest, problem: Problem) -> JsonResponse:
    """A problem outside the views of DRF: unknown addresses, failures of middleware."""
    return JsonResponse(
        body_of(problem, request),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
        # As DRF renders: whoever answers, the same problem is the same bytes.
        json_dumps_params={"separators": (",", ":"), "ensure_ascii": False},
    )


def body_of(problem: Problem, request: Request | HttpRequest) -> dict[str, Any]:
    return {
        "type": f"urn:scrm:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "errors": [
            {"path": error.path, "code": error.code, "message": str(error.message)}
            for error in problem.errors
        ],
        "request_id": request.META.get("REQUEST_ID", ""),
    }


def problem_of(exception: Exception) -> Problem:
    if isinstance(exception, DomainError):
        return _domain_problem(exception)
    if isinstance(exception, exceptions.ValidationError):
        errors = field_problems(exception.detail)
        return Problem(exception.status_code, "invalid", sentence_of(errors), errors)
    if isinstance(exception, exceptions.APIException):
        return _framework_problem(exception)
    return _django_problem(exception)


def not_found() -> Problem:
    """The one answer for another corp's object and for an id that is nothing."""
    return Problem(404, "not_found", _("There is nothing with this id or at this address."))


def server_failure() -> Problem:
    message = _("Something failed on the server; its log has the details under the request id.")
    return Problem(500, "server_error", message)


def field_problems(detail: Any, path: str = "") -> tuple[FieldProblem, ...]:
    """Flatten DRF's nested error details; paths become JSON pointers ("/items/0/add")."""
    return tuple(_walk(detail, path))


def sentence_of(errors: tuple[FieldProblem, ...]) -> str:
    """The first few errors in one line, for people who read only `detail`."""
    named = [
        f"{error.path}: {error.message}" if error.path else str(error.message) for error in errors
    ]
    return " ".join(named[:_NAMED_IN_DETAIL])


def _walk(detail: Any, path: str) -> Iterator[FieldProblem]:
    if isinstance(detail, dict):
        for key, below in detail.items():
            # What DRF says about an object as a whole belongs to the path of the object.
            yield from _walk(below, path if key == "non_field_errors" else f"{path}/{_escape(key)}")
    elif isinstance(detail, (list, tuple)):
        for index, below in enumerate(detail):
            is_leaf = isinstance(below, exceptions.ErrorDetail)
            yield from _walk(below, path if is_leaf else f"{path}/{index}")
    else:
        yield FieldProblem(path, getattr(detail, "code", "invalid"), str(detail))


def _escape(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _domain_problem(error: DomainError) -> Problem:
    headers = {}
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(retry_after)
    return Problem(error.status, error.code, error.detail, error.errors, headers)


def _django_problem(error: Exception) -> Problem:
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, PermissionDenied):
        return Problem(403, "permission_denied", _("This is not allowed."))
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "too_large", _("The body is too large."))
    if isinstance(error, (SuspiciousOperation, BadRequest)):
        return Problem(400, "bad_request", _("The request is malformed."))
    return server_failure()


def _framework_problem(error: exceptions.APIException) -> Problem:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.NotFound):
        return not_found()
    code = getattr(error.detail, "code", None) or error.default_code
    return Problem(error.status_code, code, str(error.detail), headers=headers)
