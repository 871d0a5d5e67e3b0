from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.brand_events import EventAnswer, take_events
from customers.actions.event_types import put_event_type, start_rejudging
from customers.api import commerce_serializers as shapes
from customers.api.commerce_filters import EventFilter
from customers.api.rows import describe_problems, read_object, read_rows, refuse_row, status_of
from customers.models import BrandEvent, EventType
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import EmptyBody
from scrm.jobs.api.answers import accepted
from scrm.jobs.api.serializers import AcceptedSerializer


class EventViewSet(ActingViewSet):
    """What people did elsewhere, as the brand's systems tell it."""

    area = "events"
    queryset = BrandEvent.objects.select_related("customer")
    serializer_class = shapes.EventSerializer
    filterset_class = EventFilter
    lookup_field = "event_id"
    lookup_value_regex = "[^/]+"
    dry_run_actions = frozenset({"create"})
    newest_first = True

    @extend_schema(
        request=shapes.EventsBody,
        responses={
            200: shapes.EventAnswerSerializer,
            201: shapes.EventAnswerSerializer,
            207: shapes.EventBatchAnswer,
        },
    )
    def create(self, request: Request) -> Response:
        """Tell one event, or up to 500 as `items`; what does not fit its type is in quarantine."""
        data: object = request.data
        if isinstance(data, list) or (isinstance(data, dict) and "items" in data):
            return self._create_many(read_rows(self))
        rows = [read_object(self)]
        (answer,) = take_events(rows, corp=self.corp, actor=self.actor, now=self.now)
        if answer.errors:
            raise refuse_row(answer.errors)
        shown = {
            "event_id": answer.event_id,
            "status": answer.outcome,
            "matched": answer.matched,
            "problem": answer.problem,
        }
        return Response(shown, status=status_of(answer.outcome))

    def _create_many(self, rows: list[dict[str, Any]]) -> Response:
        answers = take_events(rows, corp=self.corp, actor=self.actor, now=self.now)
        results = [_describe(position, answer) for position, answer in enumerate(answers)]
        return Response({"results": results}, status=status.HTTP_207_MULTI_STATUS)


def _describe(position: int, answer: EventAnswer) -> dict[str, Any]:
    return {
        "event_id": answer.event_id,
        "status": status_of(answer.outcome),
        "outcome": answer.outcome,
        "matched": answer.matched,
        "problem": answer.problem,
        "errors": describe_problems(position, answer.errors),
    }


class EventTypeViewSet(ActingViewSet):
    """Kinds of events, and what the data of each have to look like."""

    area = "events"
    resource = "event_types"
    queryset = EventType.objects.all()
    serializer_class = shapes.EventTypeSerializer
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def resolve_subject(self) -> None:
        """What is put need not be there."""
        if self.action != "update":
            super().resolve_subject()

    @extend_schema(
        request=shapes.EventTypeBody,
        responses={200: shapes.EventTypeAnswer, 201: shapes.EventTypeAnswer},
    )
    def update(self, request: Request, name: str) -> Response:
        """Register a type or change its schema; what stands in quarantine is judged anew."""
        schema = self.read_body(shapes.EventTypeBody)["schema"]
        event_type, job, is_new = put_event_type(
            name, schema=schema, corp=self.corp, actor=self.actor, now=self.now
        )
        shown = self.get_serializer(event_type).data | {"operation": job.pk if job else None}
        return Response(shown, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    @extend_schema(request=EmptyBody, responses={202: AcceptedSerializer})
    @action(detail=True, methods=["post"])
    def rejudge(self, request: Request, **__: Any) -> Response:
        """Judge what stands in quarantine once more."""
        event_type: EventType = self.get_object()
        job = self.do_without_body(lambda: start_rejudging(event_type, now=self.now))
        return accepted(job, request)
