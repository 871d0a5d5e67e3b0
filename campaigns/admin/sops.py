"""SOPs: written as rows of steps, watched as a funnel per step."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.actions.screening import BlockedByRisk
from campaigns.actions.sops.drafting import activate_sop, pause_sop
from campaigns.actions.sops.enrolling import enrol_customer
from campaigns.actions.sops.screening import tell_stopped
from campaigns.actions.sops.simulating import simulate_sop
from campaigns.admin.sop_forms import EnrolDialog, SopForm
from campaigns.admin.sop_picture import picture_of, simulated
from campaigns.admin.sop_presets import PRESETS
from campaigns.admin.sop_words import SOP_TONES
from campaigns.models import Enrolment, Sop, Step
from customers.models import Customer
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action, object_link, refuse
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionSaveMixin
from scrm.common.badges import status_badge
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, rows_of, scope_for

S = Sop.Status
BUTTONS: dict[str, tuple[str, ...]] = {
    S.DRAFT: ("activate", "open_simulation"),
    S.ACTIVE: ("enrol", "open_editor", "open_simulation", "pause"),
    S.PAUSED: ("activate", "open_editor", "open_simulation"),
}


@admin.register(Sop)
class SopAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Sop]):
    scoping = "corp"
    form = SopForm
    empty_hint = _(
        "Say what is done on which day, counted from a day of the customer: begin with a template."
    )
    list_display = ("name", "state", "starts", "steps", "under_way", "through", "brand")
    list_filter = (("status", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name",)
    actions_detail = ("activate", "enrol", "open_editor", "open_simulation", "pause")
    change_form_template = "admin/campaigns/sop_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sop]:
        steps = Step.objects.current().filter(sop=OuterRef("pk")).order_by().values("sop")
        enrolments = Enrolment.objects.in_scope(scope_for(request)).filter(sop=OuterRef("pk"))
        counted = enrolments.order_by().values("sop")
        active = Count("pk", filter=Q(status=Enrolment.Status.ACTIVE))
        finished = Count("pk", filter=Q(status=Enrolment.Status.FINISHED))
        sops: QuerySet[Sop] = super().get_queryset(request)
        return sops.annotate(
            step_count=Coalesce(Subquery(steps.annotate(n=Count("pk")).values("n")), 0),
            active_count=Coalesce(Subquery(counted.annotate(n=active).values("n")), 0),
            finished_count=Coalesce(Subquery(counted.annotate(n=finished).values("n")), 0),
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/simulation/", wrap(self.simulation_view), name="campaigns_sop_simulation"),
            *super().get_urls(),
        ]  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A SOP speaks for the whole corp: some departments are not enough to write it."""
        is_mine = not isinstance(obj, Sop) or self._sees_all_of(request, obj.corp_id)
        return is_mine and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What was done through it stays told.
        return False

    def has_conduct_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return request.user.has_perm("campaigns.change_sop")
        sop = obj if isinstance(obj, Sop) else self.get_object(request, str(obj))
        # Who sees nothing of it is told that it is not there, not that it is forbidden.
        is_mine = sop is None or self._sees_all_of(request, sop.corp_id)
        return is_mine and request.user.has_perm("campaigns.change_sop")

    def corps_to_add_to(self, request: HttpRequest) -> list[Corp]:
        corps = super().corps_to_add_to(request)
        return [corp for corp in corps if self._sees_all_of(request, corp.pk)]

    def _sees_all_of(self, request: HttpRequest, corp_id: int) -> bool:
        scope = scope_for(request)
        return scope.everything or corp_id in scope.corp_ids

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        sop = self.get_object(request, str(object_id))
        shown = BUTTONS[sop.status] if sop else ()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [
            each for each in actions if each.action_name.removeprefix("campaigns_sop_") in shown
        ]

    def _is_edited(self, request: HttpRequest, sop: Sop | None) -> bool:
        if sop is not None and not self.has_change_permission(request, sop):
            return False
        wants = request.method == "POST" or "edit" in request.GET
        return sop is None or sop.status == S.DRAFT or wants

    def get_form(
        self,
        request: HttpRequest,
        obj: Sop | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 — Django's signature
        **kwargs: Any,
    ) -> Any:
        if not self._is_edited(request, obj):
            kwargs["form"] = ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Sop | None = None) -> Any:
        return [(None, {"fields": ("name", "definition")})] if self._is_edited(request, obj) else []

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        chosen = request.GET.get("preset", "")
        context = {"title": _t("Write a SOP"), "presets": PRESETS, "preset": chosen}
        return super().add_view(request, form_url, {**context, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        sop = self.get_object(request, object_id)
        context = {"subtitle": "", **(extra_context or {})}
        if sop is None or not self.has_view_permission(request, sop):
            return super().change_view(request, object_id, form_url, context)
        context |= {"title": sop.name, "sop": sop}
        is_form = self._is_edited(request, sop)
        # Times of the corp, whatever the server's zone is.
        with timezone.override(sop.corp.zone):
            if not is_form:
                context |= {
                    "picture": picture_of(sop, scope=scope_for(request)),
                    "show_save": False,
                    "show_save_and_continue": False,
                }
            return _rendered(super().change_view(request, object_id, form_url, context))

    def response_add(
        self, request: HttpRequest, obj: Sop, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._after_saving(request, obj)

    def response_change(self, request: HttpRequest, obj: Sop) -> HttpResponse:
        return self._after_saving(request, obj)

    def _after_saving(self, request: HttpRequest, sop: Sop) -> HttpResponse:
        if "_activate" in request.POST and self.has_conduct_permission(request, sop):
            self._activate(request, sop)
        elif sop.status == S.DRAFT:
            self.message_user(request, _t("The draft is kept; nothing runs yet."))
        else:
            self.message_user(request, _t("Changed: from now on it goes by the new version."))
        return HttpResponseRedirect(_page_of(sop))

    def _activate(self, request: HttpRequest, sop: Sop) -> None:
        actor, now = Actor.of_user(request.user), timezone.now()
        try:
            activate_sop(sop, actor=actor, now=now)
        except DomainError as error:
            if isinstance(error, BlockedByRisk):
                tell_stopped(error, corp=sop.corp, sop_id=sop.pk, now=now)
            refuse(request, error)
        else:
            self.message_user(request, _t("The SOP runs."))

    @object_action(
        _("Activate"),
        explanation=_("It runs from now on: what happened before starts nothing. After a pause, what is too late follows the rule for delays."),
        permission="conduct",
        icon="play_arrow",
        variant="primary",
    )  # fmt: skip
    def activate(self, request: HttpRequest, sop: Sop, form: DialogForm) -> None:
        self._activate(request, sop)

    @object_action(
        _("Pause"),
        explanation=_("Nothing is begun any more until you activate it again. What staff were asked stays asked."),
        permission="conduct",
        icon="pause",
    )  # fmt: skip
    def pause(self, request: HttpRequest, sop: Sop, form: DialogForm) -> None:
        pause_sop(sop, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The SOP is paused."))

    @object_action(
        _("Take a customer in"),
        explanation=_("She goes through all steps, also when she has been through them before."),
        permission="conduct",
        form_class=EnrolDialog,
        icon="person_add",
        variant="primary",
    )
    def enrol(self, request: HttpRequest, sop: Sop, form: DialogForm) -> str:
        customer = self._customer(request, sop, form.cleaned_data["external_userid"])
        if customer is None:
            raise UnknownCustomer(_t("There is no such customer."))
        enrolment = enrol_customer(
            sop,
            customer,
            anchor=form.cleaned_data["anchor"],
            actor=Actor.of_user(request.user),
            now=timezone.now(),
        )
        return reverse("admin:campaigns_enrolment_change", args=[enrolment.pk])

    @object_link(_("Edit"), permission="conduct", icon="edit")
    def open_editor(self, request: HttpRequest, sop: Sop) -> str:
        return f"{_page_of(sop)}?edit=1"

    @object_link(_("Simulate"), icon="science")
    def open_simulation(self, request: HttpRequest, sop: Sop) -> str:
        return reverse("admin:campaigns_sop_simulation", args=[sop.pk])

    def simulation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would happen to one customer who entered now; nothing is done."""
        sop = self.get_object(request, str(pk))
        if sop is None or not self.has_view_permission(request, sop):
            raise Http404
        wanted = request.GET.get("customer", "").strip()
        customer = self._customer(request, sop, wanted) if wanted else None
        now = timezone.now()
        with timezone.override(sop.corp.zone):
            context = {
                **self.admin_site.each_context(request),
                "title": sop.name,
                "opts": self.opts,
                "original": sop.name,
                "sop": sop,
                "wanted": wanted,
                "customer": customer,
                "samples": list(self._samples(request, sop)),
                "simulation": simulated(simulate_sop(sop, customer, now=now)) if customer else None,
            }
            page = TemplateResponse(request, "admin/campaigns/sop_simulation.html", context)
            return _rendered(page)

    def _customer(self, request: HttpRequest, sop: Sop, wanted: str) -> Customer | None:
        """By her id or, as a person would ask, by her name; of two of one name the newest."""
        customers = rows_of(Customer, request).filter(corp=sop.corp)
        named = customers.filter(Q(external_userid=wanted) | Q(name=wanted))
        found: Customer | None = named.order_by("-added_at", "-pk").first()
        return found

    def _samples(self, request: HttpRequest, sop: Sop) -> QuerySet[Customer]:
        """Some to try it with: for a SOP of a date, such as have it."""
        customers = rows_of(Customer, request).filter(corp=sop.corp, live_follows__gt=0)
        if key := sop.trigger.get("attribute"):
            customers = customers.filter(attributes__has_key=key)
        return customers.order_by("-added_at", "-pk")[:5]

    @display(_("status"))
    def state(self, sop: Sop) -> SafeString:
        return status_badge(sop, SOP_TONES)

    @display(_("begins with"))
    def starts(self, sop: Sop) -> str:
        return str(Sop.Trigger(sop.trigger["type"]).label)

    @display(_("steps"))
    def steps(self, sop: Sop) -> int:
        count: int = getattr(sop, "step_count", 0)
        return count

    @display(_("on the way"))
    def under_way(self, sop: Sop) -> str:
        return f"{getattr(sop, 'active_count', 0):,}"

    @display(_("went to the end"))
    def through(self, sop: Sop) -> str:
        return f"{getattr(sop, 'finished_count', 0):,}"


class UnknownCustomer(DomainError):
    code = "unknown"


def _page_of(sop: Sop) -> str:
    return reverse("admin:campaigns_sop_change", args=[sop.pk])


def _rendered(response: HttpResponse) -> HttpResponse:
    """Rendered here, while the corp's time zone holds."""
    return response.render() if isinstance(response, TemplateResponse) else response
