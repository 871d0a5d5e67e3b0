from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from customers.actions.snapshots import Side
from customers.models import Segment, SegmentMove, SegmentSnapshot
from scrm.common.api.bodies import BodySerializer, IdField

MOST_MEMBERS = 10_000


class SegmentSerializer(serializers.ModelSerializer[Any]):
    rule = serializers.DictField(read_only=True)

    class Meta:
        model = Segment
        fields = [
            "id", "name", "kind", "rule", "version", "is_watched", "created_at", "updated_at",
        ]  # fmt: skip


class UnknownSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="Place in the list that was sent, from 1.")
    text = serializers.CharField()
    message = serializers.CharField()


class ListSerializer(SegmentSerializer):
    """A list that was just made: who of those named is not known."""

    unknown = UnknownSerializer(many=True, read_only=True)

    class Meta(SegmentSerializer.Meta):
        fields = [*SegmentSerializer.Meta.fields, "unknown"]


class SegmentBody(BodySerializer):
    name = serializers.CharField(max_length=128)
    rule = serializers.JSONField(required=False)
    kind = serializers.ChoiceField(choices=Segment.Kind.choices, default=Segment.Kind.RULE)
    members = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MOST_MEMBERS,
        required=False,
        help_text="Of a list: external_userids, unionids, member ids or phones.",
    )
    is_watched = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_list = attrs["kind"] == Segment.Kind.LIST
        wanted, other = ("members", "rule") if is_list else ("rule", "members")
        if wanted not in attrs:
            raise serializers.ValidationError({wanted: [_required()]}, code="required")
        if other in attrs or (is_list and "is_watched" in attrs):
            wrong = other if other in attrs else "is_watched"
            message = _("A list has members, any other segment a rule.")
            raise serializers.ValidationError({wrong: [message]}, code="conflict")
        return attrs


def _required() -> Any:
    return serializers.ErrorDetail(str(_("This field is required.")), code="required")


class SegmentChange(BodySerializer):
    name = serializers.CharField(max_length=128, required=False)
    rule = serializers.JSONField(required=False)
    is_watched = serializers.BooleanField(required=False)
    version = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="The version that you have looked at; 409 when there is another one by now.",
    )


class MembersBody(BodySerializer):
    add = serializers.ListField(
        child=serializers.CharField(max_length=64), max_length=MOST_MEMBERS, required=False
    )
    remove = serializers.ListField(
        child=serializers.CharField(max_length=64), max_length=MOST_MEMBERS, required=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError({"add": [_required()]}, code="required")
        return attrs


class MembersAnswer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    unknown = UnknownSerializer(many=True)
    version = serializers.IntegerField()


class MembersParameters(BodySerializer):
    as_of = serializers.CharField(
        max_length=40,
        required=False,
        help_text="A past day (or moment): whom the rule meant then.",
    )
    snapshot = IdField(required=False, help_text="The members of a snapshot of the segment.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) > 1:
            message = _("Ask for a day or for a snapshot.")
            raise serializers.ValidationError({"snapshot": [message]}, code="conflict")
        return attrs


class SnapshotBody(BodySerializer):
    as_of = serializers.CharField(
        max_length=40, required=False, help_text="A past day; left out: now."
    )


class SnapshotSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = SegmentSnapshot
        fields = ["id", "version", "as_of", "taken_at", "count", "is_nightly"]


class DifferenceParameters(BodySerializer):
    """Two snapshots of the segment."""

    def get_fields(self) -> dict[str, Any]:
        # "from" and "with" are no names in Python.
        return {
            "from": IdField(help_text="The earlier snapshot."),
            "to": IdField(help_text="The later snapshot."),
        }


class ChangedParameters(BodySerializer):
    """One side of the comparison of two snapshots."""

    def get_fields(self) -> dict[str, Any]:
        # "from" and "with" are no names in Python.
        return {
            "from": IdField(required=False, help_text="Left out: the last but one."),
            "to": IdField(required=False, help_text="Left out: the last."),
            "which": serializers.ChoiceField(choices=list(Side), default="gained"),
        }


class DifferenceAnswer(serializers.Serializer[Any]):
    gained = serializers.IntegerField()
    lost = serializers.IntegerField()
    stayed = serializers.IntegerField()


class OverlapParameters(BodySerializer):
    """The segment to compare with."""

    def get_fields(self) -> dict[str, Any]:
        # "from" and "with" are no names in Python.
        return {"with": IdField(help_text="The id of another segment.")}


class OverlapAnswer(serializers.Serializer[Any]):
    only_this = serializers.IntegerField()
    both = serializers.IntegerField()
    only_other = serializers.IntegerField()


class MoveSerializer(serializers.ModelSerializer[Any]):
    external_userid = serializers.CharField(source="customer.external_userid")
    name = serializers.CharField(source="customer.name")
    entered = serializers.BooleanField(source="has_entered", help_text="False: left.")

    class Meta:
        model = SegmentMove
        fields = ["id", "external_userid", "name", "entered", "at"]


class WarningSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    message = serializers.CharField()


class PersonSerializer(serializers.Serializer[Any]):
    external_userid = serializers.CharField()
    name = serializers.CharField()


class PreviewAnswer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    sample = PersonSerializer(many=True)
    took_ms = serializers.IntegerField()
    warnings = WarningSerializer(
        many=True, help_text="Conditions that exclude each other: nobody can fulfil them."
    )
