"""The OpenAPI description: what all operations share is said here once."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "The same key and body within 72 hours: the stored answer, `Idempotent-Replayed: true`. "
        "Another body: 409 `idempotency_key_reuse`. Still running: 409 `in_progress`."
    ),
)
DRY_RUN = OpenApiParameter(
    "dry_run",
    OpenApiTypes.BOOL,
    OpenApiParameter.QUERY,
    description="`true`: everything is checked and told, nothing is done.",
)
RATE_HEADERS = [
    OpenApiParameter(
        name, OpenApiTypes.INT, OpenApiParameter.HEADER, description=description, response=True
    )
    for name, description in (
        ("RateLimit-Limit", "Calls a key may make in a window."),
        ("RateLimit-Remaining", "Calls left in this window."),
        ("RateLimit-Reset", "Seconds until the next window."),
    )
]


class ProblemErrorSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(help_text=_("JSON pointer into the body, or /parameter."))
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details; `code` is stable, `detail` follows Accept-Language."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()


class ApiSchema(AutoSchema):
    """Names operations by resource and action, and adds what every one of them has."""

    @property
    def _action(self) -> str:
        return str(getattr(self.view, "action", self.method.lower()))

    def get_operation_id(self) -> str:
        # Several resources below one word of the path have names of their own.
        named = getattr(self.view, "resource", "")
        resource = named or self._tokenize_path()[0].replace("-", "_")
        return f"{resource}_{self._action}"

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular calls it
        action = getattr(self.view, self._action)
        return " ".join((action.__doc__ or type(self.view).__doc__ or "").split())

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = list(RATE_HEADERS)
        if self.method in _WRITING:
            parameters.append(IDEMPOTENCY_KEY)
        if self._action in getattr(self.view, "dry_run_actions", ()):
            parameters.append(DRY_RUN)
        if shape := getattr(self.view, "parameters", {}).get(self._action):
            parameters.append(shape)
        return parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ProblemSerializer, "default", media_types=["application/problem+json"]
        )
        return bodies
