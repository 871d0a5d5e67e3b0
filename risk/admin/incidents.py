"""The queue of incidents: most urgent first, judged with what was said around them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from risk.actions.context import context_of
from risk.actions.incidents import decide_incident, decide_incidents, reopen_incident
from risk.actions.names import names_of
from risk.admin.words import (
    STATUS_TONES,
    marked,
    severity_badge,
    text_instead,
    waiting_badge,
)
from risk.models import ArchivedMessage, Incident
from scrm.audit.actions.recording import Actor
from scrm.common.admin import (
    DialogForm,
    PictureMixin,
    ReadOnlyMixin,
    display,
    object_action,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import UNKNOWN, listed, status_badge
from scrm.common.errors import DomainError
from scrm.common.facts import facts_table
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin, scope_for

# One click is one transaction per row.
_MOST_AT_ONCE = 500
_SHOWN_IN_HISTORY = 10


def _reason(help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=capfirst(_("reason")),
        help_text=help_text,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def _decision() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=capfirst(_("decision")),
        choices=Incident.Decision.choices,
        widget=UnfoldAdminSelectWidget(),
    )


class DecideDialog(DialogForm):
    decision = _decision()
    note = _reason(_("It is kept with the decision."))


class ReopenDialog(DialogForm):
    note = _reason(_("The earlier decision stays in the audit log."))


class DecideForm(forms.Form):
    decision = _decision()
    note = _reason(_("It is kept with each of them."))


class StaffFilter(AutocompleteFilter):
    title = _("staff member")
    parameter_name = "staff"
    source = Incident._meta.get_field("staff")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(staff__in=chosen) if chosen else queryset


class LateFilter(WordFilter):
    title = _("waiting")
    parameter_name = "late"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("longer than it may"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        if self.value() != "yes":
            return queryset
        return queryset.overdue(timezone.now())  # type: ignore[attr-defined, no-any-return]


class IncidentChangeList(ChangeList):
    """Adds the names of the customers of the page: one query a corp."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        incidents = list(self.result_list)
        attach_names(incidents)
        self.result_list = incidents


def attach_names(incidents: list[Incident]) -> None:
    ids: dict[Corp, set[str]] = {}
    for incident in incidents:
        ids.setdefault(incident.corp, set()).add(incident.external_userid)
    names: dict[int, Mapping[str, str]] = {
        corp.pk: names_of("customer", found, corp=corp) for corp, found in ids.items()
    }
    for incident in incidents:
        name = names[incident.corp_id].get(incident.external_userid)
        incident.customer_name = name or incident.external_userid  # type: ignore[attr-defined]


@admin.register(Incident)
class IncidentAdmin(PictureMixin, ReadOnlyMixin, ScopedModelAdmin[Incident]):
    empty_hint = _(
        "What the rules find in archived messages is judged here, and customers deleted by staff."
    )
    list_display = (
        "what", "grade", "waiting", "state", "staff", "customer", "found", "happened_at", "brand",
    )  # fmt: skip
    list_filter = (
        ("status", ChoiceWordFilter),
        ("severity", ChoiceWordFilter),
        ("kind", ChoiceWordFilter),
        LateFilter,
        StaffFilter,
        ("decision", ChoiceWordFilter),
        ("happened_at", DayRangeFilter),
    )
    list_select_related = ("corp", "staff")
    search_fields = ("=external_userid", "=chat_id", "category", "staff__name", "note")
    search_help_text = _("Search by customer or group chat id, category, staff member or reason.")
    ordering = ()
    sortable_by = ("happened_at",)
    actions = ("decide_chosen",)
    actions_detail = ("decide", "reopen")
    change_form_outer_before_template = "admin/risk/incident.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IncidentChangeList

    def get_ordering(self, request: HttpRequest) -> Any:
        return Incident.urgency(timezone.now())

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("risk.change_incident")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        incident = self.get_object(request, str(object_id))
        shown = {"decide", "reopen"}
        if incident:
            shown -= {"reopen"} if incident.is_open else set()
            shown -= {"decide"} if incident.status == Incident.Status.DECIDED else set()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if each.action_name.rpartition("_")[2] in shown]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        incident = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if incident is not None and self.has_view_permission(request, incident):
            context["case"] = self._case(request, incident)
        return super().change_view(request, object_id, form_url, context)

    @object_action(
        _("Decide"),
        explanation=_("It leaves the queue; the decision and its reason are kept."),
        permission="decide",
        form_class=DecideDialog,
        icon="gavel",
        variant="primary",
    )
    def decide(self, request: HttpRequest, incident: Incident, form: DialogForm) -> None:
        decide_incident(
            incident,
            decision=form.cleaned_data["decision"],
            note=form.cleaned_data["note"],
            actor=Actor.of_user(request.user),
            now=timezone.now(),
        )
        self.message_user(request, _t("It is decided."))

    @object_action(
        _("Open again"),
        explanation=_("It goes back into the queue."),
        permission="decide",
        form_class=ReopenDialog,
        icon="undo",
    )
    def reopen(self, request: HttpRequest, incident: Incident, form: DialogForm) -> None:
        reopen_incident(
            incident,
            note=form.cleaned_data["note"],
            actor=Actor.of_user(request.user),
            now=timezone.now(),
        )
        self.message_user(request, _t("It is open again."))

    @admin.action(description=_("Decide …"), permissions=["decide"])
    def decide_chosen(
        self, request: HttpRequest, queryset: QuerySet[Incident]
    ) -> HttpResponse | None:
        """Ask once what they were and why, then decide all of them alike."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        form = DecideForm(request.POST if "apply" in request.POST else None)
        if form.is_valid():
            chosen = queryset.exclude(status=Incident.Status.DECIDED).order_by("pk")
            actor, now = Actor.of_user(request.user), timezone.now()
            try:
                done = decide_incidents(
                    chosen[:_MOST_AT_ONCE], **form.cleaned_data, actor=actor, now=now
                )
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                message = ngettext(
                    "%(count)d incident is decided.", "%(count)d incidents are decided.", done
                )
                self.message_user(request, message % {"count": done})
                return HttpResponseRedirect(request.get_full_path())
        context = {
            **self.admin_site.each_context(request),
            "title": _t("Decide together"),
            "page_title": _t("Decide together"),
            "opts": self.opts,
            "form": form,
            "count": len(request.POST.getlist(ACTION_CHECKBOX_NAME)),
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/risk/decide_together.html", context)

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        incident = self.get_object(request, object_id)
        return f"{self.what(incident)} #{incident.pk}" if incident else ""

    @display(_("incident"))
    def what(self, incident: Incident) -> str:
        return " · ".join(filter(None, [str(incident.get_kind_display()), incident.category]))

    @display(_("severity"))
    def grade(self, incident: Incident) -> SafeString:
        return severity_badge(incident.severity)

    @display(_("waiting"))
    def waiting(self, incident: Incident) -> SafeString | str:
        return waiting_badge(incident, timezone.now())

    @display(_("status"))
    def state(self, incident: Incident) -> SafeString:
        shown = status_badge(incident, STATUS_TONES)
        if not incident.decision:
            return shown
        return format_html("{} {}", shown, incident.get_decision_display())

    @display(_("customer"))
    def customer(self, incident: Incident) -> str:
        name: str = getattr(incident, "customer_name", incident.external_userid)
        return name or UNKNOWN

    @display(_("rules that matched"))
    def found(self, incident: Incident) -> str:
        """Names of rules only: what was said is on the page."""
        rules = dict.fromkeys(hit["rule"] for hit in incident.hits)
        return listed(list(rules)[:3]) + (" …" if len(rules) > 3 else "") if rules else UNKNOWN

    def _case(self, request: HttpRequest, incident: Incident) -> dict[str, Any]:
        now = timezone.now()
        attach_names([incident])
        may_read = request.user.has_perm("risk.view_archivedmessage")
        related = Incident.objects.related_to(incident).in_scope(scope_for(request))
        past = list(related.select_related("corp", "staff")[:_SHOWN_IN_HISTORY])
        attach_names(past)
        chats = names_of("chat", [incident.chat_id], corp=incident.corp)
        return {
            "incident": incident,
            "what": self.what(incident),
            "grade": severity_badge(incident.severity),
            "state": self.state(incident),
            "waiting": waiting_badge(incident, now),
            "customer": self.customer(incident),
            "chat": chats.get(incident.chat_id) or incident.chat_id,
            "may_read": may_read,
            "lines": _lines_of(incident) if may_read else [],
            "hits": incident.hits,
            "decided_by": _t("system") if incident.decided_by == "system" else incident.decided_by,
            "stopped": _stopped_of(incident),
            "data": facts_table(_unshown(incident)),
            "past": [
                {
                    "incident": each,
                    "what": self.what(each),
                    "grade": severity_badge(each.severity),
                    "state": self.state(each),
                }
                for each in past
            ],
        }


# What the page shows in a place of its own.
_SHOWN_ELSEWHERE = {"text", "paths", "campaign", "sop", "name", "userid"}


def _unshown(incident: Incident) -> dict[str, Any]:
    return {key: value for key, value in incident.data.items() if key not in _SHOWN_ELSEWHERE}


def _stopped_of(incident: Incident) -> dict[str, Any] | None:
    """What was not sent: its text with what was found in it, and where it is corrected."""
    if incident.kind != Incident.Kind.STOPPED_SEND:
        return None
    data = incident.data
    paths = [*data.get("paths", []), *[""] * len(incident.hits)]
    in_text = [hit for hit, path in zip(incident.hits, paths, strict=False) if path == "/content"]
    page = next((name for name in ("campaign", "sop") if data.get(name)), "")
    return {
        "name": data.get("name") or (f"#{data[page]}" if page else ""),
        "text": marked(data.get("text", ""), in_text),
        "is_sop": page == "sop",
        "link": reverse(f"admin:campaigns_{page}_change", args=[data[page]]) if page else "",
    }


def _lines_of(incident: Incident) -> list[dict[str, Any]]:
    """The conversation as it is shown: text as far as it was kept, what was found marked."""
    lines = []
    for line in context_of(incident):
        is_kept = line.message.text_state == ArchivedMessage.TextState.KEPT
        text: str = line.message.text
        if is_kept and line.is_subject:
            text = marked(text, incident.hits)
        lines.append(
            {
                "message": line.message,
                "speaker": line.speaker,
                "is_subject": line.is_subject,
                "is_kept": is_kept,
                "text": text if is_kept else text_instead(line.message),
            }
        )
    return lines
