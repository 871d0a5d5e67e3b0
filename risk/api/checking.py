"""Asking whether a text may be said."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from risk.actions.screening import Direction, VerdictWord, screen_text
from risk.api.incidents import HitSerializer
from scrm.common.api.bodies import BodySerializer
from scrm.tenancy.api.base import CorpViewSet

MAX_TEXT = 2**20


class CheckBody(BodySerializer):
    text = serializers.CharField(
        max_length=MAX_TEXT,
        allow_blank=True,
        trim_whitespace=False,
        error_messages={
            "max_length": _("At most %(limit)s characters are screened at once.")
            % {"limit": "{max_length}"}
        },
    )
    direction = serializers.ChoiceField(
        choices=[each.value for each in Direction],
        required=False,
        allow_null=True,
        help_text="Who says it; left out: every rule is asked.",
    )


class VerdictSerializer(serializers.Serializer[Any]):
    """`high` blocks, `medium` warns, `low` passes and is told."""

    verdict = serializers.ChoiceField(choices=[each.value for each in VerdictWord])
    hits = HitSerializer(many=True)


class CheckViewSet(CorpViewSet):
    """The corp's published lexicons and rules, asked about one text. Nothing is kept."""

    area = "risk"
    scopes = {"check": ("risk:read", "risk:write")}
    serializer_class = VerdictSerializer

    @extend_schema(request=CheckBody, responses={200: VerdictSerializer})
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        """Screen a text: the verdict, and every passage that a rule forbids."""
        body = self.read_body(CheckBody)
        direction = Direction(body["direction"]) if body.get("direction") else None
        verdict = screen_text(body["text"], corp=self.corp, direction=direction)
        return Response(verdict.as_dict())
