from typing import Any

from rest_framework import serializers

from scrm.tenancy.models import Corp


class CorpSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = Corp
        fields = ["corp_id", "name", "time_zone", "quota_mode"]
