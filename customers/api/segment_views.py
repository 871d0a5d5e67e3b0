from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.lists import change_members, create_list
from customers.actions.segments import (
    create_segment,
    delete_segment,
    overlap_of,
    preview,
    rule_schema,
    update_segment,
)
from customers.actions.snapshots import (
    Side,
    changed_between,
    compare_snapshots,
    get_snapshot,
    meant_by,
    members_of,
    start_or_take_snapshot,
)
from customers.api import filters, segment_serializers, serializers
from customers.models import Customer, Segment, SegmentMove, SegmentSnapshot
from customers.segments.past import read_as_of
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import unknown_id
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.api.answers import accepted
from scrm.jobs.models import Job


class SegmentViewSet(ActingViewSet):
    """Saved rules over customers, and lists of them."""

    area = "segments"
    queryset = Segment.objects.all()
    serializer_class = segment_serializers.SegmentSerializer
    filterset_class = filters.SegmentFilter
    scopes = {"preview": ("segments:read", "segments:write")}
    paged_actions = frozenset({"list", "members", "snapshots", "moves", "changed"})
    parameters = {
        "members": segment_serializers.MembersParameters,
        "difference": segment_serializers.DifferenceParameters,
        "changed": segment_serializers.ChangedParameters,
        "overlap": segment_serializers.OverlapParameters,
    }

    @extend_schema(
        request=segment_serializers.SegmentBody,
        responses={201: segment_serializers.ListSerializer},
    )
    def create(self, request: Request) -> Response:
        """Save a rule, or a list; what is wrong is named by JSON pointer."""
        body = self.read_body(segment_serializers.SegmentBody)
        who: dict[str, Any] = {"corp": self.corp, "actor": self.actor, "now": self.now}
        if body.pop("kind") == Segment.Kind.RULE:
            segment = create_segment(**body, **who)
            return Response(self.get_serializer(segment).data, status=status.HTTP_201_CREATED)
        made, filled = create_list(body["name"], members=body["members"], **who)
        unknown = [each.as_dict() for each in filled.unknown]
        answer = self.get_serializer(made).data | {"unknown": unknown}
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(request=segment_serializers.SegmentChange)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change the name or the rule; another rule is another version.

        With `version`, or `If-Match`, only while nobody else has saved another rule: else 409.
        """
        segment: Segment = self.get_object()
        changes = self.read_body(segment_serializers.SegmentChange)
        seen = self._version_of_header()
        if seen is not None:
            changes.setdefault("version", seen)
        segment = update_segment(segment, **changes, actor=self.actor, now=self.now)
        return Response(self.get_serializer(segment).data)

    def destroy(self, request: Request, **_: Any) -> Response:
        """Delete a segment that no campaign and no other segment names."""
        delete_segment(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.RuleBody, responses={200: segment_serializers.PreviewAnswer})
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """How many customers a rule means now, and up to ten of them; nothing is saved."""
        rule = self.read_body(serializers.RuleBody)["rule"]
        return Response(preview(rule, corp=self.corp, now=self.now).as_dict())

    @extend_schema(
        parameters=[segment_serializers.MembersParameters],
        responses=segment_serializers.PersonSerializer(many=True),
    )
    @action(detail=True)
    def members(self, request: Request, **_: Any) -> Response:
        """The customers the rule means now, meant on a past day, or had in a snapshot."""
        segment: Segment = self.get_object()
        asked = self.read_parameters()
        if "snapshot" in asked:
            members = members_of(self._snapshot(asked["snapshot"], "/snapshot"))
        else:
            members = meant_by(segment, as_of=self._as_of(asked), now=self.now)
        return self._people(members)

    @extend_schema(
        request=segment_serializers.MembersBody,
        responses={200: segment_serializers.MembersAnswer},
    )
    @members.mapping.post
    def change_members(self, request: Request, **_: Any) -> Response:
        """Put customers on a list, and take others off; who is not known is told."""
        segment: Segment = self.get_object()
        body = self.read_body(segment_serializers.MembersBody)
        added, removed = change_members(segment, **body, actor=self.actor, now=self.now)
        segment.refresh_from_db()
        unknown = [each.as_dict() for each in [*added.unknown, *removed.unknown]]
        answer = {"added": added.changed, "removed": removed.changed, "unknown": unknown}
        return Response(answer | {"version": segment.version})

    @extend_schema(
        request=segment_serializers.SnapshotBody,
        responses={201: segment_serializers.SnapshotSerializer, 202: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["post"])
    def snapshot(self, request: Request, **_: Any) -> Response:
        """Keep whom the segment means now, or meant on a past day; a large one is made by a job."""
        segment: Segment = self.get_object()
        body = self.read_body(segment_serializers.SnapshotBody)
        taken = start_or_take_snapshot(
            segment, actor=self.actor, now=self.now, as_of=self._as_of(body)
        )
        if isinstance(taken, Job):
            return accepted(taken, request)
        answer = segment_serializers.SnapshotSerializer(taken).data
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(responses=segment_serializers.SnapshotSerializer(many=True))
    @action(detail=True)
    def snapshots(self, request: Request, **_: Any) -> Response:
        """Snapshots of the segment."""
        rows = SegmentSnapshot.objects.filter(segment=self.get_object())
        page = self.paginate_queryset(rows)
        data = segment_serializers.SnapshotSerializer(page, many=True).data
        return self.get_paginated_response(data)

    @extend_schema(
        parameters=[segment_serializers.DifferenceParameters],
        responses={200: segment_serializers.DifferenceAnswer},
    )
    @action(detail=True)
    def difference(self, request: Request, **_: Any) -> Response:
        """How many came, went and stayed between two snapshots of the segment."""
        asked = self.read_parameters()
        before, after = (self._snapshot(asked[name], f"/{name}") for name in ("from", "to"))
        return Response(compare_snapshots(before, after).as_dict())

    @extend_schema(
        parameters=[segment_serializers.ChangedParameters],
        responses=segment_serializers.PersonSerializer(many=True),
    )
    @action(detail=True)
    def changed(self, request: Request, **_: Any) -> Response:
        """Who came, went or stayed between two snapshots of the segment."""
        asked = self.read_parameters()
        latest = SegmentSnapshot.objects.filter(segment=self.get_object()).order_by("-pk")[:2]
        default = dict(zip(("to", "from"), (each.pk for each in latest), strict=False))
        chosen = default | asked
        if "from" not in chosen or "to" not in chosen:
            return self._people(Customer.objects.none())
        before, after = (self._snapshot(chosen[name], f"/{name}") for name in ("from", "to"))
        return self._people(changed_between(before, after, side=Side(asked["which"])))

    @extend_schema(
        parameters=[segment_serializers.OverlapParameters],
        responses={200: segment_serializers.OverlapAnswer},
    )
    @action(detail=True)
    def overlap(self, request: Request, **_: Any) -> Response:
        """How many customers are only in this segment, in both, and only in the other."""
        segment: Segment = self.get_object()
        asked = self.read_parameters()["with"]
        other = Segment.objects.for_corp(self.corp).filter(pk=asked).first()
        if other is None:
            raise _no_segment()
        found = overlap_of(segment.rule, other.rule, corp=self.corp, now=self.now)
        return Response(found.as_dict())

    @extend_schema(responses=segment_serializers.MoveSerializer(many=True))
    @action(detail=True)
    def moves(self, request: Request, **_: Any) -> Response:
        """Who entered a watched segment and who left it, night by night."""
        rows = SegmentMove.objects.filter(segment=self.get_object()).select_related("customer")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(segment_serializers.MoveSerializer(page, many=True).data)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=False, url_path="schema", url_name="schema")
    def show_schema(self, request: Request) -> Response:
        """The grammar of rules as JSON Schema."""
        return Response(rule_schema())

    def _people(self, customers: QuerySet[Customer]) -> Response:
        page = self.paginate_queryset(customers.only("external_userid", "name"))
        people = segment_serializers.PersonSerializer(page, many=True)
        return self.get_paginated_response(people.data)

    def _snapshot(self, pk: int, path: str) -> SegmentSnapshot:
        return get_snapshot(self.corp, pk, path=path, segment=self.get_object())

    def _as_of(self, asked: dict[str, Any]) -> datetime | None:
        if "as_of" not in asked:
            return None
        return read_as_of(asked["as_of"], corp=self.corp, now=self.now)

    def _version_of_header(self) -> int | None:
        header = self.request.headers.get("If-Match", "").strip()
        bare = header.removeprefix("W/").strip('"')
        if header in {"", "*"}:
            return None
        if not bare.isascii() or not bare.isdigit() or len(bare) > 9:
            message = _('If-Match names the version, such as "3".')
            raise InvalidInput(message, errors=(FieldProblem("/If-Match", "invalid", message),))
        return int(bare)


def _no_segment() -> InvalidInput:
    return unknown_id("/with", _("There is no such segment."))
