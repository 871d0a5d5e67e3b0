"""Enrolments as readable timelines, and the runs behind every figure of a SOP."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.actions.sops.ending import cancel_enrolment
from campaigns.admin.sop_words import (
    ENROLMENT_TONES,
    ICONS,
    RUN_TONES,
    Names,
    action_words,
    enrolment_title,
    reason_words,
    time_words,
)
from campaigns.admin.words import RECIPIENT_TONES
from campaigns.models import Enrolment, Recipient, Step, StepRun
from customers.admin.pieces import person
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, PictureMixin, ReadOnlyMixin, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter, WordFilter
from scrm.common.badges import UNKNOWN, status_badge
from scrm.tenancy.models import Scope
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin


class SopFilter(AutocompleteFilter):
    title = _("SOP")
    parameter_name = "sop"
    source = Enrolment._meta.get_field("sop")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(sop__in=chosen) if chosen else queryset


@dataclass(frozen=True)
class Line:
    """One run as a line of the timeline."""

    run: StepRun
    icon: str
    tone: str
    when: str
    words: str
    badge: SafeString
    reason: Any
    is_asked: bool
    # How far the message came with her; empty for everything that is no message.
    reached: SafeString | str
    campaign_link: str


@admin.register(Enrolment)
class EnrolmentAdmin(PictureMixin, ReadOnlyMixin, ScopedModelAdmin[Enrolment]):
    empty_hint = _("Customers appear here when a running SOP has taken them in.")
    list_display = ("who", "sop_name", "state", "anchor", "by", "created_at", "brand")
    list_display_links = ("who",)
    list_filter = (SopFilter, ("status", ChoiceWordFilter))
    list_select_related = ("customer", "sop", "corp")
    search_fields = ("customer__name", "customer__external_userid")
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    actions_detail = ("remove",)
    change_form_template = "admin/campaigns/enrolment_page.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        # Reached from a SOP.
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        rights = ("view_sop", "change_sop")
        return any(request.user.has_perm(f"campaigns.{right}") for right in rights)

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_sop")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        enrolment = self.get_object(request, str(object_id))
        is_active = enrolment is not None and enrolment.status == Enrolment.Status.ACTIVE
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return actions if is_active else []

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        enrolment = self.get_object(request, object_id)
        return enrolment_title(enrolment) if enrolment else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        enrolments: QuerySet[Enrolment] = super().get_queryset(request)
        return enrolments.select_related("customer", "sop", "corp", "staff")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        enrolment = self.get_object(request, object_id)
        context = extra_context or {}
        if enrolment is None or not self.has_view_permission(request, enrolment):
            return super().change_view(request, object_id, form_url, context)
        with timezone.override(enrolment.corp.zone):
            context |= {
                "enrolment": enrolment,
                "badge": status_badge(enrolment, ENROLMENT_TONES),
                "reason": reason_words(enrolment.reason),
                "lines": lines_of(enrolment),
                "now": timezone.now(),
            }
            response = super().change_view(request, object_id, form_url, context)
            # Rendered here, while the corp's time zone holds.
            return response.render() if isinstance(response, TemplateResponse) else response

    @object_action(
        _("Take out"),
        explanation=_("Nothing more is begun for this customer. What staff were asked stays asked."),
        permission="remove",
        icon="person_remove",
    )  # fmt: skip
    def remove(self, request: HttpRequest, enrolment: Enrolment, form: DialogForm) -> None:
        cancel_enrolment(enrolment, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The customer is taken out of the SOP."))

    @display("SOP")
    def sop_name(self, enrolment: Enrolment) -> str:
        return enrolment.sop.name

    @display(_("customer"))
    def who(self, enrolment: Enrolment) -> SafeString:
        customer = enrolment.customer
        return person(str(customer), seed=customer.external_userid)

    @display(_("status"))
    def state(self, enrolment: Enrolment) -> SafeString:
        return status_badge(enrolment, ENROLMENT_TONES)

    @display(_("entered by"))
    def by(self, enrolment: Enrolment) -> str:
        return str(enrolment.get_trigger_display())


def lines_of(enrolment: Enrolment) -> list[Line]:
    """The runs in the order they are due, each with what became of it: four statements."""
    runs = list(
        enrolment.runs.select_related("step", "campaign", "staff").order_by("due_at", "step__position")
    )  # fmt: skip
    names = Names(enrolment.corp, [run.step for run in runs])
    reached = _reached(enrolment, runs)
    return [_line(run, names, reached.get(run.campaign_id)) for run in runs]


def _reached(enrolment: Enrolment, runs: Iterable[StepRun]) -> dict[int | None, Recipient]:
    campaigns = [run.campaign_id for run in runs if run.campaign_id]
    rows = Recipient.objects.filter(campaign__in=campaigns, customer=enrolment.customer_id)
    return {row.campaign_id: row for row in rows}


def _line(run: StepRun, names: Names, recipient: Recipient | None) -> Line:
    is_asked = run.status == StepRun.Status.PENDING and run.taken_at is not None
    return Line(
        run=run,
        icon=ICONS[Step.Action(run.step.action["kind"])],
        tone=RUN_TONES[run.status],
        when=time_words(run.step),
        words=action_words(run.step, names=names),
        badge=status_badge(run, RUN_TONES),
        reason=reason_words(run.reason),
        is_asked=is_asked,
        reached=status_badge(recipient, RECIPIENT_TONES) if recipient else "",
        campaign_link=reverse("admin:campaigns_campaign_change", args=[run.campaign_id])
        if run.campaign_id
        else "",
    )


class StepFilter(WordFilter):
    """Filled by the link from the SOP's page; not offered as a list of all steps there are."""

    title = _("step")
    parameter_name = "step"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        given = request.GET.get("step", "")
        return [(given, f"#{given}")] if given.isdigit() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given = self.value() or ""
        return queryset.filter(step=given) if given.isdigit() and len(given) < 19 else queryset


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyMixin, ScopedModelAdmin[StepRun]):
    empty_hint = _("Each step of each customer is listed once somebody has entered a SOP.")
    list_display = ("who", "sop", "what", "due_at", "state", "why", "settled_at")
    list_display_links = None
    list_filter = (StepFilter, ("status", ChoiceWordFilter))
    list_select_related = ("enrolment__customer", "step__sop")
    search_fields = ("enrolment__customer__name", "enrolment__customer__external_userid")
    ordering = ("-id",)
    sortable_by = ()
    actions = None

    def limit(self, rows: QuerySet[StepRun], scope: Scope) -> QuerySet[StepRun]:
        if scope.everything:
            return rows
        visible = Enrolment.objects.in_scope(scope).values("pk")
        return rows.filter(enrolment__in=visible)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        rights = ("view_sop", "change_sop")
        return any(request.user.has_perm(f"campaigns.{right}") for right in rights)

    @display(_("customer"))
    def who(self, run: StepRun) -> SafeString:
        customer = run.enrolment.customer
        link = reverse("admin:campaigns_enrolment_change", args=[run.enrolment_id])
        return format_html('<a class="scrm-link" href="{}">{}</a>', link, customer)

    @display(_("SOP"))
    def sop(self, run: StepRun) -> str:
        return str(run.step.sop)

    @display(_("step"))
    def what(self, run: StepRun) -> str:
        kind = Step.Action(run.step.action["kind"]).label
        return f"{run.step.position + 1}. {kind}"

    @display(_("status"))
    def state(self, run: StepRun) -> SafeString:
        return status_badge(run, RUN_TONES)

    @display(_("why not"))
    def why(self, run: StepRun) -> Any:
        return reason_words(run.reason) or UNKNOWN
