"""Segments: a rule put together by clicking, told in words, counted while it is written."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action as themed_action
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from customers.actions.lists import Filled, change_members, create_list, read_members
from customers.actions.segments import (
    SegmentChanged,
    contradictions_of,
    create_segment,
    customers_of,
    delete_segment,
    describe_rule,
    update_segment,
)
from customers.admin.rule_builder import builder_config, rule_widget
from customers.admin.rule_fields import find_options
from customers.admin.segment_pages import SegmentPages
from customers.models import Segment
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for, visible_corps

_SAMPLE = 8
_MOST_NAMED = 10


class SegmentForm(ActionModelForm[Segment]):
    # When the segment that is shown was saved last: who has changed it since is not written over.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Segment
        fields = ("name", "is_watched", "rule")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "is_watched": UnfoldBooleanSwitchWidget,
            "rule": rule_widget(),
        }
        help_texts = {"is_watched": _("Every night who entered and who left is written down.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What somebody else has saved in the meantime, to be shown beside what was typed.
        self.conflict: Segment | None = None
        if not self.instance.pk:
            self.initial.setdefault("rule", {"all": []})

    def act(self) -> Segment:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        given = {name: self.cleaned_data[name] for name in ("name", "rule", "is_watched")}
        if not self.instance.pk:
            return create_segment(**given, corp=self.corp, actor=actor, now=now)
        segment = Segment.objects.select_related("corp").get(pk=self.instance.pk)
        since = parse_datetime(self.cleaned_data["seen"])
        try:
            return update_segment(segment, **given, unchanged_since=since, actor=actor, now=now)
        except SegmentChanged as error:
            self.conflict = error.current
            raise

    def seen_now(self) -> str:
        """Saving again after a conflict is meant: what is there now has been seen by then."""
        if self.conflict is not None:
            return self.conflict.updated_at.isoformat()
        if self.is_bound:
            return str(self["seen"].value() or "")
        return self.instance.updated_at.isoformat() if self.instance.pk else ""

    def conflict_words(self) -> str:
        """The other version in words."""
        if self.conflict is None:
            return ""
        try:
            return describe_rule(self.conflict.rule, corp=self.corp)
        except DomainError as error:
            return error.detail

    def builder(self) -> dict[str, Any]:
        """What the builder's script has to know."""
        preview = reverse("admin:customers_segment_preview")
        problems = [{"path": each.path, "message": each.message} for each in self.problems]
        return builder_config(self.corp, self.request, preview=preview, problems=problems)

    def range_words(self) -> str:
        return _t("Only customers with a friend among your staff are counted.")


class ListForm(ActionModelForm[Segment]):
    """A list: who is put on it and who is taken off, by text or file."""

    add = forms.CharField(
        label=_("put on the list"),
        required=False,
        help_text=_("One a line: external id, unionid, member number or phone."),
        widget=UnfoldAdminTextareaWidget(),
    )
    file = forms.FileField(
        label=_("or a file"),
        required=False,
        help_text=_("Text or CSV in UTF-8 or GB18030; the first column counts."),
        widget=UnfoldAdminFileFieldWidget(),
    )
    remove = forms.CharField(
        label=_("take off the list"), required=False, widget=UnfoldAdminTextareaWidget()
    )

    places = {"members": "add"}

    class Meta:
        model = Segment
        fields = ("name",)
        widgets = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            del self.fields["remove"]

    def act(self) -> Segment:
        given = self.cleaned_data
        who: dict[str, Any] = {"actor": Actor.of_user(self.request.user), "now": timezone.now()}
        named = given["add"].splitlines()
        if given.get("file"):
            named += read_members(given["file"].read())
        if not self.instance.pk:
            segment, added = create_list(given["name"], corp=self.corp, members=named, **who)
            self._tell(added)
            return segment
        segment = Segment.objects.select_related("corp").get(pk=self.instance.pk)
        update_segment(segment, name=given["name"], **who)
        gone = given["remove"].splitlines()
        added, removed = change_members(segment, add=named, remove=gone, **who)
        self._tell(added, removed)
        return Segment.objects.get(pk=segment.pk)

    def _tell(self, added: Filled, removed: Filled | None = None) -> None:
        words = {"added": added.changed, "removed": removed.changed if removed else 0}
        text = _t("%(added)d customers were put on the list and %(removed)d taken off.")
        messages.info(self.request, text % words)
        for filled in (added, removed):
            if filled is None or not filled.unknown_count:
                continue
            named = ", ".join(
                f"{each.line}: {each.text} ({each.why})" for each in filled.unknown[:_MOST_NAMED]
            )
            text = _t("%(count)d are not known, for example (line: text): %(named)s")
            messages.warning(self.request, text % {"count": filled.unknown_count, "named": named})


@admin.register(Segment)
class SegmentAdmin(SegmentPages, CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Segment]):
    scoping = "corp"
    form = SegmentForm
    empty_hint = _(
        "Say whom you mean, for example «tag: newborn, added within 30 days», and save it."
    )
    list_display = ("name", "kind_badge", "told", "used", "updated_at", "brand")
    list_filter = (("kind", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("-updated_at", "-id")
    sortable_by = ("name", "updated_at")
    actions_list = ("new_list",)
    actions_detail = ("open_history", "open_overlap", "open_why", "remove")
    change_form_template = "admin/customers/segment_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).annotate(campaigns=Count("campaign"))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview_view), name="customers_segment_preview"),
            path("options/", wrap(self.options_view), name="customers_segment_options"),
            path(
                "<int:pk>/snapshots/", wrap(self.snapshots_view), name="customers_segment_snapshots"
            ),
            path("<int:pk>/overlap/", wrap(self.overlap_view), name="customers_segment_overlap"),
            path("<int:pk>/why/", wrap(self.why_view), name="customers_segment_why"),
            path("<int:pk>/count/", wrap(self.count_view), name="customers_segment_count"),
            path("<int:pk>/told/", wrap(self.told_view), name="customers_segment_told"),
            *super().get_urls(),
        ]

    def get_form(
        self,
        request: HttpRequest,
        obj: Segment | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 — Django's signature
        **kwargs: Any,
    ) -> Any:
        if self._is_list(request, obj):
            kwargs["form"] = ListForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        is_form = self.has_change_permission(request, obj) if obj else True
        if not is_form:
            return [(None, {"fields": ("name", "told", "used")})]
        if self._is_list(request, obj):
            entered = ("add", "file", "remove") if obj else ("add", "file")
            return [(None, {"fields": ("name", *(("told",) if obj else ()), *entered)})]
        return [(None, {"fields": ("name", "is_watched", "rule")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        return ("told", "used")

    def _is_list(self, request: HttpRequest, obj: Segment | None) -> bool:
        return obj.kind == Segment.Kind.LIST if obj else request.GET.get("kind") == "list"

    @themed_action(  # type: ignore[untyped-decorator]
        description=_("New list"), permissions=["add"], icon="playlist_add"
    )
    def new_list(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:customers_segment_add") + "?kind=list")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # `remove` says what is in the way instead of a list of protected rows.
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.delete_segment")

    def preview_view(self, request: HttpRequest) -> JsonResponse:
        """Count a rule as it stands, tell it in words, or say what is wrong and where."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        corps = [corp for corp in visible_corps(request) if str(corp.pk) == request.GET.get("corp")]
        if not corps:
            raise Http404
        try:
            rule = json.loads(request.body).get("rule")
        except (ValueError, AttributeError):
            return JsonResponse({"errors": [{"path": "/rule", "message": _t("This is not JSON.")}]})
        return JsonResponse(self._told(request, rule, corps[0], with_sample=True))

    def options_view(self, request: HttpRequest) -> JsonResponse:
        """Options of a field by what was typed, or by values that a rule holds."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        corps = [corp for corp in visible_corps(request) if str(corp.pk) == request.GET.get("corp")]
        if not corps:
            raise Http404
        asked = request.GET
        found = find_options(
            asked.get("field", ""),
            corps[0],
            request,
            typed=asked.get("typed", "").replace("\x00", ""),
            values=[value.replace("\x00", "") for value in asked.getlist("value")],
        )
        return JsonResponse({"options": found})

    def count_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        segment = self._segment_or_404(request, pk)
        return JsonResponse(self._told(request, segment.rule, segment.corp))

    def told_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A row of the list, filled in when it is looked at."""
        segment = self._segment_or_404(request, pk)
        context = {"told": self._told(request, segment.rule, segment.corp)}
        return TemplateResponse(request, "admin/customers/segment_told.html", context)

    @object_action(
        _("Delete segment"),
        explanation=_("Campaigns that were submitted keep their rule. A draft that names it is in the way."),
        permission="remove",
        icon="delete",
    )  # fmt: skip
    def remove(self, request: HttpRequest, segment: Segment, form: DialogForm) -> str:
        delete_segment(segment, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The segment is deleted."))
        return reverse("admin:customers_segment_changelist")

    @display(_("whom"))
    def told(self, segment: Segment) -> SafeString:
        # Counting is a question to the database per segment: each row asks when it is in view.
        return format_html(
            '<span hx-get="{}" hx-trigger="revealed" hx-swap="innerHTML" class="scrm-faint">…</span>',
            reverse("admin:customers_segment_told", args=[segment.pk]),
        )

    @display(_("kind"))
    def kind_badge(self, segment: Segment) -> SafeString:
        return badge(segment.get_kind_display(), "teal" if segment.kind == "list" else "blue")

    @display(_("campaigns"), ordering="campaigns")
    def used(self, segment: Segment) -> int:
        count: int = getattr(segment, "campaigns", 0)
        return count

    def _told(
        self, request: HttpRequest, rule: Any, corp: Corp, *, with_sample: bool = False
    ) -> dict[str, Any]:
        try:
            words = describe_rule(rule, corp=corp)
            customers = customers_of(rule, corp=corp, now=timezone.now()).in_scope(
                scope_for(request)
            )
        except DomainError as error:
            problems = [{"path": each.path, "message": each.message} for each in error.errors]
            return {"errors": problems or [{"path": "/rule", "message": error.detail}]}
        clashes = contradictions_of(rule, corp=corp, now=timezone.now())
        told: dict[str, Any] = {
            "count": customers.count(),
            "words": words,
            "warnings": [{"path": each.pointer, "message": each.words} for each in clashes],
        }
        if with_sample:
            told["sample"] = [
                str(each) for each in customers.order_by("-added_at", "-pk")[:_SAMPLE]
            ]
        return told
