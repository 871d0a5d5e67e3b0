from django_filters import rest_framework as filters

from campaigns.models import Campaign


class CampaignFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Campaign.Status.choices)
    name = filters.CharFilter()
