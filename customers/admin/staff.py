"""Staff with the customers they follow; the list itself is kept on the platform."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.admin.pieces import person
from customers.models import Follow
from scrm.common.admin import (
    ReadOnlyMixin,
    display,
)
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.badges import UNKNOWN, badge, listed, status_badge
from scrm.tenancy.actions.scopes import with_all_below
from scrm.tenancy.models import Department, Staff
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin

STAFF_TONES = {"active": "green", "disabled": "red", "not_activated": "amber", "left": "grey"}


class DepartmentFilter(AutocompleteFilter):
    title = _("department")
    parameter_name = "department"
    source = Staff._meta.get_field("departments")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """With everybody below, as people mean it."""
        chosen = self.chosen()
        if not chosen:
            return queryset
        departments = Department.objects.filter(pk__in=chosen).select_related("corp")
        return queryset.in_departments(with_all_below(departments))  # type: ignore[attr-defined,no-any-return]


@admin.register(Staff)
class StaffAdmin(ReadOnlyMixin, ScopedModelAdmin[Staff]):
    empty_hint = _(
        "Staff come from WeCom with the first sync: open the corp and choose «Sync now»."
    )
    list_display = ("who", "units", "position", "state", "contact", "customers", "brand")
    list_filter = (DepartmentFilter, ("status", ChoiceWordFilter))
    list_select_related = ("corp",)
    search_fields = ("name", "userid", "alias")
    search_help_text = _("Search by name, alias or userid.")
    ordering = ("status", "name", "pk")
    fields = (
        ("who", "state"),
        ("units", "position"),
        ("customers", "contact"),
        ("userid", "alias"),
        ("left_at", "brand"),
    )
    readonly_fields = (
        "who", "state", "units", "position", "customers", "contact", "userid", "alias", "left_at",
        "brand",
    )  # fmt: skip
    sortable_by = ("who", "customers")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Staff]:
        followed = (
            Follow.objects.live()
            .filter(corp=OuterRef("corp"), staff=OuterRef("pk"))
            .order_by()
            .values("staff")
            .annotate(count=Count("pk"))
            .values("count")
        )
        rows = super().get_queryset(request).prefetch_related("departments")
        return rows.annotate(customer_count=Coalesce(Subquery(followed), 0))

    @display(_("name"), ordering="name")
    def who(self, staff: Staff) -> SafeString:
        return person(str(staff), staff.alias, seed=staff.userid)

    @display(_("departments"))
    def units(self, staff: Staff) -> str:
        return listed(unit.name for unit in staff.departments.all()) or UNKNOWN

    @display(_("status"))
    def state(self, staff: Staff) -> SafeString:
        return status_badge(staff, STAFF_TONES)

    @display(_("customer contact"))
    def contact(self, staff: Staff) -> SafeString:
        if staff.has_customer_contact:
            return badge(_t("yes"), "green")
        return badge(_t("not allowed"), "grey")

    @display(_("customers"), ordering="customer_count")
    def customers(self, staff: Staff) -> SafeString | str:
        count: int = getattr(staff, "customer_count", 0)
        if not count:
            return "0"
        link = f"{reverse('admin:customers_customer_changelist')}?staff={staff.pk}"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', link, f"{count:,}")
