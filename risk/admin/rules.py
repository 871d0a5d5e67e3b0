"""Rules in the admin: numbers, addresses, words near each other."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from risk.actions.rules import MAX_WITHIN, WITHIN, RuleDraft, create_rule, delete_rule, update_rule
from risk.admin.prohibitions import (
    Lines,
    ProhibitionForm,
    ProhibitionMixin,
    bench_address,
    common_widgets,
)
from risk.models import RiskRule
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action, object_link
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionSaveMixin
from scrm.common.badges import UNKNOWN, listed
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin

Kind = RiskRule.Kind


class RiskRuleForm(ProhibitionForm):
    hosts = Lines(
        label=capfirst(_("allowed hosts")),
        required=False,
        rows=4,
        help_text=_("For links: one a line, such as shop.brand.com; what is below a host is allowed with it."),
    )  # fmt: skip
    first_words = Lines(
        label=capfirst(_("words of the first kind")),
        required=False,
        rows=4,
        help_text=_("For words near each other: one a line, such as 加, 添加."),
    )
    second_words = Lines(
        label=capfirst(_("words of the second kind")),
        required=False,
        rows=4,
        help_text=_("One of these must stand near one of the first kind: 微信, vx."),
    )
    within = forms.IntegerField(
        label=capfirst(_("at most this many characters between")),
        required=False,
        min_value=0,
        max_value=MAX_WITHIN,
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    class Meta:
        model = RiskRule
        fields = ("name", "category", "severity", "kind", "is_draft")
        widgets = {**common_widgets(), "kind": UnfoldAdminSelectWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings: dict[str, Any] = self.instance.settings
        for name in ("allow", "directions"):
            self.initial.setdefault(name, getattr(self.instance, name))
        if self.instance.pk:
            self.initial.setdefault("departments", self.instance.departments.all())
        # Further kinds of words come by the API and are kept.
        groups: list[list[str]] = [*settings.get("words", ()), [], []]
        self.further = groups[2:]
        self.initial.update(
            hosts=settings.get("hosts", []),
            first_words=groups[0],
            second_words=groups[1],
            within=settings.get("within", WITHIN),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind") == Kind.WORDS_TOGETHER:
            for name in ("first_words", "second_words"):
                if not cleaned.get(name):
                    self.add_error(name, _t("Give at least one word."))
        return cleaned

    def act(self) -> RiskRule:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        changes = self.written() | {"kind": self.cleaned_data["kind"], "settings": self._settings()}
        if self.instance.pk:
            rule = RiskRule.objects.select_related("corp").get(pk=self.instance.pk)
            return update_rule(rule, changes=changes, actor=actor, now=now)
        return create_rule(RuleDraft(**changes), corp=self.corp, actor=actor, now=now)

    def _settings(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if cleaned["kind"] == Kind.LINK:
            return {"hosts": cleaned["hosts"]}
        if cleaned["kind"] == Kind.WORDS_TOGETHER:
            further = [group for group in self.further if group]
            words = [cleaned["first_words"], cleaned["second_words"], *further]
            return {"words": words, "within": cleaned["within"]}
        return {}


@admin.register(RiskRule)
class RiskRuleAdmin(ProhibitionMixin, CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[RiskRule]):
    scoping = "corp"
    form = RiskRuleForm
    empty_hint = _("Find numbers, links and words near each other, for example «加 … 微信».")
    list_display = (
        "name", "kind", "category", "grade", "state", "said_by", "version", "updated_at", "brand",
    )  # fmt: skip
    list_filter = (("kind", ChoiceWordFilter), ("severity", ChoiceWordFilter))
    list_select_related = ("corp",)
    search_fields = ("name", "category")
    ordering = ("name", "pk")
    sortable_by = ("name", "kind", "category", "updated_at")
    actions_detail = ("open_bench", "publish", "withdraw", "remove")

    def get_fieldsets(self, request: HttpRequest, obj: RiskRule | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            shown = (
                "name", "kind", "category", "grade", "state", "told", "allowed_words", "said_by",
                "said_in", "version", "history",
            )  # fmt: skip
            return [(None, {"fields": shown})]
        sets = [
            (None, {"fields": ("name", "category", "severity", "is_draft")}),
            (
                _("What is found"),
                {"fields": ("kind", "hosts", "first_words", "second_words", "within", "allow")},
            ),
            (_("For whom"), {"fields": ("directions", "departments")}),
        ]
        if obj is not None:
            sets.append((_("So far"), {"fields": ("state", "version", "history")}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: RiskRule | None = None) -> Any:
        return (
            "grade", "state", "told", "allowed_words", "said_by", "said_in", "version", "history",
        )  # fmt: skip

    @object_link(_("Try it"), icon="science")
    def open_bench(self, request: HttpRequest, rule: RiskRule) -> str:
        return bench_address(rule)

    @object_action(
        _("Publish"),
        explanation=_("From now on every text is screened by it, everywhere within two seconds."),
        icon="publish",
        variant="primary",
    )
    def publish(self, request: HttpRequest, rule: RiskRule, form: DialogForm) -> None:
        self._switch(request, rule, is_draft=False)
        self.message_user(request, _t("The rule is in force."))

    @object_action(
        _("Take out of force"),
        explanation=_("It becomes a draft: kept, and no text is screened by it."),
        icon="unpublished",
    )
    def withdraw(self, request: HttpRequest, rule: RiskRule, form: DialogForm) -> None:
        self._switch(request, rule, is_draft=True)
        self.message_user(request, _t("The rule is a draft again."))

    @object_action(
        _("Delete rule"),
        explanation=_("It holds no longer. Incidents that it raised stay."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, rule: RiskRule, form: DialogForm) -> str:
        delete_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The rule is deleted."))
        return reverse("admin:risk_riskrule_changelist")

    def _switch(self, request: HttpRequest, rule: RiskRule, *, is_draft: bool) -> None:
        actor, now = Actor.of_user(request.user), timezone.now()
        update_rule(rule, changes={"is_draft": is_draft}, actor=actor, now=now)

    @display(_("what is found"))
    def told(self, rule: RiskRule) -> str:
        if hosts := rule.settings.get("hosts"):
            return _t("links, except to %(hosts)s") % {"hosts": listed(hosts)}
        if groups := rule.settings.get("words"):
            return " + ".join(listed(group) for group in groups)
        return UNKNOWN
