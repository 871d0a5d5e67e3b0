"""Stage rules: in their order, with what each would decide now."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from customers.actions.segments import describe_rule
from customers.actions.stage_rules import (
    Counted,
    delete_stage_rule,
    meant_by,
    preview_stage_rules,
    save_stage_rule,
    start_stage_run,
)
from customers.admin.rule_builder import builder_config, rule_widget
from customers.models import Stage, StageRule
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for, visible_corps

_SAMPLE = 8


class StageRuleForm(ActionModelForm[StageRule]):
    class Meta:
        model = StageRule
        fields = ("stage", "order", "is_active", "rule")
        widgets = {
            "stage": UnfoldAdminSelectWidget,
            "order": UnfoldAdminIntegerFieldWidget,
            "is_active": UnfoldBooleanSwitchWidget,
            "rule": rule_widget(),
        }
        help_texts = {"order": _("The first rule that means a customer decides.")}
        labels = {"is_active": _("Switched on")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "stage" in self.fields:
            stages = Stage.objects.for_corp(self.corp).order_by("order", "pk")
            self.fields["stage"].queryset = stages  # type: ignore[attr-defined]
        if not self.instance.pk:
            self.initial.setdefault("rule", {"all": []})

    def act(self) -> StageRule:
        given = self.cleaned_data
        saved = StageRule.objects.filter(pk=self.instance.pk or 0).select_related("corp").first()
        return save_stage_rule(
            saved,
            stage=given["stage"],
            condition=given["rule"],
            order=given["order"],
            is_active=given["is_active"],
            corp=self.corp,
            actor=Actor.of_user(self.request.user),
            now=timezone.now(),
        )

    def builder(self) -> dict[str, Any]:
        problems = [{"path": each.path, "message": each.message} for each in self.problems]
        preview = reverse("admin:customers_stagerule_preview")
        return builder_config(self.corp, self.request, preview=preview, problems=problems)

    def range_words(self) -> str:
        return _t(
            "Everybody who is followed or was is counted; rules in front of this one come first."
        )


class StageRuleChangeList(ChangeList):
    """Says of each rule of the page whom it means now, all rules of a corp in one question."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rules = list(self.result_list)
        counted: dict[int, Counted] = {}
        for corp in {rule.corp for rule in rules}:
            own = [rule for rule in rules if rule.corp_id == corp.pk]
            ordered = sorted(own, key=lambda rule: (rule.order, rule.pk))
            for each in preview_stage_rules(ordered, corp=corp, now=timezone.now()):
                counted[each.rule.pk] = each
        for rule in rules:
            rule.counted = counted[rule.pk]
        self.result_list = rules


@admin.register(StageRule)
class StageRuleAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[StageRule]):
    # Their counts range over the whole corp.
    scoping = "whole_corp"
    form = StageRuleForm
    empty_hint = _("Say by facts where a customer stands; the first rule that means her decides.")
    list_display = ("place", "stage_badge", "told", "decides", "moves", "is_on", "brand")
    list_display_links = ("place", "stage_badge")
    list_select_related = ("corp", "stage")
    ordering = ("corp", "order", "pk")
    sortable_by = ()
    actions_detail = ("run_now", "remove")
    change_form_template = "admin/customers/segment_page.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return StageRuleChangeList

    def get_fields(self, request: HttpRequest, obj: StageRule | None = None) -> Any:
        return ("stage", "order", "is_active", "rule")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.delete_stagerule")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        preview = path("preview/", wrap(self.preview_view), name="customers_stagerule_preview")
        return [preview, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> JsonResponse:
        """Whom a condition means by itself, before the rules in front of it are asked."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        corps = Corp.objects.filter(pk__in=scope_corps(request))
        corp = corps.filter(pk=_number(request.GET.get("corp", ""))).first()
        if corp is None:
            raise Http404
        try:
            condition = json.loads(request.body).get("rule")
        except (ValueError, AttributeError):
            return JsonResponse({"errors": [{"path": "/rule", "message": _t("This is not JSON.")}]})
        try:
            meant = meant_by(condition, corp=corp, now=timezone.now())
            words = describe_rule(condition, corp=corp)
        except DomainError as error:
            problems = [{"path": each.path, "message": each.message} for each in error.errors]
            return JsonResponse({"errors": problems})
        newest = meant.order_by("-added_at", "-pk")[:_SAMPLE]
        told = {"count": meant.count(), "words": words, "sample": [str(each) for each in newest]}
        return JsonResponse(told)

    @object_action(
        _("Judge everybody now"),
        explanation=_("All active rules are asked in their order for every customer who is followed or was; whom somebody has set by hand lately stays."),
        permission="change",
        icon="play_arrow",
    )  # fmt: skip
    def run_now(self, request: HttpRequest, rule: StageRule, form: DialogForm) -> str:
        job = start_stage_run(rule.corp, now=timezone.now())
        return reverse("admin:jobs_job_change", args=[job.pk])

    @object_action(
        _("Delete rule"),
        explanation=_("Whoever stands at its stage stays there."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, rule: StageRule, form: DialogForm) -> str:
        delete_stage_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The rule is deleted."))
        return reverse("admin:customers_stagerule_changelist")

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        rule = self.get_object(request, object_id)
        return f"{rule.order}. {rule.stage.name}" if rule else ""

    @display(_("place"))
    def place(self, rule: StageRule) -> int:
        return rule.order

    @display(_("stage"))
    def stage_badge(self, rule: StageRule) -> SafeString:
        return badge(rule.stage.name, "teal")

    @display(_("whom"))
    def told(self, rule: StageRule) -> SafeString | str:
        counted: Counted = rule.counted  # type: ignore[attr-defined]
        return badge(counted.problem, "red") if counted.problem else counted.words

    @display(_("decides for"))
    def decides(self, rule: StageRule) -> str:
        return f"{rule.counted.customers:,}"  # type: ignore[attr-defined]

    @display(_("would move"))
    def moves(self, rule: StageRule) -> str:
        return f"{rule.counted.moving:,}"  # type: ignore[attr-defined]

    @display(_("status"))
    def is_on(self, rule: StageRule) -> SafeString:
        return badge(_t("on"), "green") if rule.is_active else badge(_t("off"), "grey")


def scope_corps(request: HttpRequest) -> list[int]:
    """The corps that the person may see as a whole."""
    scope = scope_for(request)
    return [
        corp.pk for corp in visible_corps(request) if scope.everything or corp.pk in scope.corp_ids
    ]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
