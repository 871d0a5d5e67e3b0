from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scrm.jobs.models import Job


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)


class OperationSerializer(serializers.ModelSerializer[Any]):
    progress = serializers.SerializerMethodField()
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = serializers.ListField(  # type: ignore[assignment]
        child=serializers.DictField(), read_only=True
    )
    report = serializers.DictField(read_only=True)

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "status",
            "progress",
            "report",
            "errors",
            "created_at",
            "finished_at",
        ]

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, job: Job) -> dict[str, int | None]:
        return {"done": job.done, "total": job.total}


class StartedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Job.Status.choices)


class AcceptedSerializer(serializers.Serializer[Any]):
    """The answer 202: follow the operation at /operations/{id}/."""

    operation = StartedSerializer()
