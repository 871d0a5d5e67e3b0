from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.tags import (
    PlatformTagRefused,
    create_tag,
    create_tag_group,
    delete_tag,
    delete_tag_group,
    rename_tag,
    rename_tag_group,
    set_exclusive,
    set_lasting,
)
from customers.api import filters, serializers
from customers.api.batch import tag_batch
from customers.models import Tag, TagAssignment, TagGroup, TagKind
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import unknown_id
from scrm.common.errors import FieldProblem, InvalidInput


class TagGroupViewSet(ActingViewSet):
    """Tags come in groups; those of kind `wecom` belong to the platform."""

    area = "tags"
    queryset = TagGroup.objects.filter(deleted_at__isnull=True)
    serializer_class = serializers.TagGroupSerializer
    filterset_class = filters.TagGroupFilter

    @extend_schema(
        request=serializers.TagGroupBody, responses={201: serializers.TagGroupSerializer}
    )
    def create(self, request: Request) -> Response:
        """Make a group of our own tags."""
        body = self.read_body(serializers.TagGroupBody)
        group = create_tag_group(**body, corp=self.corp, actor=self.actor, now=self.now)
        return Response(self.get_serializer(group).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.TagGroupPatchBody)
    @transaction.atomic
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Rename one of our groups, or have its tags exclude each other."""
        group: TagGroup = self.get_object()
        refuse_platform_tag(group)
        body = self.read_body(serializers.TagGroupPatchBody)
        if "name" in body:
            rename_tag_group(group, name=body["name"], actor=self.actor, now=self.now)
        if "is_exclusive" in body:
            wanted = {"is_exclusive": body["is_exclusive"]}
            set_exclusive(group, **wanted, actor=self.actor, now=self.now)
        return Response(self.get_serializer(group).data)

    def destroy(self, request: Request, **__: Any) -> Response:
        """Delete one of our groups with its tags."""
        delete_tag_group(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TagViewSet(ActingViewSet):
    """What customers are marked with."""

    area = "tags"
    queryset = Tag.objects.current()
    serializer_class = serializers.TagSerializer
    filterset_class = filters.TagFilter
    dry_run_actions = frozenset({"batch"})

    def get_queryset(self) -> QuerySet[Tag]:
        tags: QuerySet[Tag] = super().get_queryset()
        is_seen = Q(follow__isnull=True) | Q(follow__status="live")
        carried = TagAssignment.objects.filter(
            is_seen, corp=OuterRef("corp"), tag=OuterRef("pk"), customer__live_follows__gt=0
        )
        counts = carried.order_by().values("tag").annotate(number=Count("customer", distinct=True))
        number = Subquery(counts.values("number"), output_field=IntegerField())
        return tags.annotate(customer_count=Coalesce(number, 0))

    @extend_schema(request=serializers.TagBody, responses={201: serializers.TagSerializer})
    def create(self, request: Request) -> Response:
        """Make a tag of our own; platform tags are made in the console of WeCom."""
        body = self.read_body(serializers.TagBody)
        with transaction.atomic():
            group = self._group_for(body.get("group"), body.get("kind"))
            more: dict[str, Any] = {
                "actor": self.actor,
                "now": self.now,
                "lasts_days": body.get("lasts_days"),
            }
            tag = create_tag(body["name"], group=group, **more)
        return Response(self._describe(tag), status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.TagPatchBody)
    @transaction.atomic
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Rename one of our tags, or say how long it lasts."""
        tag: Tag = self.get_object()
        refuse_platform_tag(tag)
        body = self.read_body(serializers.TagPatchBody)
        if "name" in body:
            rename_tag(tag, name=body["name"], actor=self.actor, now=self.now)
        if "lasts_days" in body:
            set_lasting(tag, lasts_days=body["lasts_days"], actor=self.actor, now=self.now)
        return Response(self._describe(tag))

    def destroy(self, request: Request, **__: Any) -> Response:
        """Delete one of our tags and take it from everybody who carries it."""
        delete_tag(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.BatchBody, responses={207: serializers.BatchAnswer})
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Tag and untag up to 500 customers; every row has its own answer."""
        items = self.read_body(serializers.BatchBody)["items"]
        results = tag_batch(items, corp=self.corp, actor=self.actor, now=self.now)
        return Response({"results": results}, status=status.HTTP_207_MULTI_STATUS)

    def _describe(self, tag: Tag) -> dict[str, Any]:
        return dict(self.get_serializer(self.get_queryset().get(pk=tag.pk)).data)

    def _group_for(self, group_id: int | None, kind: str | None) -> TagGroup:
        groups = TagGroup.objects.for_corp(self.corp).filter(deleted_at__isnull=True)
        if group_id is None:
            return self._group_of_ungrouped(groups, kind or TagKind.SYSTEM)
        group = groups.filter(pk=group_id).first()
        if group is None:
            raise unknown_id("/group", _("There is no such group of tags."))
        if kind is not None and kind != group.kind:
            message = _("The kind must be that of the group.")
            raise InvalidInput(message, errors=(FieldProblem("/kind", "conflict", message),))
        return group

    def _group_of_ungrouped(self, groups: QuerySet[TagGroup], kind: str) -> TagGroup:
        # One name whatever language the caller speaks.
        with translation.override(settings.LANGUAGE_CODE):
            name = _("Without a group")
        group = groups.filter(name=name, kind=kind).first()
        return group or create_tag_group(
            name, corp=self.corp, actor=self.actor, now=self.now, kind=TagKind(kind)
        )


def refuse_platform_tag(thing: Tag | TagGroup) -> None:
    """Tell whose a tag is (409) before what the body says wrong (422)."""
    if thing.kind == TagKind.WECOM:
        raise PlatformTagRefused(
            _("Platform tags are created, renamed and deleted in the console of WeCom; then sync.")
        )
