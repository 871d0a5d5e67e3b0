from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from groups.actions.group_tags import find_group_tags, tag_chats
from groups.actions.growth import growth_of
from groups.api import serializers
from groups.api.filters import GroupChatFilter
from groups.models import GroupChat, Membership
from scrm.audit.api.acting import ActingViewSet


class GroupChatViewSet(ActingViewSet):
    """Where customers gather."""

    area = "groups"
    queryset = GroupChat.objects.select_related("corp", "owner").prefetch_related("tags")
    serializer_class = serializers.GroupChatSerializer
    filterset_class = GroupChatFilter
    lookup_field = "chat_id"
    lookup_value_regex = "[^/]+"
    paged_actions = frozenset({"list", "members"})
    dry_run_actions = frozenset({"tags"})
    parameters = {"stats": serializers.StatsParameters}

    @extend_schema(responses=serializers.MemberSerializer(many=True))
    @action(detail=True, serializer_class=serializers.MemberSerializer)
    def members(self, request: Request, **_: Any) -> Response:
        """Who is in the chat now."""
        chat: GroupChat = self.get_object()
        return self.answer_page(Membership.objects.present().filter(chat=chat))

    @extend_schema(request=serializers.TagsBody, responses={200: serializers.GroupChatSerializer})
    @action(detail=True, methods=["post"])
    def tags(self, request: Request, **_: Any) -> Response:
        """Give tags to the chat and take others; a name nobody has used yet becomes a tag."""
        chat: GroupChat = self.get_object()
        body = self.read_body(serializers.TagsBody)
        remove = self._tags_of(body, "remove", make=False)
        add = self._tags_of(body, "add", make=True)
        tag_chats([chat], corp=self.corp, actor=self.actor, now=self.now, add=add, remove=remove)
        return Response(self.get_serializer(self.get_queryset().get(pk=chat.pk)).data)

    @extend_schema(parameters=[serializers.StatsParameters], responses=serializers.StatsSerializer)
    @action(detail=True)
    def stats(self, request: Request, **_: Any) -> Response:
        """How the chat grew, by day in the corp's time zone."""
        chat: GroupChat = self.get_object()
        growth = growth_of(chat, days=self.read_parameters()["days"], now=self.now)
        return Response(serializers.StatsSerializer(growth).data)

    def _tags_of(self, body: dict[str, Any], name: str, *, make: bool) -> Any:
        return find_group_tags(
            body[name], corp=self.corp, path=f"/{name}", actor=self.actor, now=self.now, make=make
        )
