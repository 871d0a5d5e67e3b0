"""The answer to a call that started long work."""

from django.urls import reverse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.jobs.models import Job


def accepted(job: Job, request: Request) -> Response:
    """202 with the operation and where to follow it."""
    where = reverse("operation-detail", args=[job.pk])
    return Response(
        {"operation": {"id": job.pk, "status": job.status}},
        status=status.HTTP_202_ACCEPTED,
        headers={"Location": request.build_absolute_uri(where)},
    )
