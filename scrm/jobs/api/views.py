from scrm.jobs.api.filters import OperationFilter
from scrm.jobs.api.serializers import OperationSerializer
from scrm.jobs.models import Job
from scrm.tenancy.api.base import ReadViewSet


class OperationViewSet(ReadViewSet):
    """Long work that was answered with 202."""

    area = "operations"
    queryset = Job.objects.all()
    serializer_class = OperationSerializer
    filterset_class = OperationFilter
    newest_first = True
