from django_filters import rest_framework as filters

from scrm.channels.models import InboundEvent, Operation


class InboundEventFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=InboundEvent.Status.choices)


class OutboxOperationFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Operation.Status.choices)
    kind = filters.CharFilter()
