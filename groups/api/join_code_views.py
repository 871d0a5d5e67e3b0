from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from groups.actions.growth import figures_of_codes
from groups.actions.join_codes import (
    JoinCodeDraft,
    create_join_code,
    delete_join_code,
    update_join_code,
)
from groups.api import serializers
from groups.api.filters import JoinCodeFilter
from groups.models import GroupChat, JoinCode
from scrm.audit.api.acting import ActingViewSet
from scrm.common.errors import DomainError

_CHATS = Prefetch("chats", queryset=GroupChat.objects.only("pk", "chat_id"))


class PictureMissing(DomainError):
    code = "no_picture"


class JoinCodeViewSet(ActingViewSet):
    """Codes through which customers enter one of at most five chats."""

    area = "groups"
    queryset = JoinCode.objects.current().select_related("corp").prefetch_related(_CHATS)
    serializer_class = serializers.JoinCodeSerializer
    filterset_class = JoinCodeFilter
    newest_first = True

    def get_queryset(self) -> QuerySet[JoinCode]:
        codes: QuerySet[JoinCode] = super().get_queryset()
        return codes if self.action == "qr" else codes.defer("picture")

    def list(self, request: Request, **__: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(self._describe(page))

    def retrieve(self, request: Request, **__: Any) -> Response:
        return Response(self._describe([self.get_object()])[0])

    @extend_schema(
        request=serializers.JoinCodeBody, responses={201: serializers.JoinCodeSerializer}
    )
    def create(self, request: Request) -> Response:
        """Ask the platform for a code; its picture follows within seconds."""
        draft = JoinCodeDraft(**self.read_body(serializers.JoinCodeBody))
        code = create_join_code(draft, corp=self.corp, actor=self.actor, now=self.now)
        return Response(self._tell(code), status=status.HTTP_201_CREATED)

    @extend_schema(
        request=serializers.JoinCodeBody, responses={200: serializers.JoinCodeSerializer}
    )
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Change a code; the picture stays the same."""
        code: JoinCode = self.get_object()
        changes = self.read_body(serializers.JoinCodeBody, partial=True)
        update_join_code(code, changes=changes, actor=self.actor, now=self.now)
        return Response(self._tell(code))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **__: Any) -> Response:
        """Delete a code, here and on the platform; who came by it stays in the chat."""
        delete_join_code(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    @action(detail=True)
    def qr(self, request: Request, **__: Any) -> HttpResponse:
        """The picture of the code, as the platform drew it."""
        code: JoinCode = self.get_object()
        if not code.picture:
            raise PictureMissing(_("The platform has not given the picture yet: ask again soon."))
        return HttpResponse(bytes(code.picture), content_type=code.picture_type)

    def _tell(self, code: JoinCode) -> dict[str, Any]:
        return dict(self._describe([self.get_queryset().get(pk=code.pk)])[0])

    def _describe(self, codes: Sequence[JoinCode]) -> Any:
        context = {**self.get_serializer_context(), "figures": figures_of_codes(codes)}
        return self.get_serializer_class()(codes, many=True, context=context).data
