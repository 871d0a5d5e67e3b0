from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from customers.actions.notes import MAX_NOTE
from customers.actions.tags import LONGEST_DAYS
from customers.actions.timeline import TYPES
from customers.models import Customer, Follow, Tag, TagGroup, TagKind, TimelineEntry
from scrm.common.api.bodies import MAX_INT, BodySerializer, IdField
from scrm.tenancy.models import Staff

MAX_LOOKUP = 100
MAX_BATCH = 500


class StaffSerializer(serializers.ModelSerializer[Any]):
    departments = serializers.SerializerMethodField()
    customer_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Staff
        fields = ["userid", "name", "departments", "status", "leaving_since", "customer_count"]

    def get_departments(self, staff: Staff) -> list[int]:
        return sorted(
            department.department_id
            for department in staff.departments.all()
            if department.deleted_at is None
        )


class CarriedTagSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=TagKind.choices)


class FollowSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField()
    remark = serializers.CharField()
    state = serializers.CharField()
    status = serializers.ChoiceField(choices=Follow.Status.choices)
    added_at = serializers.DateTimeField()
    tags = CarriedTagSerializer(many=True)


class CustomerSerializer(serializers.Serializer[Any]):
    external_userid = serializers.CharField()
    unionid = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=Customer.Type.choices)
    gender = serializers.ChoiceField(choices=Customer.Gender.choices)
    stage = serializers.CharField(allow_null=True)
    tags = CarriedTagSerializer(many=True)
    follows = FollowSerializer(many=True)
    attributes = serializers.DictField()
    added_at = serializers.DateTimeField(allow_null=True)
    last_interaction_at = serializers.DateTimeField(allow_null=True)


class CustomerChange(BodySerializer):
    stage = serializers.CharField(max_length=32, allow_null=True, required=False)
    attributes = serializers.DictField(
        required=False,
        help_text="Merged into what is there; null takes a key away (RFC 7396).",
    )


class CustomerLookup(BodySerializer):
    external_userids = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False
    )
    unionids = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    phones = serializers.ListField(child=serializers.CharField(max_length=32), required=False)
    member_ids = serializers.ListField(child=serializers.CharField(max_length=64), required=False)

    def validate(self, attrs: dict[str, list[str]]) -> dict[str, list[str]]:
        count = sum(len(ids) for ids in attrs.values())
        if not 0 < count <= MAX_LOOKUP:
            message = _("Ask for 1 to %(limit)d ids in one call.") % {"limit": MAX_LOOKUP}
            raise serializers.ValidationError(message, code="wrong_number")
        return attrs


class LookupAnswer(serializers.Serializer[Any]):
    results = CustomerSerializer(many=True)
    missing = serializers.ListField(child=serializers.CharField())


class TagGroupSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = TagGroup
        fields = ["id", "name", "kind", "wecom_id", "is_exclusive"]


class TagGroupBody(BodySerializer):
    name = serializers.CharField(max_length=64)
    kind = serializers.ChoiceField(choices=TagKind.choices, default=TagKind.SYSTEM)


class NameBody(BodySerializer):
    name = serializers.CharField(max_length=64)


class LastsDaysField(serializers.IntegerField):
    """Days after which a tag ends, counted from when it is given; null: never."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LONGEST_DAYS, **kwargs)


class TagSerializer(serializers.ModelSerializer[Any]):
    group = serializers.IntegerField(source="group_id", read_only=True)
    customer_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Tag
        fields = ["id", "name", "kind", "group", "wecom_id", "lasts_days", "customer_count"]


class TagBody(BodySerializer):
    name = serializers.CharField(max_length=64)
    group = IdField(required=False, help_text="Left out: a group for tags without one.")
    kind = serializers.ChoiceField(choices=TagKind.choices, required=False)
    lasts_days = LastsDaysField(required=False, allow_null=True)


class TagPatchBody(BodySerializer):
    name = serializers.CharField(max_length=64, required=False)
    lasts_days = LastsDaysField(required=False, allow_null=True)


class TagGroupPatchBody(BodySerializer):
    name = serializers.CharField(max_length=64, required=False)
    is_exclusive = serializers.BooleanField(required=False)


class PretagItem(BodySerializer):
    phone = serializers.CharField(max_length=64, required=False)
    unionid = serializers.CharField(max_length=64, required=False)
    member_id = serializers.CharField(max_length=64, required=False)
    external_userid = serializers.CharField(max_length=64, required=False)
    tags = serializers.ListField(child=IdField(max_value=MAX_INT), min_length=1, max_length=100)


class PretagBody(BodySerializer):
    items = serializers.ListField(child=PretagItem(), min_length=1, max_length=MAX_BATCH)


class BatchRow(BodySerializer):
    external_userid = serializers.CharField(max_length=64)
    add = serializers.ListField(child=IdField(max_value=MAX_INT), default=list)
    remove = serializers.ListField(child=IdField(max_value=MAX_INT), default=list)
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When the tags given end."
    )


class BatchBody(BodySerializer):
    items = serializers.ListField(child=BatchRow(), min_length=1, max_length=MAX_BATCH)


class BatchProblem(serializers.Serializer[Any]):
    path = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class BatchResult(serializers.Serializer[Any]):
    external_userid = serializers.CharField()
    status = serializers.IntegerField(
        help_text="200 done, 202 asked of the platform, 404 no such customer, 409, 422."
    )
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = BatchProblem(many=True)  # type: ignore[assignment]


class BatchAnswer(serializers.Serializer[Any]):
    results = BatchResult(many=True)


class PretagResult(serializers.Serializer[Any]):
    status = serializers.IntegerField(
        help_text="200 given, 202 waits for the person or the platform, 409, 422."
    )
    matched = serializers.BooleanField(help_text="Whether the person is known.")
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = BatchProblem(many=True)  # type: ignore[assignment]


class PretagAnswer(serializers.Serializer[Any]):
    results = PretagResult(many=True)


class RuleBody(BodySerializer):
    rule = serializers.JSONField()


class Explanation(serializers.Serializer[Any]):
    matched = serializers.BooleanField()
    has_live_follow = serializers.BooleanField(required=False)
    first_failing = serializers.CharField(allow_null=True, required=False)
    tree = serializers.DictField(required=False, help_text="The rule with the actual values.")
    status = serializers.CharField(
        required=False, help_text="How far a campaign or a SOP came with the customer."
    )
    reason = serializers.CharField(required=False)


class ExplainParameters(BodySerializer):
    segment = IdField(required=False, help_text="The id of a segment.")
    campaign = IdField(required=False, help_text="The id of a campaign.")
    sop = IdField(required=False, help_text="The id of a SOP.")

    def validate(self, attrs: dict[str, int]) -> dict[str, int]:
        if len(attrs) != 1:
            message = _("Ask about one thing: segment, campaign or sop.")
            raise serializers.ValidationError({"segment": [message]}, code="wrong_number")
        return attrs


class TimelineEntrySerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    type = serializers.ChoiceField(choices=TYPES)
    title = serializers.CharField(help_text="In the language asked for.")
    # DRF takes fields out of the class: the properties of the same names stay what they were.
    data = serializers.DictField(help_text="The ids behind it.")  # type: ignore[assignment]
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=TimelineEntry.Source.choices
    )


class TimelineParameters(BodySerializer):
    type = serializers.ChoiceField(
        choices=TYPES, required=False, help_text="Only entries of this type."
    )


class NoteBody(BodySerializer):
    text = serializers.CharField(max_length=MAX_NOTE)
