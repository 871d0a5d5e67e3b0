"""Media files over REST: kept once by content, given to the platform when wanted."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.audit.api.acting import ActingViewSet
from scrm.channels.actions.media import keep_media
from scrm.channels.models import MediaFile
from scrm.common.api.bodies import BodySerializer
from scrm.common.api.parsers import StrictJSONParser


class MediaFileSerializer(serializers.ModelSerializer[Any]):
    bytes = serializers.IntegerField(source="size")
    on_platform_until = serializers.DateTimeField(source="expires_at", allow_null=True)

    class Meta:
        model = MediaFile
        fields = ["id", "kind", "name", "bytes", "on_platform_until", "problem", "created_at"]


class MediaFileBody(BodySerializer):
    kind = serializers.ChoiceField(choices=MediaFile.Kind.choices)
    file = serializers.FileField()


class MediaFileViewSet(ActingViewSet):
    """Pictures, voices, videos and files that messages name."""

    area = "materials"
    queryset = MediaFile.objects.all()
    serializer_class = MediaFileSerializer
    newest_first = True
    # A body of JSON is told what it lacks, as everywhere.
    parser_classes = [StrictJSONParser, MultiPartParser]

    @extend_schema(
        request={"multipart/form-data": MediaFileBody}, responses={201: MediaFileSerializer}
    )
    def create(self, request: Request) -> Response:
        """Keep a file (multipart/form-data); the same content again answers the same id."""
        body = self.read_body(MediaFileBody)
        media = keep_media(
            body["file"],
            corp=self.corp,
            kind=body["kind"],
            name=body["file"].name,
            actor=self.actor,
            now=self.now,
        )
        return Response(self.get_serializer(media).data, status=status.HTTP_201_CREATED)
