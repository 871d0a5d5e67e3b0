"""Handovers: planned, looked at before they leave, carried out, and watched until they end."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.handover.executing import cancel_plan, execute_plan
from customers.actions.handover.polling import refresh_plan
from customers.admin.handover_picture import picture_of
from customers.admin.handover_wizard import show_wizard
from customers.admin.handover_words import PLAN_TONES
from customers.models import HandoverItem, HandoverPlan
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, PictureMixin, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter
from scrm.common.badges import UNKNOWN, listed, status_badge
from scrm.tenancy.scoped_admin import ScopedModelAdmin

S = HandoverPlan.Status
_MOST_NAMES = 3
BUTTONS: dict[str, tuple[str, ...]] = {
    S.DRAFT: ("execute", "discard"),
    S.EXECUTING: ("refresh", "cancel"),
    S.DONE: (),
    S.CANCELLED: ("refresh",),
}


class PlanChangeList(ChangeList):
    """Adds how far the plans of one page came: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        plans = list(self.result_list)
        items = HandoverItem.objects.filter(plan__in=plans).order_by().values("plan")
        counted = items.annotate(
            whole=Count("pk"),
            done=Count("pk", filter=Q(status=HandoverItem.Status.SUCCEEDED)),
            still_open=Count("pk", filter=Q(status__in=HandoverItem.OPEN)),
        )
        figures = {row["plan"]: row for row in counted}
        for plan in plans:
            plan.figures = figures.get(plan.pk)
        self.result_list = plans


@admin.register(HandoverPlan)
class HandoverPlanAdmin(PictureMixin, ScopedModelAdmin[HandoverPlan]):
    empty_hint = _("When a colleague leaves, plan here who takes her customers and groups over.")
    list_display = ("giver", "kind", "state", "taker_names", "done", "created_at", "brand")
    list_filter = (("status", ChoiceWordFilter), ("created_at", DayRangeFilter))
    list_select_related = ("corp", "from_staff")
    search_fields = ("from_staff__name", "from_staff__userid")
    search_help_text = _("Search by the name or userid of who left.")
    ordering = ("-id",)
    sortable_by = ("created_at",)
    actions = None
    actions_detail = ("execute", "refresh", "cancel", "discard")
    change_form_outer_before_template = "admin/customers/handover_picture.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("takers")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PlanChangeList

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.picture_view)
        name = "customers_handoverplan_picture"
        return [path("<int:pk>/picture/", view, name=name), *super().get_urls()]

    # A plan is made by its wizard and changed item by item, never in a form.
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_conduct_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.change_handoverplan")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        plan = self.get_object(request, str(object_id))
        shown = BUTTONS[plan.status] if plan else ()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [
            each
            for each in actions
            if each.action_name.removeprefix("customers_handoverplan_") in shown
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return show_wizard(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        plan = self.get_object(request, object_id)
        context = {"subtitle": "", **(extra_context or {})}
        if plan is not None and self.has_view_permission(request, plan):
            context |= self._picture(request, plan)
        return super().change_view(request, object_id, form_url, context)

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        plan = self.get_object(request, object_id)
        return _t("Handover of %(name)s") % {"name": plan.from_staff} if plan else ""

    def picture_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that watches a running handover."""
        plan = self.get_object(request, str(pk))
        if plan is None or not self.has_view_permission(request, plan):
            raise Http404
        context = self._picture(request, plan)
        return TemplateResponse(request, "admin/customers/handover_picture.html", context)

    def _picture(self, request: HttpRequest, plan: HandoverPlan) -> dict[str, Any]:
        now = timezone.now()
        return {
            "plan": plan,
            "picture": picture_of(plan, now=now),
            "can_conduct": self.has_conduct_permission(request),
            "now": now,
        }

    @object_action(
        _("Carry out"),
        explanation=_("WeCom is asked to hand everybody over. It takes 24 hours, and cannot be taken back."),
        permission="conduct",
        icon="swap_horiz",
        variant="primary",
    )  # fmt: skip
    def execute(self, request: HttpRequest, plan: HandoverPlan, form: DialogForm) -> None:
        execute_plan(plan, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(
            request, _t("WeCom is being asked; the answers show here within seconds.")
        )

    @object_action(
        _("Refresh now"),
        explanation=_("Reads from the platform who has been handed over."),
        permission="conduct",
        icon="refresh",
    )
    def refresh(self, request: HttpRequest, plan: HandoverPlan, form: DialogForm) -> None:
        refresh_plan(plan, now=timezone.now())
        self.message_user(
            request, _t("The platform is being read; the figures follow within seconds.")
        )

    @object_action(
        _("Stop the rest"),
        explanation=_("Nobody else is asked for. Whom WeCom has taken up already is handed over all the same."),
        permission="conduct",
        icon="cancel",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, plan: HandoverPlan, form: DialogForm) -> None:
        cancel_plan(plan, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(
            request, _t("The handover is stopped; what is on its way is still watched.")
        )

    @object_action(
        _("Discard the plan"),
        explanation=_("Nobody was asked anything; everybody goes on waiting."),
        permission="conduct",
        icon="delete",
    )
    def discard(self, request: HttpRequest, plan: HandoverPlan, form: DialogForm) -> str:
        cancel_plan(plan, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The plan is discarded."))
        return reverse("admin:customers_handoverplan_changelist")

    @display(_("who hands over"), ordering="from_staff__name")
    def giver(self, plan: HandoverPlan) -> str:
        return str(plan.from_staff)

    @display(_("status"))
    def state(self, plan: HandoverPlan) -> SafeString:
        return status_badge(plan, PLAN_TONES)

    @display(_("takers"))
    def taker_names(self, plan: HandoverPlan) -> str:
        names = sorted(str(taker) for taker in plan.takers.all())
        if len(names) <= _MOST_NAMES:
            return listed(names) or UNKNOWN
        more = len(names) - _MOST_NAMES
        shown = listed(names[:_MOST_NAMES])
        return _t("%(names)s and %(count)d more") % {"names": shown, "count": more}

    @display(_("handed over"))
    def done(self, plan: HandoverPlan) -> SafeString | str:
        figures: dict[str, int] | None = getattr(plan, "figures", None)
        if not figures or plan.status == S.DRAFT:
            return UNKNOWN if not figures else _t("%(count)d planned") % {"count": figures["whole"]}
        percent = round(100 * figures["done"] / figures["whole"])
        return format_html(
            '<span class="scrm-bar"><i style="width:{}%"></i></span> {} / {}',
            percent,
            figures["done"],
            figures["whole"],
        )
