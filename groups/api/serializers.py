from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from groups.actions.growth import MOST_DAYS, CodeFigures
from groups.models import GroupChat, JoinCode, Membership
from scrm.common.api.bodies import MAX_INT, BodySerializer, IdField

_MOST_TAGS = 50


class GroupChatSerializer(serializers.ModelSerializer[Any]):
    owner = serializers.CharField(source="owner.userid", default=None, allow_null=True)
    tags = serializers.SerializerMethodField()

    class Meta:
        model = GroupChat
        fields = [
            "chat_id",
            "name",
            "owner",
            "member_count",
            "status",
            "tags",
            "opened_at",
            "dismissed_at",
        ]

    def get_tags(self, chat: GroupChat) -> list[str]:
        """The names of its tags; ours alone, the platform has none for chats."""
        return sorted(tag.name for tag in chat.tags.all())


class MemberSerializer(serializers.ModelSerializer[Any]):
    """Staff have a `userid`, everybody else an `external_userid`."""

    userid = serializers.SerializerMethodField()
    external_userid = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = [
            "type",
            "userid",
            "external_userid",
            "name",
            "joined_at",
            "join_scene",
            "inviter",
        ]

    def get_userid(self, member: Membership) -> str | None:
        return member.member_id if member.type == Membership.Type.STAFF else None

    def get_external_userid(self, member: Membership) -> str | None:
        return member.member_id if member.type == Membership.Type.CUSTOMER else None


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}]})
class TagField(serializers.Field[Any, Any, Any, Any]):
    """A tag by its name (a text) or its id (a number)."""

    default_error_messages = {"invalid": _("Name a tag by its name or its id.")}

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, bool) or not isinstance(data, (str, int)):
            self.fail("invalid")
        if isinstance(data, int):
            return int(IdField().run_validation(data))
        return str(serializers.CharField(max_length=64).run_validation(data))

    def to_representation(self, value: Any) -> Any:
        return value


class TagsBody(BodySerializer):
    """Tags to give, made if nobody has used the name yet, and tags to take."""

    add = serializers.ListField(child=TagField(), max_length=_MOST_TAGS, default=list)
    remove = serializers.ListField(child=TagField(), max_length=_MOST_TAGS, default=list)


class StatsParameters(BodySerializer):
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=30)


class MovesSerializer(serializers.Serializer[Any]):
    joined = serializers.IntegerField()
    left = serializers.IntegerField()


class DaySerializer(serializers.Serializer[Any]):
    """One day in the corp's time zone; null where nobody counted."""

    date = serializers.DateField(source="day")
    members = serializers.IntegerField(allow_null=True)
    joined = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    messages = serializers.SerializerMethodField()

    def get_messages(self, day: Any) -> int | None:
        """Always null: the platform tells nobody how much is said in a chat."""
        return None


class StatsSerializer(serializers.Serializer[Any]):
    """Who was in the chat at the end of each day, who entered and who left on it."""

    total = serializers.IntegerField()
    known_since = serializers.DateField()
    today = MovesSerializer()
    days = DaySerializer(many=True)


class JoinCodeBody(BodySerializer):
    name = serializers.CharField(max_length=64)
    chat_ids = serializers.ListField(
        child=serializers.CharField(max_length=64), max_length=100, help_text="At most five chats."
    )
    is_growing = serializers.BooleanField(
        default=True, help_text="Open another chat when all of them are full."
    )
    base_name = serializers.CharField(
        max_length=40, allow_blank=True, default="", help_text="What such chats are called."
    )
    base_id = serializers.IntegerField(min_value=0, max_value=MAX_INT, default=1)


class JoinCodeSerializer(serializers.ModelSerializer[Any]):
    """`joined` counts people who came by the code; `present` are still there, `left` are not."""

    chat_ids = serializers.SerializerMethodField()
    has_picture = serializers.SerializerMethodField()
    joined = serializers.SerializerMethodField()
    left = serializers.SerializerMethodField()
    present = serializers.SerializerMethodField()

    class Meta:
        model = JoinCode
        fields = [
            "id",
            "name",
            "state",
            "chat_ids",
            "is_growing",
            "base_name",
            "base_id",
            "config_id",
            "status",
            "problem",
            "has_picture",
            "joined",
            "left",
            "present",
            "created_at",
        ]

    def get_chat_ids(self, code: JoinCode) -> list[str]:
        chats = sorted(code.chats.all(), key=lambda chat: chat.pk)
        return [chat.chat_id for chat in chats]

    def get_has_picture(self, code: JoinCode) -> bool:
        return bool(code.picture_type)

    def get_joined(self, code: JoinCode) -> int:
        return self._figures(code).joined

    def get_left(self, code: JoinCode) -> int:
        return self._figures(code).left

    def get_present(self, code: JoinCode) -> int:
        return self._figures(code).present

    def _figures(self, code: JoinCode) -> CodeFigures:
        figures: CodeFigures = self.context["figures"][code.pk]
        return figures
