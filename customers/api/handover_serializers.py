from typing import Any

from django.utils import timezone
from rest_framework import serializers

from customers.actions.handover.plans import MOST_LISTED
from customers.actions.handover.reasons import sentence_of
from customers.actions.handover.results import results_of
from customers.actions.handover.waiting import obstacle_of
from customers.models import Follow, HandoverItem, HandoverKind, HandoverPlan
from scrm.common.api.bodies import BodySerializer


class HandoverPlanListSerializer(serializers.ModelSerializer[Any]):
    """Without figures, which are counted for one plan at a time."""

    from_userid = serializers.CharField(source="from_staff.userid")
    to_userids = serializers.SerializerMethodField()

    class Meta:
        model = HandoverPlan
        fields = [
            "id",
            "kind",
            "from_userid",
            "to_userids",
            "rule",
            "include_groups",
            "message",
            "status",
            "created_at",
            "executed_at",
            "finished_at",
        ]

    def get_to_userids(self, plan: HandoverPlan) -> list[str]:
        return sorted(staff.userid for staff in plan.takers.all())


class HandoverPlanSerializer(HandoverPlanListSerializer):
    results = serializers.SerializerMethodField()

    class Meta(HandoverPlanListSerializer.Meta):
        fields = [*HandoverPlanListSerializer.Meta.fields, "results"]

    def get_results(self, plan: HandoverPlan) -> dict[str, Any]:
        """Customers by where they stand; `groups` have their new owner, `chats` by status."""
        return results_of(plan)


class HandoverPlanBody(BodySerializer):
    """Without `external_userids` and `chat_ids` it is about everything that waits."""

    kind = serializers.ChoiceField(choices=HandoverKind.choices)
    from_userid = serializers.CharField(max_length=64)
    to_userids = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1)
    external_userids = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        allow_null=True,
        max_length=MOST_LISTED,
    )
    chat_ids = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, allow_null=True
    )
    include_groups = serializers.BooleanField(required=False)
    rule = serializers.ChoiceField(choices=HandoverPlan.Rule.choices, required=False)
    message = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="What the customer reads; at most 200 characters, only when she stays.",
    )


class HandoverItemBody(BodySerializer):
    to_userid = serializers.CharField(max_length=64)


class HandoverItemParameters(BodySerializer):
    status = serializers.ChoiceField(choices=HandoverItem.Status.choices, required=False)


class HandoverItemSerializer(serializers.ModelSerializer[Any]):
    """A customer (`external_userid`) or a group (`chat_id`) on the way."""

    external_userid = serializers.CharField(
        source="customer.external_userid", default=None, allow_null=True
    )
    chat_id = serializers.SerializerMethodField()
    from_userid = serializers.CharField(source="from_staff.userid")
    to_userid = serializers.CharField(source="to_staff.userid", default=None, allow_null=True)
    explanation = serializers.SerializerMethodField()
    operation = serializers.SerializerMethodField()

    class Meta:
        model = HandoverItem
        fields = [
            "id",
            "external_userid",
            "chat_id",
            "from_userid",
            "to_userid",
            "kind",
            "status",
            "reason",
            "explanation",
            "errcode",
            "attempts",
            "operation",
            "asked_at",
            "takeover_at",
            "settled_at",
            "next_attempt_at",
        ]

    def get_chat_id(self, item: HandoverItem) -> str | None:
        return item.chat_id or None

    def get_explanation(self, item: HandoverItem) -> str:
        """The reason as a sentence."""
        return sentence_of(item.reason)

    def get_operation(self, item: HandoverItem) -> dict[str, Any] | None:
        """The request in the outbox; `parked` waits for somebody to correct a setting."""
        operation = item.operation
        if operation is None:
            return None
        return {"id": operation.pk, "status": operation.status, "error": operation.error}


class HandoverLoadSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField()
    name = serializers.CharField()
    before = serializers.IntegerField()
    customers = serializers.IntegerField()
    after = serializers.IntegerField()
    chats = serializers.IntegerField()


class HandoverVerdictSerializer(serializers.Serializer[Any]):
    item = serializers.IntegerField()
    external_userid = serializers.CharField(allow_null=True)
    chat_id = serializers.CharField(allow_null=True)
    to_userid = serializers.CharField(allow_null=True)
    status = serializers.CharField(help_text="planned, or blocked with a reason")
    reason = serializers.CharField()
    explanation = serializers.CharField()
    free_at = serializers.DateTimeField(allow_null=True)


class HandoverPreflightSerializer(serializers.Serializer[Any]):
    """What executing would come to now."""

    planned = serializers.IntegerField()
    ready = serializers.IntegerField()
    groups_ready = serializers.IntegerField()
    blocked = serializers.DictField(child=serializers.IntegerField())
    loads = HandoverLoadSerializer(many=True)
    items = HandoverVerdictSerializer(many=True)


class HandoverWaitingSerializer(serializers.ModelSerializer[Any]):
    """A customer of somebody who has left or is leaving."""

    external_userid = serializers.CharField(source="customer.external_userid")
    name = serializers.CharField(source="customer.name")
    from_userid = serializers.CharField(source="staff.userid")
    kind = serializers.SerializerMethodField()
    waits_since = serializers.DateTimeField()
    waits_hours = serializers.SerializerMethodField()
    last_interaction_at = serializers.SerializerMethodField()
    stage = serializers.CharField(source="customer.stage.key", default=None, allow_null=True)
    tags = serializers.SerializerMethodField()
    is_transferable = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    plan = serializers.IntegerField(source="planned_in", allow_null=True)

    class Meta:
        model = Follow
        fields = [
            "external_userid",
            "name",
            "from_userid",
            "kind",
            "waits_since",
            "waits_hours",
            "last_interaction_at",
            "stage",
            "tags",
            "is_transferable",
            "reason",
            "plan",
        ]

    def get_kind(self, follow: Follow) -> str:
        """As which kind of plan she can be handed over."""
        has_left = follow.staff.status == "left"
        return HandoverKind.RESIGNED if has_left else HandoverKind.IN_SERVICE

    def get_waits_hours(self, follow: Any) -> float | None:
        if follow.waits_since is None:
            return None
        waited: float = (timezone.now() - follow.waits_since).total_seconds()
        return round(waited / 3600, 1)

    def get_last_interaction_at(self, follow: Follow) -> str | None:
        last = follow.last_interaction_at or follow.customer.last_interaction_at
        return timezone.localtime(last).isoformat() if last else None

    def get_tags(self, follow: Any) -> list[dict[str, Any]]:
        tags: list[dict[str, Any]] = self.context.get("tags", {}).get(follow.customer_id, [])
        return tags

    def get_is_transferable(self, follow: Follow) -> bool:
        return not self._obstacle(follow)

    def get_reason(self, follow: Follow) -> str:
        """Why not; empty when she can be handed over now."""
        return self._obstacle(follow)

    def _obstacle(self, follow: Follow) -> str:
        return obstacle_of(follow, now=timezone.now())
