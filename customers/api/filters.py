from datetime import datetime
from typing import cast

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework.request import Request

from customers.actions.segments import customers_of
from customers.actions.stages import DEFAULT_STAGES
from customers.models import (
    Customer,
    CustomerQuerySet,
    CustomerTagSet,
    Follow,
    Segment,
    Stage,
    Tag,
    TagKind,
)
from scrm.common.api.bodies import unknown_id
from scrm.common.api.filters import IdFilter, IdsFilter, MomentFilter
from scrm.tenancy.models import ApiKey, Corp, Staff

LIVE, LOST, ALL = "live", "lost", "all"


class CustomerFilter(filters.FilterSet):
    """Unknown tags, stages, staff and segments are refused: they would look like «nobody»."""

    external_userid = filters.CharFilter()
    unionid = filters.CharFilter()
    tag = IdsFilter(method="with_any_tag", help_text="Ids of tags; several mean any of them.")
    stage = filters.CharFilter(method="in_stage", help_text="The key of a stage.")
    staff = filters.CharFilter(method="followed_by", help_text="The userid of a staff member.")
    updated_since = MomentFilter(method="changed_since")
    segment = IdFilter(method="in_segment", help_text="The id of a segment.")
    status = filters.ChoiceFilter(
        choices=[(LIVE, LIVE), (LOST, LOST), (ALL, ALL)],
        method="with_status",
        help_text="live (default): somebody follows them; lost: nobody any more; all: both.",
    )

    @property
    def corp(self) -> Corp:
        return cast("ApiKey", cast("Request", self.request).auth).corp

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        customers = cast("CustomerQuerySet", queryset)
        status = self.form.cleaned_data.get("status") or LIVE
        if status == LIVE:
            customers = customers.live()
        elif status == LOST:
            customers = customers.lost()
        return super().filter_queryset(customers)

    def with_status(self, queryset: CustomerQuerySet, name: str, value: str) -> CustomerQuerySet:
        return queryset

    def with_any_tag(
        self, queryset: CustomerQuerySet, name: str, value: list[int]
    ) -> CustomerQuerySet:
        wanted = set(value)
        known = Tag.objects.for_corp(self.corp).current().filter(pk__in=wanted)
        if wanted != set(known.values_list("pk", flat=True)):
            raise unknown_id("/tag", _("There is no such tag."))
        carried = CustomerTagSet.objects.filter(
            corp=self.corp, customer=OuterRef("pk"), tag_ids__overlap=sorted(wanted)
        )
        return queryset.filter(Exists(carried))

    def in_stage(self, queryset: CustomerQuerySet, name: str, value: str) -> CustomerQuerySet:
        stages = Stage.objects.for_corp(self.corp)
        # A corp has the default stages from the first time somebody is put into one.
        if value not in (set(stages.values_list("key", flat=True)) or DEFAULT_STAGES):
            raise unknown_id("/stage", _("There is no such stage."))
        return queryset.filter(stage__in=stages.filter(key=value))

    def followed_by(self, queryset: CustomerQuerySet, name: str, value: str) -> CustomerQuerySet:
        staff = Staff.objects.for_corp(self.corp).filter(userid=value).first()
        if staff is None:
            raise unknown_id("/staff", _("There is no such member of staff."))
        follows = Follow.objects.filter(corp=self.corp, customer=OuterRef("pk"), staff=staff)
        if (self.form.cleaned_data.get("status") or LIVE) == LIVE:
            follows = follows.live()
        return queryset.filter(Exists(follows))

    def changed_since(
        self, queryset: CustomerQuerySet, name: str, value: datetime
    ) -> CustomerQuerySet:
        """Who changed, or whose tags of ours did; each half has an index of its own."""
        customers = Customer.objects.for_corp(self.corp).filter(updated_at__gte=value)
        tag_sets = CustomerTagSet.objects.for_corp(self.corp).filter(changed_at__gte=value)
        return queryset.filter(pk__in=customers.values("pk").union(tag_sets.values("pk")))

    def in_segment(self, queryset: CustomerQuerySet, name: str, value: int) -> CustomerQuerySet:
        segment = Segment.objects.for_corp(self.corp).filter(pk=value).first()
        if segment is None:
            raise unknown_id("/segment", _("There is no such segment."))
        members = customers_of(segment.rule, corp=self.corp, now=timezone.now())
        return queryset.filter(pk__in=members.values("pk"))


class StaffFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Staff.Status.choices)
    department = IdFilter(
        field_name="departments__department_id", help_text="The platform id of a department."
    )


class TagFilter(filters.FilterSet):
    name = filters.CharFilter()
    kind = filters.ChoiceFilter(choices=TagKind.choices)
    group = IdFilter(field_name="group_id")


class TagGroupFilter(filters.FilterSet):
    name = filters.CharFilter()
    kind = filters.ChoiceFilter(choices=TagKind.choices)


class SegmentFilter(filters.FilterSet):
    name = filters.CharFilter()
