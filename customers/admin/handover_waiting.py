"""Customers whose member of staff has left or is leaving: found, looked at, planned for."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action as themed_action

from customers.actions.handover.unassigned import start_reading_unassigned
from customers.actions.handover.waiting import obstacle_of, waiting_follows
from customers.admin.handover_board import board_of
from customers.admin.handover_words import obstacle_badge
from customers.admin.pieces import attach_tags, chips, person
from customers.models import Stage, WaitingCustomer
from scrm.common.admin import PictureMixin, ReadOnlyMixin, display
from scrm.common.admin_filters import WordFilter
from scrm.common.badges import UNKNOWN, badge
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import (
    AutocompleteFilter,
    ScopedModelAdmin,
    rows_of,
    scope_for,
    visible_corps,
)

# More at a time belong to a plan for everybody of one leaver.
MOST_CHOSEN = 500


class LeaverFilter(AutocompleteFilter):
    title = _("who hands over")
    parameter_name = "staff"
    source = WaitingCustomer._meta.get_field("staff")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(staff__in=chosen) if chosen else queryset


class StageOfFilter(WordFilter):
    title = _("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        stages = rows_of(Stage, request).order_by("corp", "order")
        return [(str(stage.pk), stage.name) for stage in stages]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in dict(self.lookup_choices)
        return queryset.filter(customer__stage=self.value()) if known else queryset


class WayFilter(WordFilter):
    """Whether somebody is at it already."""

    title = _("handover")
    parameter_name = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("not planned")), ("planned", _("planned")), ("going", _("on the way"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(is_under_way=False, planned_in__isnull=True)
        if self.value() == "planned":
            return queryset.filter(is_under_way=False, planned_in__isnull=False)
        return queryset.filter(is_under_way=True) if self.value() == "going" else queryset


class WaitingChangeList(ChangeList):
    """Adds the tags of the customers of one page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        follows = list(self.result_list)
        attach_tags([follow.customer for follow in follows])
        self.result_list = follows


@admin.register(WaitingCustomer)
class WaitingCustomerAdmin(ReadOnlyMixin, PictureMixin, ScopedModelAdmin[WaitingCustomer]):
    empty_hint = _(
        "Nobody waits. Mark a member of staff as leaving on her page, or read from WeCom who has left."
    )
    list_display = (
        "who", "giver", "waits", "last_contact", "stage_name", "tags", "way", "can_go", "brand",
    )  # fmt: skip
    list_filter = (LeaverFilter, StageOfFilter, WayFilter)
    list_select_related = ("corp", "staff", "customer__stage")
    list_before_template = "admin/customers/waiting_board.html"
    search_fields = ("customer__name", "remark", "customer__external_userid")
    search_help_text = _("Search by name, remark or external id.")
    ordering = ("staff", "pk")
    sortable_by = ("waits", "last_contact")
    actions = ("plan_chosen",)
    actions_list = ("read_now",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitingCustomer]:
        rows: Any = super().get_queryset(request)
        return waiting_follows(rows, now=timezone.now())  # type: ignore[return-value]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WaitingChangeList

    def has_plan_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.add_handoverplan")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            **(extra_context or {}),
            "board": board_of(scope_for(request), visible_corps(request)),
            "can_plan": self.has_plan_permission(request),
        }
        return super().changelist_view(request, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A waiting customer has no page of her own: hers is the customer's."""
        follow = self.get_object(request, object_id)
        if follow is None or not self.has_view_permission(request, follow):
            return super().change_view(request, object_id, form_url, extra_context)
        context = {**(extra_context or {}), "title": str(follow.customer), "waiting": follow}
        return super().change_view(request, object_id, form_url, context)

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        follow = self.get_object(request, object_id)
        return str(follow.customer) if follow else ""

    @themed_action(  # type: ignore[untyped-decorator, unused-ignore]
        description=_("Read from WeCom"), url_path="read-now", permissions=["plan"], icon="refresh"
    )
    def read_now(self, request: HttpRequest) -> HttpResponse:
        for corp in visible_corps(request):
            start_reading_unassigned(corp, now=timezone.now())
        self.message_user(request, _t("WeCom is being asked who waits; it shows here in a moment."))
        return HttpResponseRedirect(reverse("admin:customers_waitingcustomer_changelist"))

    @admin.action(description=_("Plan a handover …"), permissions=["plan"])
    def plan_chosen(
        self, request: HttpRequest, queryset: QuerySet[WaitingCustomer]
    ) -> HttpResponse | None:
        chosen = list(queryset.values_list("staff", "customer")[: MOST_CHOSEN + 1])
        givers = {staff_id for staff_id, _customer in chosen}
        if len(givers) != 1:
            message = _t("Choose customers of one colleague at a time.")
            self.message_user(request, message, level="warning")
            return None
        if len(chosen) > MOST_CHOSEN:
            message = _t("At most %(count)d can be chosen; plan for everybody of hers instead.")
            self.message_user(request, message % {"count": MOST_CHOSEN}, level="warning")
            return None
        listed = ",".join(str(customer_id) for _staff, customer_id in chosen)
        query = urlencode({"from": givers.pop(), "customers": listed})
        return HttpResponseRedirect(f"{reverse('admin:customers_handoverplan_add')}?{query}")

    @display(_("customer"), ordering="customer__name")
    def who(self, follow: WaitingCustomer) -> SafeString:
        customer = follow.customer
        remark = follow.remark if follow.remark != customer.name else ""
        return person(str(customer), remark, seed=customer.external_userid)

    @display(_("who hands over"))
    def giver(self, follow: WaitingCustomer) -> SafeString:
        staff = follow.staff
        has_left = staff.status == Staff.Status.LEFT
        state = badge(_t("left"), "grey") if has_left else badge(_t("is leaving"), "amber")
        return format_html("{} {}", str(staff), state)

    @display(_("waits for"), ordering="waits_since")
    def waits(self, follow: WaitingCustomer) -> str:
        since = getattr(follow, "waits_since", None)
        return timesince(since, timezone.now(), depth=1) if since else UNKNOWN

    @display(_("last contact"), ordering="last_interaction_at")
    def last_contact(self, follow: WaitingCustomer) -> str:
        last = follow.last_interaction_at or follow.customer.last_interaction_at
        return timesince(last, timezone.now(), depth=1) if last else UNKNOWN

    @display(_("stage"))
    def stage_name(self, follow: WaitingCustomer) -> str:
        stage = follow.customer.stage
        return stage.name if stage else UNKNOWN

    @display(_("tags"))
    def tags(self, follow: WaitingCustomer) -> SafeString | str:
        return chips(getattr(follow.customer, "shown_tags", []))

    @display(_("handover"))
    def way(self, follow: WaitingCustomer) -> SafeString | str:
        plan: int | None = getattr(follow, "planned_in", None)
        if plan is None:
            return badge(_t("on the way"), "blue") if _is_going(follow) else UNKNOWN
        link = reverse("admin:customers_handoverplan_change", args=[plan])
        return format_html('<a class="scrm-link" href="{}">{}</a>', link, _t("planned"))

    @display(_("can be handed over"))
    def can_go(self, follow: WaitingCustomer) -> SafeString:
        return obstacle_badge(obstacle_of(follow, now=timezone.now()), ready=_t("yes"))


def _is_going(follow: WaitingCustomer) -> bool:
    return bool(getattr(follow, "is_under_way", False))
