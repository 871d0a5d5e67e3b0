"""The base of every endpoint: a key's corp, scopes, limits, and the order of refusals.

401 and 403 come first, then 404, then 409, then 400 and 422 (api.md, exact meanings 16): the
subject of a detail route is looked up before the body and the parameters are read.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters.rest_framework import FilterSet
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from scrm.common.api import pagination
from scrm.common.api.bodies import BodySerializer, EmptyBody
from scrm.common.api.parsers import AlwaysJSON, StrictJSONParser
from scrm.common.errors import DomainError
from scrm.common.models import CorpQuerySet
from scrm.tenancy.actions.rate_limits import Allowance, Rate, count_call, parse_rate
from scrm.tenancy.api.idempotency import answer_once, is_idempotent
from scrm.tenancy.api.openapi import KeyedSchema
from scrm.tenancy.models import ApiKey, Corp

T = TypeVar("T")

_READING = frozenset({"GET", "HEAD"})


class RateExceeded(DomainError):
    code = "rate_limited"
    status = 429

    def __init__(self, allowance: Allowance) -> None:
        self.retry_after = allowance.reset
        message = _("This key may call %(limit)d times in a window; go on in %(seconds)d seconds.")
        super().__init__(message % {"limit": allowance.limit, "seconds": allowance.reset})


class CorpViewSet(GenericViewSet[Any]):
    """What a key may see and do with one kind of object of its corp.

    Subclasses name their `area`; `scopes` says which actions need another scope than
    `<area>:read` for GET and `<area>:write` for the rest. `parameters` says which query parameters
    an action reads besides filters and pages; any other is refused, because a misspelt filter
    would show everybody.
    """

    area: ClassVar[str]
    scopes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    parameters: ClassVar[Mapping[str, type[BodySerializer]]] = {}
    dry_run_actions: ClassVar[frozenset[str]] = frozenset()
    paged_actions: ClassVar[frozenset[str]] = frozenset({"list"})
    filterset_class: type[FilterSet] | None = None
    newest_first = False
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    content_negotiation_class = AlwaysJSON
    parser_classes = [StrictJSONParser]
    metadata_class = None
    schema = KeyedSchema()

    now: datetime
    allowance: Allowance | None = None
    _subject: Model | None = None

    @property
    def api_key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    @property
    def corp(self) -> Corp:
        return self.api_key.corp

    @property
    def required_scopes(self) -> tuple[str, ...]:
        """Any of these opens the call; none are asked for a method there is not (405 follows)."""
        if not self.action or self.action == "metadata":
            return ()
        right = "read" if self.request.method in _READING else "write"
        return self.scopes.get(self.action, (f"{self.area}:{right}",))

    @property
    def _is_described(self) -> bool:
        # drf-spectacular looks at views without a request, and so without a key.
        return getattr(self, "swagger_fake_view", False)

    @property
    def is_dry_run(self) -> bool:
        is_possible = self.action in self.dry_run_actions
        return is_possible and self.request.query_params.get("dry_run") == "true"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        self.args, self.kwargs, self.now = args, kwargs, timezone.now()
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: HttpResponseBase
        try:
            self.initial(self.request, *args, **kwargs)
            if self.action and is_idempotent(self.request):
                response = answer_once(self, self._work)
            else:
                response = self._work()
        except Exception as error:  # noqa: BLE001 — every failure becomes a problem+json answer
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, ApiKey):
            self.allowance = count_call(request.auth, rate=api_rate(), now=self.now)
            if self.allowance.is_exceeded:
                raise RateExceeded(self.allowance)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        finalized = super().finalize_response(request, response, *args, **kwargs)
        finalized.headers["Cache-Control"] = "no-store"
        if self.allowance:
            finalized.headers["RateLimit-Limit"] = str(self.allowance.limit)
            finalized.headers["RateLimit-Remaining"] = str(self.allowance.remaining)
            finalized.headers["RateLimit-Reset"] = str(self.allowance.reset)
        return finalized

    def get_queryset(self) -> QuerySet[Any]:
        rows = cast("CorpQuerySet[Any]", super().get_queryset())
        return rows.none() if self._is_described else rows.for_corp(self.corp)

    def get_object(self) -> Any:
        """The object of the path, looked up once; 404 when it is another corp's or nothing."""
        if self._subject is None:
            value = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
            if "\x00" in value:
                raise Http404
            self._subject = get_object_or_404(self.get_queryset(), **{self.lookup_field: value})
        return self._subject

    def resolve_subject(self) -> None:
        if self.action and (self.lookup_url_kwarg or self.lookup_field) in self.kwargs:
            self.get_object()

    def read_body(self, shape: type[BodySerializer], **kwargs: Any) -> dict[str, Any]:
        """The checked JSON body; every POST and PATCH reads one, be it empty."""
        self.check_parameters()
        context = self.get_serializer_context()
        return shape(data=self.request.data, context=context, **kwargs).checked()

    def do_without_body(self, act: Callable[[], T]) -> T:
        """Do an act that takes no body; a wrong state (409) is told before a wrong body (422)."""
        with transaction.atomic():
            outcome = act()
            self.read_body(EmptyBody)
        return outcome

    def read_parameters(self) -> dict[str, Any]:
        """The checked query parameters of the action; 400 names those that are wrong."""
        shape = self._parameter_shape()
        given = self.request.query_params
        known = [str(name) for name in shape().fields]
        parameters = shape(data={name: given[name] for name in known if name in given})
        parameters.is_valid(raise_exception=True)
        return dict(parameters.validated_data)

    def check_parameters(self) -> None:
        known = set(self._parameter_shape()().fields)
        known |= {"dry_run"} if self.action in self.dry_run_actions else set()
        known |= pagination.PARAMETERS if self.action in self.paged_actions else set()
        if self.action == "list" and self.filterset_class:
            known |= set(self.filterset_class.base_filters)
        given = self.request.query_params
        message = _("This call has no such parameter.")
        problems = {
            name: [ErrorDetail(message, code="unknown_parameter")]
            for name in given
            if name not in known
        }
        problems |= {
            name: [ErrorDetail(_("This parameter has no value."), code="empty")]
            for name, value in given.items()
            if not value and name in known
        }
        if "dry_run" in known and given.get("dry_run", "true") not in {"true", "false"}:
            problems["dry_run"] = [ErrorDetail(_("dry_run is true or false."), code="invalid")]
        if problems:
            raise ValidationError(problems)

    def answer_page(self, rows: QuerySet[Any]) -> Response:
        """One page of `rows` through the serializer of the action."""
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def _parameter_shape(self) -> type[BodySerializer]:
        return self.parameters.get(str(self.action), EmptyBody)

    def _work(self) -> Response:
        method = str(self.request.method).lower()
        handler: Callable[..., Response] = getattr(self, method, self.http_method_not_allowed)
        if not self.action:
            handler = self.http_method_not_allowed
        self.resolve_subject()
        if method in {"get", "head", "delete"} and self.action:
            self.check_parameters()
        if not self.is_dry_run:
            return handler(self.request, *self.args, **self.kwargs)
        with transaction.atomic():
            response = handler(self.request, *self.args, **self.kwargs)
            transaction.set_rollback(True)
        return response


class ReadViewSet(CorpViewSet):
    """Rows that are listed, filtered and shown as they are."""

    def list(self, request: Request, **_: Any) -> Response:
        return self.answer_page(self.filter_queryset(self.get_queryset()))

    def retrieve(self, request: Request, **_: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


def api_rate() -> Rate:
    return parse_rate(settings.API_RATE)
