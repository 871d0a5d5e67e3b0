"""Rules over REST."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from risk.actions.rules import RuleDraft, create_rule, delete_rule, update_rule
from risk.api.lexicons import ProhibitionBody, ProhibitionFilter, ProhibitionSerializer
from risk.models import RiskRule
from scrm.audit.api.acting import ActingViewSet


class RuleFilter(ProhibitionFilter):
    kind = filters.ChoiceFilter(choices=RiskRule.Kind.choices)


class RiskRuleSerializer(ProhibitionSerializer):
    settings = serializers.DictField()

    class Meta:
        model = RiskRule
        fields = [*ProhibitionSerializer.COMMON, "kind", "settings"]


class RiskRuleBody(ProhibitionBody):
    kind = serializers.CharField(help_text="phone, email, bank_card, link or words_together")
    settings = serializers.DictField(
        required=False,
        help_text='Of links {"hosts": [allowed]}; of words_together {"words": [[…], […]], "within": 12}.',
    )


class RiskRuleViewSet(ActingViewSet):
    """Patterns: numbers, addresses, words near each other."""

    area = "risk"
    resource = "risk_rules"
    queryset = RiskRule.objects.prefetch_related("departments")
    serializer_class = RiskRuleSerializer
    filterset_class = RuleFilter

    def get_queryset(self) -> QuerySet[RiskRule]:
        return super().get_queryset().select_related("corp")

    @extend_schema(request=RiskRuleBody, responses={201: RiskRuleSerializer})
    def create(self, request: Request) -> Response:
        """Make a rule; unless it is a draft it holds within two seconds."""
        draft = RuleDraft(**self.read_body(RiskRuleBody))
        rule = create_rule(draft, corp=self.corp, actor=self.actor, now=self.now)
        return Response(self.get_serializer(rule).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RiskRuleBody)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change a rule."""
        rule: RiskRule = self.get_object()
        changes = self.read_body(RiskRuleBody, partial=True)
        rule = update_rule(rule, changes=changes, actor=self.actor, now=self.now)
        return Response(self.get_serializer(rule).data)

    def destroy(self, request: Request, **_: Any) -> Response:
        """Delete a rule."""
        delete_rule(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)
