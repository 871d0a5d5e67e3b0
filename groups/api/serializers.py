from typing import Any

from rest_framework import serializers

from groups.models import GroupChat, Membership


class GroupChatSerializer(serializers.ModelSerializer[Any]):
    owner = serializers.CharField(source="owner.userid", default=None, allow_null=True)
    tags = serializers.SerializerMethodField()

    class Meta:
        model = GroupChat
        fields = ["chat_id", "name", "owner", "member_count", "status", "tags", "opened_at"]

    def get_tags(self, chat: GroupChat) -> list[str]:
        """Empty: this version has no tags of groups."""
        return []


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
