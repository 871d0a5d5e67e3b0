from typing import Any

from rest_framework import serializers

from campaigns.models import Campaign, Recipient, Task
from risk.actions.screening import VerdictWord
from scrm.common.api.bodies import BodySerializer, IdField, MomentField


class CampaignListSerializer(serializers.ModelSerializer[Any]):
    """Without `external_userids`, of which a campaign can have a hundred thousand."""

    segment = serializers.IntegerField(source="segment_id", allow_null=True, read_only=True)
    attachments = serializers.ListField(child=serializers.DictField(), read_only=True)
    senders = serializers.SerializerMethodField()
    rule = serializers.DictField(allow_null=True, read_only=True)

    class Meta:
        model = Campaign
        fields = [
            "id",
            "name",
            "kind",
            "segment",
            "chat_ids",
            "content",
            "attachments",
            "send_at",
            "sender_policy",
            "senders",
            "status",
            "rule",
            "problem",
            "created_at",
            "submitted_at",
            "asked_at",
            "cancelled_at",
            "finished_at",
        ]

    def get_senders(self, campaign: Campaign) -> list[str]:
        return [staff.userid for staff in campaign.senders.all()]


class CampaignSerializer(CampaignListSerializer):
    class Meta(CampaignListSerializer.Meta):
        fields = [*CampaignListSerializer.Meta.fields, "external_userids"]


class CampaignBody(BodySerializer):
    """`segment`, `external_userids` or, with `groups`, `chat_ids` says to whom; the platform's
    limits are checked at once."""

    name = serializers.CharField(max_length=128)
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices, required=False)
    segment = IdField(required=False, allow_null=True)
    external_userids = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, allow_null=True
    )
    chat_ids = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        allow_null=True,
        help_text="With the kind `groups`; each chat's owner is asked.",
    )
    content = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    attachments = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="Up to 9 of {material: id} or {kind: image | link | miniprogram | video | file, …}.",
    )
    send_at = MomentField(
        required=False, allow_null=True, help_text="Left out: as soon as it is submitted."
    )
    sender_policy = serializers.ChoiceField(choices=Campaign.SenderPolicy.choices, required=False)
    senders = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, help_text="With `named`."
    )


class FoundSerializer(serializers.Serializer[Any]):
    """`start` and `end` count code points of the part of the message that `path` names."""

    path = serializers.CharField()
    rule = serializers.CharField()
    category = serializers.CharField()
    severity = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()


class ScreeningSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=[str(word) for word in VerdictWord])
    hits = FoundSerializer(many=True)


class PreflightSerializer(serializers.Serializer[Any]):
    planned = serializers.IntegerField()
    excluded = serializers.DictField(child=serializers.IntegerField())
    senders = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())
    screening = ScreeningSerializer()


class RemindedSerializer(serializers.Serializer[Any]):
    reminded = serializers.IntegerField(help_text="Staff who will be reminded.")


class ResultsSerializer(serializers.Serializer[Any]):
    """Null before the campaign is planned: nothing is known then."""

    planned = serializers.IntegerField(allow_null=True)
    asked = serializers.IntegerField(allow_null=True)
    confirmed = serializers.IntegerField(allow_null=True)
    delivered = serializers.IntegerField(allow_null=True)
    not_friend = serializers.IntegerField(allow_null=True)
    quota = serializers.IntegerField(allow_null=True)
    unsent = serializers.IntegerField(allow_null=True)
    failed = serializers.IntegerField(allow_null=True)
    excluded = serializers.DictField(child=serializers.IntegerField())


class RecipientSerializer(serializers.ModelSerializer[Any]):
    """A customer has an `external_userid`, a chat a `chat_id`."""

    external_userid = serializers.CharField(source="customer.external_userid", required=False)
    chat_id = serializers.CharField(source="chat.chat_id", required=False)
    userid = serializers.CharField(source="staff.userid", default=None, allow_null=True)

    class Meta:
        model = Recipient
        fields = ["external_userid", "chat_id", "userid", "status", "reason", "settled_at"]

    def to_representation(self, recipient: Recipient) -> dict[str, Any]:
        shown = dict(super().to_representation(recipient))
        shown.pop("external_userid" if recipient.customer_id is None else "chat_id", None)
        return shown


class RecipientParameters(BodySerializer):
    status = serializers.ChoiceField(
        choices=sorted(Recipient.COUNTED_AS),
        required=False,
        help_text="A word of the results; `planned`, `asked` and `confirmed` count who came further.",
    )


class TaskSerializer(serializers.ModelSerializer[Any]):
    userid = serializers.CharField(source="staff.userid")
    planned = serializers.IntegerField()
    delivered = serializers.IntegerField()
    not_friend = serializers.IntegerField()
    quota = serializers.IntegerField()
    unsent = serializers.IntegerField()
    failed = serializers.IntegerField()
    problem = serializers.CharField(source="trouble")

    class Meta:
        model = Task
        fields = [
            "id",
            "userid",
            "part",
            "status",
            "planned",
            "delivered",
            "not_friend",
            "quota",
            "unsent",
            "failed",
            "asked_at",
            "confirmed_at",
            "problem",
        ]
