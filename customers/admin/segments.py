"""Segments: a rule put together by clicking, told in words, counted while it is written."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from customers.actions.segments import (
    create_segment,
    customers_of,
    delete_segment,
    describe_rule,
    update_segment,
)
from customers.admin.rule_builder import builder_config, rule_widget
from customers.models import Segment
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for, visible_corps

_SAMPLE = 8


class SegmentForm(ActionModelForm[Segment]):
    class Meta:
        model = Segment
        fields = ("name", "rule")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "rule": rule_widget(),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial.setdefault("rule", {"all": []})

    def act(self) -> Segment:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        name, rule = self.cleaned_data["name"], self.cleaned_data["rule"]
        if self.instance.pk:
            segment = Segment.objects.select_related("corp").get(pk=self.instance.pk)
            return update_segment(segment, name=name, rule=rule, actor=actor, now=now)
        return create_segment(name, corp=self.corp, rule=rule, actor=actor, now=now)

    def builder(self) -> dict[str, Any]:
        """What the builder's script has to know."""
        preview = reverse("admin:customers_segment_preview")
        problems = [{"path": each.path, "message": each.message} for each in self.problems]
        return builder_config(self.corp, self.request, preview=preview, problems=problems)

    def range_words(self) -> str:
        return _t("Only customers with a friend among your staff are counted.")


@admin.register(Segment)
class SegmentAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Segment]):
    scoping = "corp"
    form = SegmentForm
    empty_hint = _(
        "Say whom you mean, for example «tag: newborn, added within 30 days», and save it."
    )
    list_display = ("name", "told", "used", "updated_at", "brand")
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("-updated_at", "-id")
    sortable_by = ("name", "updated_at")
    actions_detail = ("remove",)
    change_form_template = "admin/customers/segment_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).annotate(campaigns=Count("campaign"))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview_view), name="customers_segment_preview"),
            path("<int:pk>/count/", wrap(self.count_view), name="customers_segment_count"),
            path("<int:pk>/told/", wrap(self.told_view), name="customers_segment_told"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        is_form = self.has_change_permission(request, obj) if obj else True
        return [(None, {"fields": ("name", "rule") if is_form else ("name", "told", "used")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        return ("told", "used")

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
        told: dict[str, Any] = {"count": customers.count(), "words": words}
        if with_sample:
            told["sample"] = [
                str(each) for each in customers.order_by("-added_at", "-pk")[:_SAMPLE]
            ]
        return told

    def _segment_or_404(self, request: HttpRequest, pk: int) -> Segment:
        segment = self.get_object(request, str(pk))
        if segment is None or not self.has_view_permission(request, segment):
            raise Http404
        return segment
