"""Cursor pages: by id, so that rows that come in between are neither repeated nor skipped."""

from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

PARAMETERS = frozenset({"limit", "cursor"})


class CursorPages(BasePagination):
    """`?limit=` and an opaque `?cursor=` over ids; views turn the order of their list by `newest_first`."""

    default_limit = 50
    max_limit = 200

    def paginate_queryset(  # type: ignore[override]  # there is no cursor in a plain list
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        limit = self._limit(request)
        action = getattr(view, "action", "list")
        newest_first = action == "list" and getattr(view, "newest_first", False)
        # Signed, so that a cursor is what we gave out for this very list, or nothing.
        signer = Signer(salt=f"cursor:{type(view).__name__}:{action}")
        if (after := self._position(request, signer)) is not None:
            queryset = queryset.filter(**{"id__lt" if newest_first else "id__gt": after})
        rows = list(queryset.order_by("-id" if newest_first else "id")[: limit + 1])
        self.next = self._link(request, signer, rows[limit - 1]) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": "string",
                    "format": "uri",
                    "nullable": True,
                    "description": "The next page; null on the last one.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_limit}
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": f"Rows a page; {self.default_limit} when not given.",
                "schema": limit | {"default": self.default_limit},
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins; taken from `next`.",
                "schema": {"type": "string"},
            },
        ]

    def _limit(self, request: Request) -> int:
        text = request.query_params.get("limit", str(self.default_limit))
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) > 0):
            message = _("limit must be a whole number from 1 to %(max)d.")
            raise _refused("limit", message % {"max": self.max_limit})
        return min(int(text), self.max_limit)

    def _position(self, request: Request, signer: Signer) -> int | None:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return None
        try:
            return int(signer.unsign(cursor))
        except BadSignature:
            raise refused_cursor() from None

    def _link(self, request: Request, signer: Signer, last: Model) -> str:
        cursor = signer.sign(str(last.pk))
        return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def refused_cursor() -> ValidationError:
    return _refused("cursor", _("This cursor is none of ours: follow `next` as it was given."))


def _refused(name: str, message: str) -> ValidationError:
    return ValidationError({name: [ErrorDetail(message, code="invalid")]})
