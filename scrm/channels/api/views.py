from scrm.channels.api.filters import InboundEventFilter, OutboxOperationFilter
from scrm.channels.api.serializers import InboundEventSerializer, OutboxOperationSerializer
from scrm.channels.models import InboundEvent, Operation
from scrm.tenancy.api.base import ReadViewSet


class InboundEventViewSet(ReadViewSet):
    """Callbacks of the platform and what became of them."""

    area = "operations"
    queryset = InboundEvent.objects.defer("body")
    serializer_class = InboundEventSerializer
    filterset_class = InboundEventFilter
    newest_first = True


class OutboxOperationViewSet(ReadViewSet):
    """Changes asked of the platform and what became of them."""

    area = "operations"
    queryset = Operation.objects.defer("payload", "result")
    serializer_class = OutboxOperationSerializer
    filterset_class = OutboxOperationFilter
    newest_first = True
