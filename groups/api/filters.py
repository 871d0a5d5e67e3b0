from typing import cast

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework.request import Request

from groups.models import GroupChat, GroupTag, JoinCode
from scrm.common.api.bodies import MAX_INT, unknown_id
from scrm.tenancy.models import ApiKey


class GroupChatFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=GroupChat.Status.choices)
    owner = filters.CharFilter(field_name="owner__userid", help_text="The owner's userid.")
    tag = filters.CharFilter(method="with_tag", help_text="The name or the id of a tag.")

    def with_tag(self, queryset: QuerySet[GroupChat], name: str, value: str) -> QuerySet[GroupChat]:
        """An unknown tag is refused: it would look like «no chat»."""
        corp = cast("ApiKey", cast("Request", self.request).auth).corp
        meant = Q(name=value)
        if value.isascii() and value.isdecimal() and len(value) < 19 and int(value) <= MAX_INT:
            meant |= Q(pk=int(value))
        tags = list(GroupTag.objects.for_corp(corp).filter(meant))
        if not tags:
            raise unknown_id("/tag", _("There is no such group tag."))
        # Should one be called by the number of another, the name is meant.
        chosen = next((tag for tag in tags if tag.name == value), tags[0])
        return queryset.filter(tags=chosen)


class JoinCodeFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=JoinCode.Status.choices)
