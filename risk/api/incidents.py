"""Incidents: what the rules found, with what was said around it, and what was decided."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from risk.actions.context import context_of
from risk.actions.incidents import check_state, decide_incident, reopen_incident
from risk.models import ArchivedMessage, Incident, Severity
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import BodySerializer


class IncidentFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Incident.Status.choices)
    severity = filters.ChoiceFilter(choices=Severity.choices)
    kind = filters.ChoiceFilter(choices=Incident.Kind.choices)
    decision = filters.ChoiceFilter(choices=Incident.Decision.choices)
    category = filters.CharFilter()
    staff = filters.CharFilter(field_name="staff__userid", label="userid")
    external_userid = filters.CharFilter()
    chat_id = filters.CharFilter()


class HitSerializer(serializers.Serializer[Any]):
    """`start` and `end` count code points of the message as it was written."""

    rule = serializers.CharField()
    category = serializers.CharField()
    severity = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()


class IncidentListSerializer(serializers.ModelSerializer[Any]):
    staff = serializers.CharField(source="staff.userid", default=None, allow_null=True)
    hits = HitSerializer(many=True)
    data = serializers.DictField()  # type: ignore[assignment]  # not the serializer's own

    class Meta:
        model = Incident
        fields = [
            "id",
            "kind",
            "category",
            "severity",
            "status",
            "staff",
            "external_userid",
            "chat_id",
            "hits",
            "data",
            "happened_at",
            "opened_at",
            "decision",
            "note",
            "decided_by",
            "decided_at",
        ]


class ContextSerializer(serializers.Serializer[Any]):
    """A message of the conversation; without consent, or when it is no text, `text` is null."""

    id = serializers.IntegerField(source="message.pk")
    sender = serializers.CharField(source="message.sender")
    is_from_staff = serializers.BooleanField(source="message.is_from_staff")
    name = serializers.CharField(source="speaker")
    sent_at = serializers.DateTimeField(source="message.sent_at", allow_null=True)
    kind = serializers.CharField(source="message.kind")
    text = serializers.SerializerMethodField(allow_null=True)
    text_state = serializers.ChoiceField(
        source="message.text_state", choices=ArchivedMessage.TextState.choices
    )
    is_recalled = serializers.SerializerMethodField()
    is_subject = serializers.BooleanField()

    def get_text(self, line: Any) -> str | None:
        is_kept = line.message.text_state == ArchivedMessage.TextState.KEPT
        return str(line.message.text) if is_kept else None

    def get_is_recalled(self, line: Any) -> bool:
        return line.message.recalled_at is not None


class PastSerializer(serializers.ModelSerializer[Any]):
    """Another incident of the same member of staff or customer."""

    staff = serializers.CharField(source="staff.userid", default=None, allow_null=True)

    class Meta:
        model = Incident
        fields = [
            "id",
            "kind",
            "category",
            "severity",
            "status",
            "staff",
            "external_userid",
            "happened_at",
            "decision",
            "decided_at",
        ]


class IncidentSerializer(IncidentListSerializer):
    context = serializers.SerializerMethodField()  # type: ignore[assignment]  # nor this
    history = serializers.SerializerMethodField()

    class Meta(IncidentListSerializer.Meta):
        fields = [*IncidentListSerializer.Meta.fields, "context", "history"]

    @extend_schema_field(ContextSerializer(many=True))
    def get_context(self, incident: Incident) -> Any:
        return ContextSerializer(context_of(incident), many=True).data

    @extend_schema_field(PastSerializer(many=True))
    def get_history(self, incident: Incident) -> Any:
        past = Incident.objects.related_to(incident).select_related("staff")[:10]
        return PastSerializer(past, many=True).data


class IncidentBody(BodySerializer):
    """Either a `decision` or `status: open` to look at it again; the reason is a must."""

    decision = serializers.ChoiceField(choices=Incident.Decision.choices, required=False)
    status = serializers.ChoiceField(choices=[Incident.Status.OPEN], required=False)
    note = serializers.CharField(max_length=2000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("decision" in attrs) == ("status" in attrs):
            raise serializers.ValidationError(
                {"decision": _("Give either a decision or status: open.")}
            )
        return attrs


class IncidentViewSet(ActingViewSet):
    """What the rules found in messages, customers deleted by staff, sends that were stopped."""

    area = "risk"
    resource = "risk_incidents"
    queryset = Incident.objects.select_related("staff")
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    newest_first = True

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows if self.action == "list" else rows.select_related("corp", "message")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        if self.action == "list":
            return IncidentListSerializer
        return super().get_serializer_class()

    @extend_schema(request=IncidentBody, responses=IncidentSerializer)
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Decide it, or open it again."""
        incident: Incident = self.get_object()
        # A wrong state is told before what the body says wrong.
        given = request.data if isinstance(request.data, dict) else {}
        check_state(incident, is_opening=given.get("status") == Incident.Status.OPEN)
        body = self.read_body(IncidentBody)
        what = {"note": body["note"], "actor": self.actor, "now": self.now}
        if "decision" in body:
            decide_incident(incident, decision=body["decision"], **what)
        else:
            reopen_incident(incident, **what)
        shown = self.get_queryset().get(pk=incident.pk)
        return Response(self.get_serializer(shown).data)
