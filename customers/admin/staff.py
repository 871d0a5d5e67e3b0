"""Staff with the customers they follow; the list itself is kept on the platform."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.leaving import mark_leaving, unmark_leaving
from customers.admin.pieces import person
from customers.models import Follow
from scrm.audit.actions.recording import Actor
from scrm.common.admin import (
    DialogForm,
    ReadOnlyMixin,
    display,
    object_action,
    object_link,
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
        ("leaving_since", "left_at"),
        "brand",
    )
    readonly_fields = (
        "who", "state", "units", "position", "customers", "contact", "userid", "alias",
        "leaving_since", "left_at", "brand",
    )  # fmt: skip
    sortable_by = ("who", "customers")
    actions_detail = ("mark_leaving", "unmark_leaving", "hand_over")

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

    # What may be done; editing the rows themselves is never one of these.
    def has_tend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tenancy.change_staff")

    def has_plan_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.add_handoverplan")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        staff = self.get_object(request, str(object_id))
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        shown = _buttons_for(staff) if staff else ()
        return [
            each for each in actions if each.action_name.removeprefix("tenancy_staff_") in shown
        ]

    @object_action(
        _("She is leaving"),
        explanation=_("From now on she gets no campaign, no step of a SOP, no code and nobody's customers. Hand hers over before her account is deleted in WeCom."),
        permission="tend",
        icon="logout",
        variant="primary",
    )  # fmt: skip
    def mark_leaving(self, request: HttpRequest, staff: Staff, form: DialogForm) -> None:
        mark_leaving(staff, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("She gets nothing new from now on; her customers wait."))

    @object_action(
        _("She stays"),
        explanation=_("She may be given campaigns, codes and customers again."),
        permission="tend",
        icon="undo",
    )
    def unmark_leaving(self, request: HttpRequest, staff: Staff, form: DialogForm) -> None:
        unmark_leaving(staff, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("She stays; everything may be given to her again."))

    @object_link(_("Hand over"), permission="plan", icon="swap_horiz")
    def hand_over(self, request: HttpRequest, staff: Staff) -> str:
        return f"{reverse('admin:customers_handoverplan_add')}?from={staff.pk}"

    @display(_("name"), ordering="name")
    def who(self, staff: Staff) -> SafeString:
        return person(str(staff), staff.alias, seed=staff.userid)

    @display(_("departments"))
    def units(self, staff: Staff) -> str:
        return listed(unit.name for unit in staff.departments.all()) or UNKNOWN

    @display(_("status"))
    def state(self, staff: Staff) -> SafeString:
        if staff.leaving_since and staff.status != Staff.Status.LEFT:
            return badge(_t("is leaving"), "amber")
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


def _buttons_for(staff: Staff) -> tuple[str, ...]:
    if staff.status == Staff.Status.LEFT:
        return ("hand_over",)
    return ("unmark_leaving", "hand_over") if staff.leaving_since else ("mark_leaving", "hand_over")
