from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.actions.materials import (
    MaterialArchived,
    MaterialDraft,
    archive_material,
    create_material,
    update_material,
)
from campaigns.api.material_filters import MaterialFilter
from campaigns.api.material_serializers import MaterialBody, MaterialSerializer
from campaigns.models import Material
from scrm.audit.api.acting import ActingViewSet


class MaterialViewSet(ActingViewSet):
    """What is said again and again; screened as it is written."""

    area = "materials"
    queryset = Material.objects.all()
    serializer_class = MaterialSerializer
    filterset_class = MaterialFilter
    newest_first = True

    @extend_schema(request=MaterialBody, responses={201: MaterialSerializer})
    def create(self, request: Request) -> Response:
        """Keep a material; one that must not be said is kept as `blocked`, with its hits."""
        draft = MaterialDraft(**self.read_body(MaterialBody))
        material = create_material(self.corp, draft=draft, actor=self.actor, now=self.now)
        return Response(self.get_serializer(material).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=MaterialBody)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change it; campaigns that were submitted keep what stood in it then."""
        material: Material = self.get_object()
        if material.status == Material.Status.ARCHIVED:
            # Told before what the body says wrong; the action looks again under its lock.
            raise MaterialArchived.of(material)
        changes = self.read_body(MaterialBody, partial=True)
        changed = update_material(material, changes=changes, actor=self.actor, now=self.now)
        return Response(self.get_serializer(changed).data)

    def destroy(self, request: Request, **_: Any) -> Response:
        """Archive it: nothing new can use it, what was sent still names it."""
        archive_material(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)
