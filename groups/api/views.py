from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from groups.api.filters import GroupChatFilter
from groups.api.serializers import GroupChatSerializer, MemberSerializer
from groups.models import GroupChat, Membership
from scrm.tenancy.api.base import ReadViewSet


class GroupChatViewSet(ReadViewSet):
    """Where customers gather."""

    area = "groups"
    queryset = GroupChat.objects.select_related("owner")
    serializer_class = GroupChatSerializer
    filterset_class = GroupChatFilter
    lookup_field = "chat_id"
    lookup_value_regex = "[^/]+"
    paged_actions = frozenset({"list", "members"})

    @extend_schema(responses=MemberSerializer(many=True))
    @action(detail=True, serializer_class=MemberSerializer)
    def members(self, request: Request, **_: Any) -> Response:
        """Who is in the chat now."""
        chat: GroupChat = self.get_object()
        return self.answer_page(Membership.objects.present().filter(chat=chat))
