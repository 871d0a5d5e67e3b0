"""The directory of a corp, as the platform knows it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from scrm.common.admin import (
    ReadOnlyMixin,
    display,
)
from scrm.common.badges import UNKNOWN
from scrm.tenancy.models import Department, Staff
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for


@admin.register(Department)
class DepartmentAdmin(ReadOnlyMixin, ScopedModelAdmin[Department]):
    """The directory as the platform knows it; it is changed there."""

    scoping = "corp"
    empty_hint = _("Departments come from WeCom with the first sync.")
    list_display = ("name", "parent", "staff_count", "brand")
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("corp", "parent_id_on_platform", "order", "pk")
    fields = ("name", "parent", "staff_count", "brand", "department_id")
    readonly_fields = fields
    sortable_by = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Department]:
        scope = scope_for(request)
        rows = super().get_queryset(request).filter(deleted_at__isnull=True)
        if not scope.everything:
            rows = rows.filter(Q(corp__in=scope.corp_ids) | Q(pk__in=scope.department_ids))
        employed = Count("staff", filter=~Q(staff__status=Staff.Status.LEFT))
        return rows.annotate(employed=employed, parent_name=_parent_name())

    @display(_("belongs to"))
    def parent(self, department: Department) -> str:
        name: str | None = getattr(department, "parent_name", None)
        return name or UNKNOWN

    @display(_("staff"), ordering="employed")
    def staff_count(self, department: Department) -> int:
        count: int = getattr(department, "employed", 0)
        return count


def _parent_name() -> Any:
    parents = Department.objects.filter(
        corp_id=OuterRef("corp_id"), department_id=OuterRef("parent_id_on_platform")
    )
    return Subquery(parents.values("name")[:1])
