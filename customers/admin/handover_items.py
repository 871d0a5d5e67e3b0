"""The customers and groups of a handover, each with where it stands and why."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.handover.belongings import chats_named
from customers.actions.handover.plans import PlanNotEditable, remove_item
from customers.admin.handover_giving import MOST_TOGETHER, give_together
from customers.admin.handover_words import item_badge, why
from customers.admin.pieces import person
from customers.models import HandoverItem, HandoverPlan
from scrm.audit.actions.recording import Actor
from scrm.common.admin import ReadOnlyMixin, display, refuse
from scrm.common.admin_filters import ChoiceWordFilter, WordFilter
from scrm.common.badges import UNKNOWN
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import ScopedModelAdmin, rows_of

_MOST_PLANS = 100


class PlanFilter(WordFilter):
    """Items are looked at plan by plan."""

    title = _("handover")
    parameter_name = "plan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        plans = rows_of(HandoverPlan, request).select_related("from_staff").order_by("-pk")
        return [(str(plan.pk), str(plan)) for plan in plans[:_MOST_PLANS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(plan=value) if value.isdigit() else queryset


class TakerFilter(WordFilter):
    title = _("taker")
    parameter_name = "to"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        plan = request.GET.get("plan", "")
        takers = rows_of(Staff, request).none()
        if plan.isdigit():
            plans = rows_of(HandoverPlan, request).filter(pk=plan)
            takers = rows_of(Staff, request).filter(pk__in=plans.values("takers"))
        return [(str(taker.pk), str(taker)) for taker in takers.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(to_staff=value) if value.isdigit() else queryset


class ItemChangeList(ChangeList):
    """Adds the names of the groups of one page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        items = list(self.result_list)
        attach_chats(items)
        self.result_list = items


def attach_chats(items: list[HandoverItem]) -> None:
    """Set `chat_name` on items of groups: one question per corp."""
    by_corp: dict[int, list[HandoverItem]] = {}
    for item in items:
        if item.chat_id:
            by_corp.setdefault(item.corp_id, []).append(item)
    for theirs in by_corp.values():
        chats = chats_named({item.chat_id for item in theirs}, corp=theirs[0].corp)
        for item in theirs:
            chat = chats.get(item.chat_id)
            item.chat_name = chat.name if chat else ""  # type: ignore[attr-defined]


@admin.register(HandoverItem)
class HandoverItemAdmin(ReadOnlyMixin, ScopedModelAdmin[HandoverItem]):
    empty_hint = _("Plan a handover: its customers and groups are listed here.")
    list_display = (
        "who", "kind_of", "giver", "taker", "state", "reason_words", "asked_at", "takeover_at",
        "brand",
    )  # fmt: skip
    list_filter = (PlanFilter, ("status", ChoiceWordFilter), TakerFilter)
    list_select_related = ("corp", "plan", "customer", "from_staff", "to_staff", "operation")
    search_fields = ("customer__name", "customer__external_userid", "chat_id")
    search_help_text = _("Search by name, external id or chat id.")
    ordering = ("-plan", "pk")
    sortable_by = ("asked_at", "takeover_at")
    actions = ("give_to", "take_out")
    fields = (
        ("who", "kind_of"),
        ("giver", "taker"),
        ("state", "reason_words"),
        ("asked_at", "takeover_at"),
        ("settled_at", "attempts"),
    )
    readonly_fields = (
        "who", "kind_of", "giver", "taker", "state", "reason_words", "asked_at", "takeover_at",
        "settled_at", "attempts",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[HandoverItem]:
        return super().get_queryset(request).defer("operation__payload", "operation__result")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ItemChangeList

    def has_plan_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.change_handoverplan")

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        item = self.get_object(request, object_id)
        return str(item.customer or item.chat_id) if item else ""

    @admin.action(description=_("Give to another taker …"), permissions=["plan"])
    def give_to(
        self, request: HttpRequest, queryset: QuerySet[HandoverItem]
    ) -> HttpResponse | None:
        return give_together(self, request, queryset)

    @admin.action(description=_("Take out of the plan"), permissions=["plan"])
    def take_out(self, request: HttpRequest, queryset: QuerySet[HandoverItem]) -> None:
        actor, now = Actor.of_user(request.user), timezone.now()
        try:
            for item in queryset.order_by("pk")[:MOST_TOGETHER]:
                remove_item(item, actor=actor, now=now)
        except PlanNotEditable as error:
            refuse(request, error)
        else:
            self.message_user(request, _t("Taken out; they go on waiting."))

    @display(_("customer or group"))
    def who(self, item: HandoverItem) -> SafeString:
        if item.customer:
            return person(str(item.customer), seed=item.customer.external_userid)
        name = getattr(item, "chat_name", "") or item.chat_id
        return person(name, _t("group"), seed=item.chat_id)

    @display(_("kind"))
    def kind_of(self, item: HandoverItem) -> str:
        return item.get_kind_display()

    @display(_("who hands over"))
    def giver(self, item: HandoverItem) -> SafeString:
        link = reverse("admin:customers_handoverplan_change", args=[item.plan_id])
        return format_html('<a class="scrm-link" href="{}">{}</a>', link, str(item.from_staff))

    @display(_("taker"), ordering="to_staff__name")
    def taker(self, item: HandoverItem) -> str:
        return str(item.to_staff) if item.to_staff else UNKNOWN

    @display(_("status"))
    def state(self, item: HandoverItem) -> SafeString:
        return item_badge(item)

    @display(_("reason"))
    def reason_words(self, item: HandoverItem) -> str:
        return why(item) or UNKNOWN
