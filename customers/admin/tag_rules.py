"""Tag rules: written by clicking, simulated, then switched on."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from customers.actions.segments import describe_rule
from customers.actions.tag_rules import (
    Simulation,
    activate_tag_rule,
    create_auto_tag,
    deactivate_tag_rule,
    delete_tag_rule,
    problem_of,
    save_tag_rule,
    simulate_tag_rule,
)
from customers.admin.pieces import chip
from customers.admin.rule_builder import builder_config, rule_widget
from customers.admin.stage_rules import scope_corps
from customers.models import Tag, TagAssignment, TagGroup, TagKind, TagRule
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge
from scrm.common.errors import DomainError, InvalidInput
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin


class TagRuleForm(ActionModelForm[TagRule]):
    name = forms.CharField(
        label=capfirst(_("tag")), max_length=64, widget=UnfoldAdminTextInputWidget()
    )
    group = forms.CharField(
        label=capfirst(_("tag group")), max_length=64, widget=UnfoldAdminTextInputWidget(),
        help_text=_("A group of automatic tags; a new one is made."),
    )  # fmt: skip

    class Meta:
        model = TagRule
        fields = ("is_lasting", "rule")
        widgets = {"is_lasting": UnfoldBooleanSwitchWidget, "rule": rule_widget()}
        help_texts = {"is_lasting": _("Otherwise it is taken from whom the rule does not mean any more.")}  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            # The tag of a rule stays; it is renamed on its own page.
            del self.fields["name"], self.fields["group"]
        else:
            self.initial.setdefault("rule", {"all": []})
            groups = TagGroup.objects.for_corp(self.corp).filter(kind=TagKind.AUTO, deleted_at=None)
            first = groups.order_by("pk").values_list("name", flat=True).first()
            self.initial.setdefault("group", first or _t("Automatic tags"))

    def act(self) -> TagRule:
        given, actor, now = self.cleaned_data, Actor.of_user(self.request.user), timezone.now()
        rows = TagRule.objects.select_related("corp", "tag__group")
        saved = rows.filter(pk=self.instance.pk or 0).first()
        tag = saved.tag if saved else self._tag(actor, now)
        return save_tag_rule(
            saved,
            tag=tag,
            condition=given["rule"],
            is_lasting=given["is_lasting"],
            corp=self.corp,
            actor=actor,
            now=now,
        )

    def _tag(self, actor: Actor, now: Any) -> Tag:
        """An automatic tag of this name that has no rule, or a new one."""
        name, group = self.cleaned_data["name"].strip(), self.cleaned_data["group"].strip()
        free = Tag.objects.for_corp(self.corp).current().filter(kind=TagKind.AUTO, tagrule=None)
        found = free.select_related("group").filter(name=name, group__name=group).first()
        return found or create_auto_tag(name, group=group, corp=self.corp, actor=actor, now=now)

    def builder(self) -> dict[str, Any]:
        problems = [{"path": each.path, "message": each.message} for each in self.problems]
        preview = reverse("admin:customers_tagrule_preview", args=[self.instance.pk or 0])
        return builder_config(self.corp, self.request, preview=preview, problems=problems)

    def range_words(self) -> str:
        return _t("Everybody who is followed or was is counted.")


class TagRuleChangeList(ChangeList):
    """Counts who carries the tags of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rules = list(self.result_list)
        carried = TagAssignment.objects.filter(tag__in=[rule.tag_id for rule in rules])
        counts: dict[int, int] = dict(
            carried.order_by().values_list("tag").annotate(number=Count("pk"))
        )
        for rule in rules:
            rule.carriers = counts.get(rule.tag_id, 0)
            rule.problem = problem_of(rule)
        self.result_list = rules


@admin.register(TagRule)
class TagRuleAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[TagRule]):
    # Their counts range over the whole corp.
    scoping = "whole_corp"
    form = TagRuleForm
    empty_hint = _("Say by facts who carries a tag; it is simulated before it is switched on.")
    list_display = ("tag_chip", "told", "carried_by", "version", "is_on", "brand")
    list_select_related = ("corp", "tag__group")
    ordering = ("corp", "tag__group", "tag__order", "tag")
    sortable_by = ()
    actions_detail = ("switch_on", "switch_off", "remove")
    change_form_template = "admin/customers/segment_page.html"
    change_form_outer_before_template = "admin/customers/tag_rule_simulated.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TagRuleChangeList

    def get_fields(self, request: HttpRequest, obj: TagRule | None = None) -> Any:
        own = ("is_lasting", "rule")
        return own if obj else ("name", "group", *own)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.delete_tagrule")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        rule = self.get_object(request, str(object_id))
        hidden = "switch_on" if rule and rule.is_active else "switch_off"
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if each.action_name != f"customers_tagrule_{hidden}"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "customers_tagrule_preview"
        return [path("preview/<int:pk>/", wrap(self.preview_view), name=name), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = dict(extra_context or {})
        rule = self.get_object(request, object_id)
        if rule is not None and request.method == "GET" and self.has_view_permission(request, rule):
            context |= {"rule": rule, "problem": problem_of(rule)}
            if not context["problem"]:
                context["simulated"] = simulate_tag_rule(rule, now=timezone.now())
        return super().change_view(request, object_id, form_url, context)

    def preview_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """What a condition would do in the place of a rule's; 0 is a rule yet to be made."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        corps = Corp.objects.filter(pk__in=scope_corps(request))
        wanted = request.GET.get("corp", "")
        corp = corps.filter(
            pk=int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0
        ).first()
        rules = TagRule.objects.select_related("corp", "tag__group").filter(corp=corp)
        rule = rules.filter(pk=pk).first() if pk else _unsaved(corp)
        if corp is None or rule is None:
            raise Http404
        try:
            condition = json.loads(request.body).get("rule")
        except (ValueError, AttributeError):
            return JsonResponse({"errors": [{"path": "/rule", "message": _t("This is not JSON.")}]})
        try:
            words = describe_rule(condition, corp=corp)
            told = simulate_tag_rule(rule, now=timezone.now(), condition=condition)
        except DomainError as error:
            problems = [{"path": each.path, "message": each.message} for each in error.errors]
            return JsonResponse({"errors": problems})
        sample = [*told.gaining, *(f"− {name}" for name in told.losing)]
        count = told.gain + told.keep
        return JsonResponse(
            {"count": count, "words": f"{words} {in_words(told)}", "sample": sample}
        )

    @object_action(
        _("Switch on"),
        explanation=_("Everybody is judged now, and at night from then on; what it would do is told on this page."),
        permission="change",
        icon="play_arrow",
        variant="primary",
    )  # fmt: skip
    def switch_on(self, request: HttpRequest, rule: TagRule, form: DialogForm) -> str:
        job = activate_tag_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        return reverse("admin:jobs_job_change", args=[job.pk])

    @object_action(
        _("Switch off"),
        explanation=_("Everybody keeps, or goes without, the tag as it is."),
        permission="change",
        icon="pause",
    )
    def switch_off(self, request: HttpRequest, rule: TagRule, form: DialogForm) -> None:
        deactivate_tag_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The rule is switched off."))

    @object_action(
        _("Delete rule"),
        explanation=_("Its tag is taken from everybody: nobody could take it by hand."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, rule: TagRule, form: DialogForm) -> str:
        delete_tag_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The rule is deleted."))
        return reverse("admin:customers_tagrule_changelist")

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        rule = self.get_object(request, object_id)
        return str(rule.tag) if rule else ""

    @display(_("tag"))
    def tag_chip(self, rule: TagRule) -> SafeString:
        return chip(rule.tag)

    @display(_("whom"))
    def told(self, rule: TagRule) -> SafeString | str:
        problem: str = rule.problem  # type: ignore[attr-defined]
        if problem:
            return badge(problem, "red")
        try:
            return describe_rule(rule.rule, corp=rule.corp)
        except InvalidInput as error:
            return badge(error.detail, "red")

    @display(_("carried by"))
    def carried_by(self, rule: TagRule) -> str:
        return f"{rule.carriers:,}"  # type: ignore[attr-defined]

    @display(_("status"))
    def is_on(self, rule: TagRule) -> SafeString:
        return badge(_t("on"), "green") if rule.is_active else badge(_t("off"), "grey")


def in_words(told: Simulation) -> str:
    return _t("%(gain)s gain it, %(lose)s lose it, %(keep)s keep it.") % {
        "gain": f"{told.gain:,}",
        "lose": f"{told.lose:,}",
        "keep": f"{told.keep:,}",
    }


def _unsaved(corp: Corp | None) -> TagRule:
    """A rule whose tag nobody carries yet."""
    tag = Tag(corp=corp, kind=TagKind.AUTO, group=TagGroup(corp=corp, kind=TagKind.AUTO))
    return TagRule(corp=corp, tag=tag, rule={"all": []})
