from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.tenancy.api.base import CorpViewSet
from scrm.tenancy.api.serializers import CorpSerializer


class CorpView(CorpViewSet):
    area = "corp"
    serializer_class = CorpSerializer

    @extend_schema(responses=CorpSerializer)
    def show(self, request: Request) -> Response:
        """The corp the key belongs to."""
        return Response(self.get_serializer(self.corp).data)
