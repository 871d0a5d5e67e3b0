from typing import Any

from rest_framework import serializers

from campaigns.api.serializers import FoundSerializer
from campaigns.models import Material
from scrm.common.api.bodies import BodySerializer


class MaterialSerializer(serializers.ModelSerializer[Any]):
    content = serializers.DictField(read_only=True)
    hits = FoundSerializer(many=True, read_only=True)

    class Meta:
        model = Material
        fields = ["id", "kind", "title", "content", "status", "hits", "created_at", "updated_at"]


class MaterialBody(BodySerializer):
    """`content` is {text} for a text, and the fields of the attachment for the rest."""

    kind = serializers.ChoiceField(choices=Material.Kind.choices)
    title = serializers.CharField(max_length=128)
    content = serializers.DictField(
        help_text=(
            "text {text}; image {media_id or pic_url}; link {title, url, desc?, picurl?};"
            " miniprogram {title, pic_media_id, appid, page}; video {media_id}; file {media_id}."
            " A media_id is one the platform gave: files cannot be uploaded here yet."
        )
    )
