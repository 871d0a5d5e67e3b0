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
            "text {text}; image {file}; link {title, url, desc?, picurl?};"
            " miniprogram {title, pic_file, appid, page}; video {file}; file {file}."
            " `file` and `pic_file` are ids of POST /media-files/; a media_id that the platform gave"
            " may stand in their place, as `media_id` and `pic_media_id`, for as long as it lives."
        )
    )
