from django_filters import rest_framework as filters

from scrm.jobs.models import Job


class OperationFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Job.Status.choices)
    kind = filters.CharFilter()
