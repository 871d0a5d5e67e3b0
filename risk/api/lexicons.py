"""Lexicons over REST."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from risk.actions.lexicons import (
    LexiconDraft,
    create_lexicon,
    delete_lexicon,
    update_lexicon,
)
from risk.models import Lexicon, Severity
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import MAX_BIGINT, BodySerializer, IdField


class ProhibitionFilter(filters.FilterSet):
    category = filters.CharFilter()
    severity = filters.ChoiceFilter(choices=Severity.choices)
    draft = filters.BooleanFilter(field_name="is_draft")


class ProhibitionSerializer(serializers.ModelSerializer[Any]):
    """What lexicons and rules have in common."""

    draft = serializers.BooleanField(source="is_draft")
    departments = serializers.SerializerMethodField()

    COMMON = (
        "id", "name", "category", "severity", "draft", "directions", "departments", "allow",
        "version", "created_at", "updated_at",
    )  # fmt: skip

    def get_departments(self, prohibition: Any) -> list[int]:
        return sorted(each.department_id for each in prohibition.departments.all())


class LexiconSerializer(ProhibitionSerializer):
    options = serializers.ListField(child=serializers.ChoiceField(choices=Lexicon.OPTIONS))
    merged_words = serializers.ListField(
        child=serializers.CharField(),
        help_text="Words just given that mean the same as one that was kept.",
    )

    class Meta:
        model = Lexicon
        fields = [*ProhibitionSerializer.COMMON, "words", "options", "merged_words"]


class ProhibitionBody(BodySerializer):
    """Words, severities and the like are judged by the action, which names every place."""

    name = serializers.CharField()
    category = serializers.CharField()
    severity = serializers.CharField(help_text="low, medium or high")
    draft = serializers.BooleanField(source="is_draft", required=False)
    allow = serializers.ListField(
        child=serializers.CharField(allow_blank=True),
        required=False,
        help_text="Phrases in which a hit does not count.",
    )
    directions = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="staff, customer, campaign; empty: all.",
    )
    departments = serializers.ListField(
        child=IdField(max_value=MAX_BIGINT),
        required=False,
        help_text="Ids on the platform, with everything below them; empty: the whole corp.",
    )


class LexiconBody(ProhibitionBody):
    words = serializers.ListField(child=serializers.CharField(allow_blank=True))
    options = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Disguises seen through besides the usual ones: repeats, lookalikes, split, pinyin.",
    )


class LexiconViewSet(ActingViewSet):
    """Lists of words. What is no draft holds in every process within two seconds."""

    area = "risk"
    resource = "risk_lexicons"
    queryset = Lexicon.objects.prefetch_related("departments")
    serializer_class = LexiconSerializer
    filterset_class = ProhibitionFilter

    def get_queryset(self) -> QuerySet[Lexicon]:
        return super().get_queryset().select_related("corp")

    @extend_schema(request=LexiconBody, responses={201: LexiconSerializer})
    def create(self, request: Request) -> Response:
        """Make a lexicon; words that mean the same are kept once and named in the answer."""
        draft = LexiconDraft(**self.read_body(LexiconBody))
        lexicon = create_lexicon(draft, corp=self.corp, actor=self.actor, now=self.now)
        return Response(self.get_serializer(lexicon).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=LexiconBody)
    def partial_update(self, request: Request, **_: Any) -> Response:
        """Change a lexicon; `words` are all of its words from now on."""
        lexicon: Lexicon = self.get_object()
        changes = self.read_body(LexiconBody, partial=True)
        lexicon = update_lexicon(lexicon, changes=changes, actor=self.actor, now=self.now)
        return Response(self.get_serializer(lexicon).data)

    def destroy(self, request: Request, **_: Any) -> Response:
        """Delete a lexicon; its words hold no longer."""
        delete_lexicon(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)
