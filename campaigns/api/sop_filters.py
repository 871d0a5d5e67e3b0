from django_filters import rest_framework as filters

from campaigns.models import Sop


class SopFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Sop.Status.choices)
    name = filters.CharFilter()
