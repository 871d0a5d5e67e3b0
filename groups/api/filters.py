from django_filters import rest_framework as filters

from groups.models import GroupChat


class GroupChatFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=GroupChat.Status.choices)
    owner = filters.CharFilter(field_name="owner__userid", help_text="The owner's userid.")
