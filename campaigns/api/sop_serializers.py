from typing import Any

from rest_framework import serializers

from campaigns.actions.sops.drafting import describe_step
from campaigns.models import Enrolment, Sop, StepRun
from customers.models import Customer
from scrm.common.api.bodies import BodySerializer, MomentField


class OffsetSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    minutes = serializers.IntegerField()


class StepSerializer(serializers.Serializer[Any]):
    """One thing to do at one time; `at` is a local time of the corp."""

    id = serializers.IntegerField()
    offset = OffsetSerializer()
    at = serializers.CharField(allow_null=True, help_text="HH:MM")
    action = serializers.DictField(help_text="{kind: message | task | tag | untag | stage, …}")
    condition = serializers.DictField(allow_null=True)


class SopSerializer(serializers.ModelSerializer[Any]):
    trigger = serializers.DictField(read_only=True)
    steps = serializers.SerializerMethodField()
    exit = serializers.DictField(read_only=True, allow_null=True)
    quiet_hours = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = Sop
        fields = [
            "id",
            "name",
            "trigger",
            "steps",
            "exit",
            "quiet_hours",
            "late_policy",
            "grace_minutes",
            "status",
            "version",
            "activated_at",
            "created_at",
            "updated_at",
        ]

    def get_steps(self, sop: Sop) -> list[dict[str, Any]]:
        return [describe_step(step) for step in sop.steps.all() if step.removed_at is None]


class SopBody(BodySerializer):
    """`trigger`, `steps`, `exit` and `condition` are checked by their grammar at once."""

    name = serializers.CharField(max_length=128)
    trigger = serializers.DictField(
        help_text="{type: manual | customer_added | tag_added | attribute_date | group_joined | api}"
    )
    steps = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="A step with its `id` stays itself; one that is left out is removed.",
    )
    exit = serializers.DictField(required=False, allow_null=True)
    quiet_hours = serializers.DictField(
        required=False, allow_null=True, help_text="{start: HH:MM, end: HH:MM}, may cross midnight."
    )
    late_policy = serializers.ChoiceField(choices=Sop.LatePolicy.choices, required=False)
    grace_minutes = serializers.IntegerField(required=False, min_value=0)


class SimulationBody(BodySerializer):
    external_userid = serializers.CharField(max_length=64)
    now = MomentField(required=False, help_text="When she would enter; left out: now.")


class ForeseenSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField(source="step.pk")
    due_at = serializers.DateTimeField()
    status = serializers.CharField(help_text="`missed` when it would be too late at once.")
    reason = serializers.CharField()


class SimulationSerializer(serializers.Serializer[Any]):
    """`anchor` is null when the customer has no date to count from."""

    anchor = serializers.DateTimeField(allow_null=True)
    runs = ForeseenSerializer(many=True)


class EnrolmentBody(BodySerializer):
    external_userid = serializers.CharField(max_length=64)
    anchor = MomentField(required=False, help_text="What the days are counted from; default now.")


class EnrolmentSerializer(serializers.ModelSerializer[Any]):
    sop = serializers.IntegerField(source="sop_id")
    external_userid = serializers.CharField(source="customer.external_userid")
    userid = serializers.CharField(source="staff.userid", default=None, allow_null=True)

    class Meta:
        model = Enrolment
        fields = [
            "id",
            "sop",
            "external_userid",
            "userid",
            "anchor",
            "trigger",
            "status",
            "reason",
            "created_at",
            "ended_at",
        ]


class StepRunSerializer(serializers.ModelSerializer[Any]):
    enrolment = serializers.IntegerField(source="enrolment_id")
    external_userid = serializers.CharField(source="enrolment.customer.external_userid")
    step = serializers.IntegerField(source="step_id")
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)
    userid = serializers.CharField(source="staff.userid", default=None, allow_null=True)

    class Meta:
        model = StepRun
        fields = [
            "id",
            "enrolment",
            "external_userid",
            "step",
            "due_at",
            "status",
            "reason",
            "detail",
            "campaign",
            "userid",
            "settled_at",
        ]


class StepRunParameters(BodySerializer):
    status = serializers.ChoiceField(choices=StepRun.Status.choices, required=False)
    customer = serializers.CharField(
        max_length=64, required=False, help_text="The external_userid."
    )


class LeftOutSerializer(serializers.ModelSerializer[Any]):
    """A customer whom the SOP cannot count from, and what stands in place of a date."""

    value = serializers.CharField(source="noted")
    reason = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = ["external_userid", "name", "value", "reason"]

    def get_reason(self, _customer: Customer) -> str:
        return "not_a_date"
