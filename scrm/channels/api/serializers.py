from typing import Any

from rest_framework import serializers

from scrm.channels.models import InboundEvent, Operation


class InboundEventSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = InboundEvent
        fields = ["id", "event", "change_type", "received_at", "status", "attempts", "error"]


class OutboxOperationSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = Operation
        fields = ["id", "kind", "status", "attempts", "next_attempt_at", "error"]
