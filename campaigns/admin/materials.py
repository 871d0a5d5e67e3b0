"""Materials: what is said again and again, with a preview, screened when it is kept."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.actions.content import ATTACHMENT_FIELDS, TEXT_BYTES
from campaigns.actions.materials import (
    MaterialDraft,
    archive_material,
    create_material,
    restore_material,
    update_material,
)
from campaigns.admin.attachment_fields import fields_of, upload_config
from campaigns.admin.found import Part, marked
from campaigns.admin.words import FIELD_WORDS
from campaigns.models import Material
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter, WordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge, status_badge
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin

STATUS_TONES = {"ready": "green", "blocked": "red", "archived": "grey"}
_EXCERPT = 60


class MaterialForm(ActionModelForm[Material]):
    class Meta:
        model = Material
        fields = ("kind", "title", "content")
        widgets = {
            "kind": UnfoldAdminSelectWidget(attrs={"x-model": "kind"}),
            "title": UnfoldAdminTextInputWidget,
            "content": forms.HiddenInput(attrs={"x-ref": "content"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "content" in self.fields:
            self.fields["content"].required = False
        if "kind" in self.fields and self.instance.pk:
            # It keeps its kind: what names it relies on that.
            self.fields["kind"].disabled = True

    def clean_content(self) -> dict[str, Any]:
        given = self.cleaned_data["content"] or {}
        if not isinstance(given, dict):
            raise ValidationError(_t("The content must be an object."))
        return {name: value for name, value in given.items() if value != ""}

    def act(self) -> Material:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        written = {name: self.cleaned_data[name] for name in ("kind", "title", "content")}
        if self.instance.pk:
            material = Material.objects.get(pk=self.instance.pk)
            return update_material(material, changes=written, actor=actor, now=now)
        return create_material(self.corp, draft=MaterialDraft(**written), actor=actor, now=now)

    def composer(self) -> dict[str, Any]:
        """What the script of the form has to know."""
        return {
            "kind": self["kind"].value() or Material.Kind.TEXT,
            "content": _read(self["content"].value()),
            "limit": TEXT_BYTES,
            "fields": {"text": [], **{kind: fields_of(kind) for kind in ATTACHMENT_FIELDS}},
            "upload": upload_config(self.corp),
            "problems": [
                {"path": each.path, "message": each.message}
                for each in self.problems
                if each.path.startswith("/content/")
            ],
        }


class ArchivedFilter(WordFilter):
    title = _("existence")
    parameter_name = "archived"
    all_label = _("in use")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("archived ones too"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or "status" in request.GET:
            return queryset
        return queryset.exclude(status=Material.Status.ARCHIVED)


class MaterialChangeList(ChangeList):
    """Adds where the materials of the page are used: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        materials = list(self.result_list)
        counts = uses_of(materials)
        for material in materials:
            material.uses = counts.get(material.pk, 0)
        self.result_list = materials


def uses_of(materials: list[Material]) -> dict[int, int]:
    """How many campaigns (of people) and current steps of SOPs name each material, by its id."""
    corps = list({material.corp_id for material in materials})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (each ->> 'material')::bigint, count(DISTINCT place)
            FROM (
                SELECT 'c' || id AS place, attachments FROM campaigns_campaign
                WHERE corp_id = ANY(%s) AND sop_step_id IS NULL
                UNION ALL
                SELECT 's' || step.id, step.action -> 'attachments' FROM campaigns_step step
                JOIN campaigns_sop sop ON sop.id = step.sop_id
                WHERE sop.corp_id = ANY(%s) AND step.removed_at IS NULL
            ) AS said
            CROSS JOIN LATERAL jsonb_array_elements(
                CASE WHEN jsonb_typeof(attachments) = 'array' THEN attachments ELSE '[]' END
            ) AS each
            WHERE jsonb_typeof(each -> 'material') = 'number'
                AND (each ->> 'material')::bigint = ANY(%s)
            GROUP BY 1""",
            [corps, corps, [material.pk for material in materials]],
        )
        return dict(cursor.fetchall())


@admin.register(Material)
class MaterialAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Material]):
    scoping = "corp"
    form = MaterialForm
    empty_hint = _("Keep here what you say often: texts, links, mini programs, pictures.")
    list_display = ("title", "kind_badge", "preview", "state", "used", "updated_at", "brand")
    list_filter = (ArchivedFilter, ("kind", ChoiceWordFilter), ("status", ChoiceWordFilter))
    list_select_related = ("corp",)
    search_fields = ("title", "content__text", "content__title", "content__url")
    search_help_text = _("Search by title, text or address.")
    ordering = ("-id",)
    sortable_by = ("title", "updated_at")
    actions_detail = ("archive", "restore")
    change_form_template = "admin/campaigns/material_page.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MaterialChangeList

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Archived instead: what was sent names it.
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_editable = not isinstance(obj, Material) or obj.status != Material.Status.ARCHIVED
        return is_editable and super().has_change_permission(request, obj)

    def has_keep_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_material")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        material = self.get_object(request, str(object_id))
        if material is None:
            return []
        is_archived = material.status == Material.Status.ARCHIVED
        hidden = "archive" if is_archived else "restore"
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if not each.action_name.endswith(f"_{hidden}")]

    def get_fieldsets(self, request: HttpRequest, obj: Material | None = None) -> Any:
        is_form = obj is None or self.has_change_permission(request, obj)
        shown = ("kind", "title", "content") if is_form else ("kind", "title", "preview", "state")
        return [(None, {"fields": shown})]

    def get_readonly_fields(self, request: HttpRequest, obj: Material | None = None) -> Any:
        return ("preview", "state")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        material = self.get_object(request, object_id)
        context = {"subtitle": "", **(extra_context or {})}
        if material is not None and self.has_view_permission(request, material):
            context |= {"title": material.title, "found": _found_in(material)}
            context["is_blocked"] = material.status == Material.Status.BLOCKED
        return super().change_view(request, object_id, form_url, context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": _t("Keep a material"), **(extra_context or {})}
        return super().add_view(request, form_url, context)

    @object_action(
        _("Archive"),
        explanation=_("Nothing new can use it. What was submitted keeps what stood in it."),
        permission="keep",
        icon="archive",
    )
    def archive(self, request: HttpRequest, material: Material, form: DialogForm) -> str:
        archive_material(material, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The material is archived."))
        return reverse("admin:campaigns_material_changelist")

    @object_action(
        _("Bring back"),
        explanation=_("It is screened by today's rules and can be used again."),
        permission="keep",
        icon="unarchive",
    )
    def restore(self, request: HttpRequest, material: Material, form: DialogForm) -> None:
        restore_material(material, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The material can be used again."))

    @display(_("kind"))
    def kind_badge(self, material: Material) -> SafeString:
        return badge(material.get_kind_display())

    @display(_("preview"))
    def preview(self, material: Material) -> SafeString:
        content = material.content
        if file := content.get("file"):
            return _preview_of_file(material, file)
        said = content.get("text") or content.get("title") or ""
        where = content.get("url") or content.get("page") or content.get("pic_url") or ""
        media = content.get("media_id", "")
        shown = [part for part in (_cut(said), _cut(where), media and _cut(media)) if part]
        return format_html('<span class="scrm-small">{}</span>', " · ".join(shown))

    @display(_("status"))
    def state(self, material: Material) -> SafeString:
        return status_badge(material, STATUS_TONES)

    @display(_("used in"))
    def used(self, material: Material) -> int:
        uses: int = getattr(material, "uses", 0)
        return uses


def _found_in(material: Material) -> list[Part]:
    """What screening found when it was kept, in the parts of it."""
    spans: dict[str, list[dict[str, Any]]] = {}
    for hit in material.hits:
        spans.setdefault(hit["path"].rpartition("/")[2], []).append(hit)
    return [
        Part(
            str(FIELD_WORDS.get(name, _t("text"))),
            marked(
                str(material.content.get(name, "")), [(hit["start"], hit["end"]) for hit in hits]
            ),
            list(dict.fromkeys(f"{hit['category']}: {hit['rule']}" for hit in hits)),
        )
        for name, hits in spans.items()
    ]


def _preview_of_file(material: Material, file: int) -> SafeString:
    url = reverse("admin:channels_mediafile_content", args=[file])
    if material.kind == Material.Kind.IMAGE:
        return format_html('<img src="{}" alt="" class="scrm-thumb" loading="lazy">', url)
    return format_html('<a class="scrm-link" href="{}">{}</a>', url, _t("Open"))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def _read(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given or "{}")
        except ValueError:
            return {}
    return given if isinstance(given, dict) else {}
