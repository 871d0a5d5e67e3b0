"""Corps: connected with a check at the platform, watched while they sync."""

import re
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from groups.actions.sync import start_sync
from risk.admin.archive_state import archive_state_of
from scrm.audit.actions.recording import Actor
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.common.admin import (
    DialogForm,
    display,
    object_action,
    object_link,
)
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin, show_problems
from scrm.common.badges import badge
from scrm.common.errors import DomainError
from scrm.dashboard.actions.connecting import (
    CREDENTIALS,
    Credentials,
    callback_path,
    check_connection,
    connect_corp,
    exchange_credentials,
)
from scrm.dashboard.actions.corp_settings import CHANGEABLE, change_corp_settings
from scrm.dashboard.doctor.examining import examine
from scrm.dashboard.doctor.findings import Verdict
from scrm.dashboard.syncing import sync_state_of
from scrm.jobs.admin import JOB_TONES
from scrm.jobs.models import Job
from scrm.tenancy.actions.corps import CorpSettings
from scrm.tenancy.models import Corp, Scope
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for

VERDICTS = {
    Verdict.OK: _("well"),
    Verdict.WARNING: _("look at it"),
    Verdict.WRONG: _("wrong"),
    Verdict.UNKNOWN: _("not known"),
}
VERDICT_TONES = {
    Verdict.OK: "green",
    Verdict.WARNING: "amber",
    Verdict.WRONG: "red",
    Verdict.UNKNOWN: "grey",
}

_FLAG = re.compile(r"--([a-z-]+)")


def _time_zones() -> list[tuple[str, str]]:
    usual = ["Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore"]
    others = sorted(name for name in available_timezones() if "/" in name)
    return [(name, name) for name in dict.fromkeys([*usual, *others])]


class SecretInput(UnfoldAdminPasswordToggleWidget):  # type: ignore[misc]
    """Write-only: what is stored never goes back to the browser, typed text only on an error."""

    def __init__(self, *, is_kept: bool = False) -> None:
        attrs: dict[str, Any] = {"autocomplete": "new-password"}
        if is_kept:
            attrs["placeholder"] = _("unchanged")
        super().__init__(attrs=attrs, render_value=False)


def _text(label: Any, help_text: Any = "", *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=capfirst(label),
        help_text=help_text,
        required=required,
        widget=UnfoldAdminTextInputWidget(),
    )


def _secret(label: Any, help_text: Any = "", *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=capfirst(label), help_text=help_text, required=required, widget=SecretInput()
    )


class ConnectForm(forms.Form):
    """The settings of the platform's console, in the order they are met there."""

    name = _text(_("name"), _("What your colleagues call the brand."))
    corp_id = _text(_("corp id"), _("Console › My enterprise › Enterprise information; ww…"))
    agent_id = _text(_("agent id"), _("Console › App management › your app."))
    secret = _secret(_("app secret"), _("On the same page as the agent id."))
    contact_secret = _secret(
        _("contact secret"),
        _("Only when customers are read through another app than the one above."),
        required=False,
    )
    archive_secret = _secret(
        _("archive secret"), _("Only with the paid message archive."), required=False
    )
    callback_token = _secret(
        _("callback token"), _("Your app › Receive messages › Set by API; make one there.")
    )
    callback_aes_key = _secret(_("callback AES key"), _("On the same page; 43 letters and digits."))
    base_url = _text(
        _("platform address"), _("Leave it as it is unless you use a proxy."), required=False
    )
    time_zone = forms.ChoiceField(
        label=capfirst(_("time zone")), choices=_time_zones, widget=UnfoldAdminSelect2Widget()
    )
    quota_mode = forms.ChoiceField(
        label=capfirst(_("mass message quota")),
        choices=Corp.QuotaMode,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("What the console says; as delivered it is monthly."),
    )

    sections = (
        (_("Brand"), ("name", "time_zone", "quota_mode")),
        (_("App"), ("corp_id", "agent_id", "secret")),
        (_("Callbacks"), ("callback_token", "callback_aes_key")),
        (_("Seldom needed"), ("contact_secret", "archive_secret", "base_url")),
    )


class CredentialsForm(forms.Form):
    """The same for a connected corp: an empty field keeps what is there."""

    agent_id = _text(_("agent id"), required=False)
    secret = _secret(_("app secret"), required=False)
    contact_secret = _secret(_("contact secret"), required=False)
    archive_secret = _secret(_("archive secret"), required=False)
    callback_token = _secret(_("callback token"), required=False)
    callback_aes_key = _secret(_("callback AES key"), required=False)
    base_url = _text(_("platform address"), required=False)

    sections = (
        (_("App"), ("agent_id", "secret", "contact_secret", "archive_secret")),
        (_("Callbacks"), ("callback_token", "callback_aes_key")),
        (_("Address"), ("base_url",)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, SecretInput):
                field.widget.attrs["placeholder"] = _("unchanged")


def refuse_beside_fields(form: forms.Form, error: DomainError) -> None:
    """The settings checks speak of command line flags; a form speaks of its labels."""
    show_problems(form, error)
    for name, messages in form.errors.items():
        label = str(form.fields[name].label) if name in form.fields else ""
        for message in messages.as_data():
            message.message = _FLAG.sub(label or r"\1", str(message.message))


class AddKeyDialog(DialogForm):
    """The key is write-only: no page shows it again."""

    version = forms.IntegerField(
        label=capfirst(_("version")),
        min_value=1,
        help_text=_("As the console numbers the public key."),
        widget=UnfoldAdminTextInputWidget(),
    )
    private_key = forms.CharField(
        label=capfirst(_("private key")),
        help_text=_("RSA, 2048 bits, PEM: -----BEGIN PRIVATE KEY----- and so on."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autocomplete": "off"}),
    )


class CorpForm(ActionModelForm[Corp]):
    class Meta:
        model = Corp
        fields = CHANGEABLE
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "time_zone": UnfoldAdminSelect2Widget(choices=_time_zones()),
        }

    def act(self) -> Corp:
        return change_corp_settings(
            Corp.objects.get(pk=self.instance.pk),
            changes={name: self.cleaned_data[name] for name in CHANGEABLE},
            actor=Actor.of_user(self.request.user),
            now=timezone.now(),
        )


@admin.register(Corp)
class CorpAdmin(ActionSaveMixin, ScopedModelAdmin[Corp]):
    form = CorpForm
    empty_hint = _("Connect your first corp: it takes five minutes and the console of WeCom.")
    list_display = ("name", "corp_id", "quota_mode", "last_sync")
    search_fields = ("name", "corp_id")
    ordering = ("name", "pk")
    fieldsets = (
        (_("Settings"), {"fields": (("name", "time_zone"), ("quota_mode", "approval_threshold"))}),
    )
    actions_detail = ("sync_now", "check_connection", "open_doctor", "add_key", "open_credentials")
    change_form_outer_before_template = "admin/tenancy/corp_panel.html"
    sortable_by = ("name",)

    def limit(self, rows: QuerySet[Corp], scope: Scope) -> QuerySet[Corp]:
        """The settings of a corp are for those who may see all of it."""
        return rows if scope.everything else rows.filter(pk__in=scope.corp_ids)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Corp]:
        syncs = Job.objects.filter(corp=OuterRef("pk"), kind="sync").order_by("-id")
        return (
            super()
            .get_queryset(request)
            .annotate(
                sync_status=Subquery(syncs.values("status")[:1]),
                synced_at=Subquery(syncs.values("finished_at")[:1]),
            )
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A new corp is outside everybody's scope but a superuser's.
        return super().has_add_permission(request) and scope_for(request).everything

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Everything of the brand would go with it.
        return False

    def has_sync_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.add_job")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/credentials/",
                wrap(self.credentials_view),
                name="tenancy_corp_credentials",
            ),
            path(
                "<int:pk>/sync-state/", wrap(self.sync_state_view), name="tenancy_corp_sync_state"
            ),
            path("<int:pk>/doctor/", wrap(self.doctor_view), name="tenancy_corp_doctor"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not Django's: it would hold a transaction open while the platform is asked."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"time_zone": settings.TIME_ZONE, "base_url": settings.WECOM_BASE_URL}
        form = ConnectForm(request.POST or None, initial=initial)
        if form.is_valid() and (corp := self._connect(request, form)):
            self.message_user(request, _t("%(corp)s is connected. Next: sync.") % {"corp": corp})
            return HttpResponseRedirect(_page_of(corp))
        return self._show_form(
            request, form, title=_t("Connect a corp"), button=_t("Check and connect")
        )

    def credentials_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        corp = self._corp_or_404(request, pk)
        if not self.has_change_permission(request, corp):
            raise PermissionDenied
        initial = {"agent_id": corp.agent_id, "base_url": corp.base_url}
        form = CredentialsForm(request.POST or None, initial=initial)
        if form.is_valid() and self._exchange(request, corp, form):
            self.message_user(request, _t("The platform accepts the new settings; they are kept."))
            return HttpResponseRedirect(_page_of(corp))
        title = _t("Secrets and address of %(corp)s") % {"corp": corp}
        return self._show_form(request, form, title=title, button=_t("Check and keep"), corp=corp)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        corp = self.get_object(request, object_id)
        if corp is not None:
            context = {"panel": self._panel(request, corp), **(extra_context or {})}
            return super().change_view(request, object_id, form_url, context)
        return super().change_view(request, object_id, form_url, extra_context)

    def doctor_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows what is being looked at first; the findings, which take seconds, come after."""
        corp = self._corp_or_404(request, pk)
        if not self.has_change_permission(request, corp):
            raise PermissionDenied
        title = _t("Doctor: %(corp)s") % {"corp": corp}
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "page_title": title,
            "opts": self.opts,
            "corp": corp,
        }
        if request.method == "POST":
            context["findings"] = [
                (finding, badge(VERDICTS[finding.verdict], VERDICT_TONES[finding.verdict]))
                for finding in examine(corp, now=timezone.now(), public_url=_own_address(request))
            ]
        return TemplateResponse(request, "admin/tenancy/doctor.html", context)

    def sync_state_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that watches a running sync."""
        corp = self._corp_or_404(request, pk)
        context = {"corp": corp, "sync": sync_state_of(corp)}
        return TemplateResponse(request, "admin/tenancy/sync_state.html", context)

    @object_action(
        _("Sync now"),
        explanation=_("Compares staff, tags, customers and groups with the platform and repairs what differs. Nothing is changed on the platform."),
        permission="sync",
        icon="sync",
        variant="primary",
    )  # fmt: skip
    def sync_now(self, request: HttpRequest, corp: Corp, form: DialogForm) -> None:
        start_sync(corp, now=timezone.now())
        self.message_user(request, _t("The sync has begun; this page shows how far it is."))

    @object_action(
        _("Check connection"),
        explanation=_("Asks the platform for a token with the stored secrets."),
        permission="sync",
        icon="wifi_tethering",
    )
    def check_connection(self, request: HttpRequest, corp: Corp, form: DialogForm) -> None:
        check_connection(corp)
        self.message_user(request, _t("The platform accepts the stored secrets."))

    @object_action(
        _("Add archive key"),
        explanation=_("The private half of the key pair whose public half the message archive was given. Keep the keys of earlier versions: messages name theirs."),
        permission="change",
        form_class=AddKeyDialog,
        icon="vpn_key",
    )  # fmt: skip
    def add_key(self, request: HttpRequest, corp: Corp, form: DialogForm) -> None:
        add_archive_key(
            corp,
            version=form.cleaned_data["version"],
            private_key=form.cleaned_data["private_key"],
            actor=Actor.of_user(request.user),
            now=timezone.now(),
        )
        self.message_user(request, _t("The key is kept; what waited for it is read again."))

    @object_link(_("Doctor"), permission="change", icon="stethoscope")
    def open_doctor(self, request: HttpRequest, corp: Corp) -> str:
        return reverse("admin:tenancy_corp_doctor", args=[corp.pk])

    @object_link(_("Secrets and address"), permission="change", icon="key")
    def open_credentials(self, request: HttpRequest, corp: Corp) -> str:
        return reverse("admin:tenancy_corp_credentials", args=[corp.pk])

    @display(_("last sync"))
    def last_sync(self, corp: Corp) -> SafeString | str:
        status = getattr(corp, "sync_status", None)
        if not status:
            return badge(_("never"), "amber")
        return badge(Job.Status(status).label, JOB_TONES[status])

    def _connect(self, request: HttpRequest, form: ConnectForm) -> Corp | None:
        actor = Actor.of_user(request.user)
        try:
            return connect_corp(CorpSettings(**form.cleaned_data), actor=actor, now=timezone.now())
        except DomainError as error:
            refuse_beside_fields(form, error)
            return None

    def _exchange(self, request: HttpRequest, corp: Corp, form: CredentialsForm) -> bool:
        typed = Credentials(**{name: form.cleaned_data[name] for name in CREDENTIALS})
        actor = Actor.of_user(request.user)
        try:
            exchange_credentials(corp, typed=typed, actor=actor, now=timezone.now())
        except DomainError as error:
            refuse_beside_fields(form, error)
            return False
        return True

    def _panel(self, request: HttpRequest, corp: Corp) -> dict[str, Any]:
        return {
            "corp": corp,
            "callback_url": request.build_absolute_uri(callback_path(corp)),
            "sync": sync_state_of(corp),
            "archive": archive_state_of(corp, now=timezone.now()),
        }

    def _corp_or_404(self, request: HttpRequest, pk: int) -> Corp:
        corp = self.get_object(request, str(pk))
        if corp is None:
            raise Http404
        return corp

    def _show_form(
        self,
        request: HttpRequest,
        form: forms.Form,
        *,
        title: str,
        button: str,
        corp: Corp | None = None,
    ) -> TemplateResponse:
        sections = [
            (heading, [form[name] for name in names])
            for heading, names in form.sections  # type: ignore[attr-defined]
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "page_title": title,
            "opts": self.opts,
            "form": form,
            "sections": sections,
            "button": button,
            "corp": corp,
        }
        return TemplateResponse(request, "admin/tenancy/connect.html", context)


def _own_address(request: HttpRequest) -> str:
    """The address the operator came by: the platform has to come by the same."""
    return request.build_absolute_uri("/")


def _page_of(corp: Corp) -> str:
    return reverse("admin:tenancy_corp_change", args=[corp.pk])
