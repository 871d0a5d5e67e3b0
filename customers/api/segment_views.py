from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.segments import (
    SCHEMA,
    create_segment,
    customers_of,
    delete_segment,
    preview,
    update_segment,
)
from customers.api import filters, serializers
from customers.models import Segment
from scrm.audit.api.acting import ActingViewSet


class SegmentViewSet(ActingViewSet):
    """Saved rules over customers."""

    area = "segments"
    queryset = Segment.objects.all()
    serializer_class = serializers.SegmentSerializer
    filterset_class = filters.SegmentFilter
    scopes = {"preview": ("segments:read", "segments:write")}
    paged_actions = frozenset({"list", "members"})

    @extend_schema(request=serializers.SegmentBody, responses={201: serializers.SegmentSerializer})
    def create(self, request: Request) -> Response:
        """Save a rule; what is wrong with it is named by JSON pointer."""
        body = self.read_body(serializers.SegmentBody)
        segment = create_segment(**body, corp=self.corp, actor=self.actor, now=self.now)
        return Response(self.get_serializer(segment).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.SegmentBody)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change the name or the rule; another rule is another version."""
        segment: Segment = self.get_object()
        changes = self.read_body(serializers.SegmentBody, partial=True)
        segment = update_segment(segment, **changes, actor=self.actor, now=self.now)
        return Response(self.get_serializer(segment).data)

    def destroy(self, request: Request, **_: Any) -> Response:
        """Delete a segment that no campaign names."""
        delete_segment(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.RuleBody, responses={200: serializers.PreviewAnswer})
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """How many customers a rule means now, and up to ten of them; nothing is saved."""
        rule = self.read_body(serializers.RuleBody)["rule"]
        return Response(preview(rule, corp=self.corp, now=self.now).as_dict())

    @extend_schema(responses=serializers.PersonSerializer(many=True))
    @action(detail=True)
    def members(self, request: Request, **_: Any) -> Response:
        """The customers the rule means now."""
        segment: Segment = self.get_object()
        members = customers_of(segment.rule, corp=self.corp, now=self.now)
        page = self.paginate_queryset(members.only("external_userid", "name"))
        return self.get_paginated_response(serializers.PersonSerializer(page, many=True).data)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=False, url_path="schema", url_name="schema")
    def rule_schema(self, request: Request) -> Response:
        """The grammar of rules as JSON Schema."""
        return Response(SCHEMA)
