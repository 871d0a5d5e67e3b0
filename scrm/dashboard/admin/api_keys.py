"""Keys of brands: made, shown once, revoked."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from scrm.audit.actions.recording import Actor, record
from scrm.common.admin import (
    DialogForm,
    display,
    object_action,
)
from scrm.common.admin_filters import WordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge, listed
from scrm.tenancy.actions.api_keys import AREAS, create_api_key, revoke_api_key
from scrm.tenancy.models import ApiKey
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin

# The areas of the API in words, in the order an operator thinks of them.
AREA_WORDS: dict[str, Any] = {
    "corp": _("corp settings"),
    "staff": _("staff"),
    "customers": _("customers"),
    "tags": _("tags"),
    "segments": _("segments"),
    "groups": _("group chats"),
    "campaigns": _("campaigns"),
    "materials": _("materials"),
    "live_codes": _("live codes"),
    "sops": _("SOPs"),
    "handover": _("handover"),
    "orders": _("orders"),
    "events": _("events"),
    "risk": _("risk rules"),
    "privacy": _("privacy"),
    "webhooks": _("webhooks"),
    "jobs": _("imports and exports"),
    "metrics": _("metrics"),
    "operations": _("operations"),
}
EXTRA_WORDS: dict[str, Any] = {
    "customers:pii": _("see phone numbers and the like unmasked"),
    "campaigns:send": _("submit, cancel and remind"),
    "campaigns:approve": _("approve campaigns"),
    "handover:execute": _("carry handovers out"),
    "*": _("everything"),
}


class ScopeMatrix(forms.CheckboxSelectMultiple):
    """Areas down, read and write across, then what goes further."""

    template_name = "admin/tenancy/scope_matrix.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        chosen = set(value or ())
        context["areas"] = [
            (
                words,
                [(f"{area}:{right}", f"{area}:{right}" in chosen) for right in ("read", "write")],
            )
            for area, words in AREA_WORDS.items()
        ]
        context["extras"] = [(code, words, code in chosen) for code, words in EXTRA_WORDS.items()]
        return context


class ApiKeyForm(ActionModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        label=_("This key may"),
        choices=[
            *((f"{area}:{right}", area) for area in AREAS for right in ("read", "write")),
            *EXTRA_WORDS.items(),
        ],
        widget=ScopeMatrix,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "expires_at": UnfoldAdminSplitDateTimeWidget,
        }

    def act(self) -> ApiKey:
        now = timezone.now()
        key, text = create_api_key(
            self.cleaned_data["name"],
            corp=self.corp,
            scopes=self.cleaned_data["scopes"],
            expires_at=self.cleaned_data["expires_at"],
            now=now,
        )
        actor = Actor.of_user(self.request.user)
        data = {"name": key.name, "scopes": key.scopes}
        record("api_keys.created", actor=actor, corp=self.corp, subject=key, now=now, data=data)
        # Shown by the answer to this request, and then gone.
        self.request.scrm_new_key = text  # type: ignore[attr-defined]
        return key


class KeyStateFilter(WordFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("usable", _("usable")), ("revoked", _("revoked")), ("expired", _("expired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        if self.value() == "usable":
            unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
            return queryset.filter(unexpired, revoked_at__isnull=True)
        if self.value() == "revoked":
            return queryset.filter(revoked_at__isnull=False)
        if self.value() == "expired":
            return queryset.filter(revoked_at__isnull=True, expires_at__lte=now)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[ApiKey]):
    scoping = "whole_corp"
    empty_hint = _("A brand's system needs a key to call the API. Make one for each system.")
    form = ApiKeyForm
    list_display = ("name", "starts_with", "state", "rights", "last_used_at", "created_at", "brand")
    list_filter = (KeyStateFilter,)
    list_select_related = ("corp",)
    search_fields = ("name", "prefix")
    ordering = ("-created_at", "-id")
    actions_detail = ("revoke",)
    sortable_by = ("name", "created_at", "last_used_at")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ("name", "scopes", "expires_at")
        return self.get_readonly_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ()
        return (
            "name",
            "starts_with",
            "state",
            "rights",
            "created_at",
            "expires_at",
            "last_used_at",
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"show_save_and_continue": False, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A key is never edited; `revoke` is what can be done to it.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tenancy.change_apikey")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_revoke_permission(request)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the text now: it is kept nowhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": _t("The new key"),
            "page_title": _t("The new key"),
            "opts": self.opts,
            "key": obj,
            "text": request.scrm_new_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/tenancy/new_key.html", context)

    @object_action(
        _("Revoke"),
        explanation=_("Calls with this key are refused from now on. It cannot be undone."),
        permission="revoke",
        icon="key_off",
        variant="danger",
    )
    def revoke(self, request: HttpRequest, key: ApiKey, form: DialogForm) -> None:
        now, actor = timezone.now(), Actor.of_user(request.user)
        with transaction.atomic():
            revoke_api_key(key, now=now)
            record("api_keys.revoked", actor=actor, corp=key.corp, subject=key, now=now)
        self.message_user(request, _t("The key is revoked."))

    @display(_("starts with"))
    def starts_with(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(_("status"))
    def state(self, key: ApiKey) -> SafeString:
        return _state_of(key, timezone.now())

    @display(_("may"))
    def rights(self, key: ApiKey) -> str:
        return format_html_join(" ", "{}", ((badge(word),) for word in words_of(key.scopes)))


def _state_of(key: ApiKey, now: datetime) -> SafeString:
    if key.revoked_at:
        return badge(_("revoked"), "red")
    if key.expires_at and key.expires_at <= now:
        return badge(_("expired"), "amber")
    return badge(_("usable"), "green")


def words_of(scopes: list[str]) -> list[str]:
    """ "customers: read, write" instead of two codes."""
    if not scopes:
        return [_t("nothing")]
    words = [str(EXTRA_WORDS[scope]) for scope in scopes if scope in EXTRA_WORDS]
    for area, area_words in AREA_WORDS.items():
        rights = [
            str(right_words)
            for right, right_words in (("read", _("read")), ("write", _("write")))
            if f"{area}:{right}" in scopes
        ]
        if rights:
            words.append(
                _t("%(area)s: %(rights)s") % {"area": area_words, "rights": listed(rights)}
            )
    return words
