"""Channel rules: who comes through a channel gets these tags and this stage."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from customers.actions.channel_rules import (
    APPLYING,
    delete_channel_rule,
    preview_channel_rule,
    problem_of,
    save_channel_rule,
    start_applying,
)
from customers.admin.pieces import chips
from customers.models import ChannelRule, Stage, Tag
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import UNKNOWN, badge, listed
from scrm.jobs.admin import progress_bar
from scrm.jobs.models import Job
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin


class ChannelRuleForm(ActionModelForm[ChannelRule]):
    # Declared: of a many-to-many field the admin would make a plain list box.
    tags = forms.ModelMultipleChoiceField(
        label=capfirst(_("tags")),
        queryset=Tag.objects.none(),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
    )

    class Meta:
        model = ChannelRule
        fields = ("name", "state", "tags", "stage", "is_active")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "state": UnfoldAdminTextInputWidget,
            "stage": UnfoldAdminSelectWidget,
            "is_active": UnfoldBooleanSwitchWidget,
        }
        labels = {"is_active": _("Switched on")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = Tag.objects.for_corp(self.corp).current().order_by("kind", "group", "order", "pk")
        stages = Stage.objects.for_corp(self.corp).order_by("order", "pk")
        if "tags" in self.fields:
            self.fields["tags"].queryset = tags  # type: ignore[attr-defined]
            self.fields["stage"].queryset = stages  # type: ignore[attr-defined]

    def act(self) -> ChannelRule:
        given = self.cleaned_data
        # Not `self.instance`: the form has written the given values onto it by now.
        saved = ChannelRule.objects.filter(pk=self.instance.pk or 0).select_related("corp").first()
        return save_channel_rule(
            saved,
            name=given["name"],
            state=given["state"],
            tags=list(given["tags"]),
            stage=given["stage"],
            is_active=given["is_active"],
            corp=self.corp,
            actor=Actor.of_user(self.request.user),
            now=timezone.now(),
        )

    def validate_unique(self) -> None:
        """The action says it, with the corp in mind."""


@admin.register(ChannelRule)
class ChannelRuleAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[ChannelRule]):
    # Who would change is told for the whole corp.
    scoping = "whole_corp"
    form = ChannelRuleForm
    empty_hint = _("Say which tags and which stage a customer gets who comes through a channel.")
    list_display = ("name", "state", "gives", "stage_badge", "is_on", "trouble", "brand")
    list_select_related = ("corp", "stage")
    search_fields = ("name", "state")
    ordering = ("state", "pk")
    sortable_by = ("name", "state")
    actions_detail = ("apply", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChannelRule]:
        return super().get_queryset(request).prefetch_related("tags__group")

    def get_fields(self, request: HttpRequest, obj: ChannelRule | None = None) -> Any:
        fields = ("name", "state", "tags", "stage", "is_active")
        return (*fields, "who_would_change", "last_run") if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: ChannelRule | None = None) -> Any:
        return ("who_would_change", "last_run") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.delete_channelrule")

    @object_action(
        _("Apply to those already here"),
        explanation=_("Everybody with a friend who came through this channel gets what the rule gives; see below how many change. New ones get it by themselves while the rule is active."),
        permission="change",
        icon="play_arrow",
    )  # fmt: skip
    def apply(self, request: HttpRequest, rule: ChannelRule, form: DialogForm) -> None:
        start_applying(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("It is under way; its progress is shown below."))

    @object_action(
        _("Delete rule"),
        explanation=_("What it gave stays given."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, rule: ChannelRule, form: DialogForm) -> str:
        delete_channel_rule(rule, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The rule is deleted."))
        return reverse("admin:customers_channelrule_changelist")

    @display(_("tags"))
    def gives(self, rule: ChannelRule) -> SafeString | str:
        return chips([tag for tag in rule.tags.all() if tag.deleted_at is None])

    @display(_("stage"))
    def stage_badge(self, rule: ChannelRule) -> SafeString | str:
        return badge(rule.stage.name, "teal") if rule.stage else UNKNOWN

    @display(_("status"))
    def is_on(self, rule: ChannelRule) -> SafeString:
        return badge(_t("on"), "green") if rule.is_active else badge(_t("off"), "grey")

    @display(_("problem"))
    def trouble(self, rule: ChannelRule) -> SafeString | str:
        problem = problem_of(rule)
        return badge(problem, "red") if problem else UNKNOWN

    @display(_("who would change"))
    def who_would_change(self, rule: ChannelRule) -> SafeString:
        preview = preview_channel_rule(rule)
        told = _t(
            "%(customers)s customers came through this channel: %(tag)s would get a tag of ours,"
            " %(ask)s relations one of WeCom, %(move)s another stage."
        ) % {
            "customers": f"{preview.customers:,}",
            "tag": f"{preview.to_tag:,}",
            "ask": f"{preview.to_ask:,}",
            "move": f"{preview.to_move:,}",
        }
        return format_html("{}<br><small>{}</small>", told, listed(preview.sample))

    @display(_("last application"))
    def last_run(self, rule: ChannelRule) -> SafeString | str:
        jobs = Job.objects.for_corp(rule.corp).filter(kind=APPLYING, subject_id=str(rule.pk))
        job = jobs.order_by("-pk").first()
        if job is None:
            return UNKNOWN
        link = reverse("admin:jobs_job_change", args=[job.pk])
        return format_html(
            '<a class="scrm-link" href="{}">{}</a> {}',
            link, job.get_status_display(), progress_bar(job),
        )  # fmt: skip
