"""The audit log: read-only, in words."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scrm.audit.models import AuditEntry
from scrm.common.admin import (
    ReadOnlyMixin,
    display,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import badge
from scrm.common.facts import facts_table
from scrm.tenancy.scoped_admin import ScopedModelAdmin

# What each recorded act is called; an act without a word here is shown as it is recorded.
ACTS: dict[str, Any] = {
    "api_keys.created": _("API key created"),
    "api_keys.revoked": _("API key revoked"),
    "campaigns.approved": _("campaign approved"),
    "campaigns.cancelled": _("campaign cancelled"),
    "campaigns.changed": _("campaign changed"),
    "campaigns.created": _("campaign drafted"),
    "campaigns.reminded": _("staff reminded"),
    "campaigns.submitted": _("campaign submitted"),
    "channels.event_replayed": _("callback handled again"),
    "channels.events_replayed": _("callbacks of a kind handled again"),
    "channels.operation_cancelled": _("operation cancelled"),
    "channels.operation_retried": _("operation asked again"),
    "corps.changed": _("corp changed"),
    "corps.connected": _("corp connected"),
    "corps.credentials_changed": _("secrets or address of a corp replaced"),
    "identities.linked": _("linked a phone or number"),
    "identities.unlinked": _("unlinked a phone or number"),
    "identities.moved": _("gave a phone or number to another customer"),
    "identities.move_undone": _("took a moved phone or number back"),
    "event_types.created": _("registered a type of events"),
    "event_types.changed": _("changed a type of events"),
    "orders.import_started": _("took in orders from a file"),
    "customers.attributes_changed": _("customer's attributes changed"),
    "customers.blocked": _("customer barred from messages"),
    "customers.exported": _("customers exported"),
    "customers.stage_changed": _("customer's stage changed"),
    "customers.tagged": _("customers tagged"),
    "customers.unblocked": _("customer allowed messages again"),
    "lexicons.changed": _("lexicon changed"),
    "lexicons.created": _("lexicon made"),
    "lexicons.deleted": _("lexicon deleted"),
    "recipients.exported": _("recipients exported"),
    "risk_rules.changed": _("risk rule changed"),
    "risk_rules.created": _("risk rule made"),
    "risk_rules.deleted": _("risk rule deleted"),
    "handover.cancelled": _("handover cancelled"),
    "handover.executed": _("handover carried out"),
    "handover.item_changed": _("handover changed"),
    "handover.planned": _("handover planned"),
    "archive.key_added": _("archive key added"),
    "archive.numbers_missing": _("numbers of archived messages missing"),
    "archive.messages_lost": _("archived messages lost: nobody pulled them for 5 days"),
    "channel_rules.applied": _("channel rule applied to those already here"),
    "channel_rules.changed": _("channel rule changed"),
    "channel_rules.created": _("channel rule made"),
    "channel_rules.deleted": _("channel rule deleted"),
    "customers.note_added": _("note written"),
    "group_tags.changed": _("groups tagged"),
    "group_tags.created": _("group tag made"),
    "group_tags.deleted": _("group tag deleted"),
    "group_tags.renamed": _("group tag renamed"),
    "incidents.decided": _("incident decided"),
    "incidents.reopened": _("incident reopened"),
    "join_codes.changed": _("join code changed"),
    "join_codes.created": _("join code made"),
    "join_codes.deleted": _("join code deleted"),
    "media.kept": _("media file kept"),
    "materials.archived": _("material archived"),
    "materials.changed": _("material changed"),
    "materials.created": _("material saved"),
    "materials.restored": _("material brought back"),
    "sops.activated": _("SOP started"),
    "sops.changed": _("SOP changed"),
    "sops.created": _("SOP drafted"),
    "sops.enrolled": _("customer taken into a SOP"),
    "sops.enrolment_cancelled": _("customer taken out of a SOP"),
    "sops.paused": _("SOP paused"),
    "stage_rules.changed": _("stage rule changed"),
    "stage_rules.created": _("stage rule made"),
    "stage_rules.deleted": _("stage rule deleted"),
    "segments.changed": _("segment changed"),
    "segments.created": _("segment saved"),
    "segments.deleted": _("segment deleted"),
    "children.added": _("child noted"),
    "children.changed": _("child changed"),
    "children.removed": _("child removed"),
    "children.loss_marked": _("lost pregnancy marked"),
    "children.loss_lifted": _("mark of a lost pregnancy lifted"),
    "tag_rules.created": _("tag rule made"),
    "tag_rules.changed": _("tag rule changed"),
    "tag_rules.activated": _("tag rule switched on"),
    "tag_rules.deactivated": _("tag rule switched off"),
    "tag_rules.deleted": _("tag rule deleted"),
    "value.settings_changed": _("scoring of customers changed"),
    "segments.members_changed": _("list changed"),
    "segments.snapshot_taken": _("snapshot taken"),
    "staff.marked_leaving": _("member of staff marked as leaving"),
    "staff.unmarked_leaving": _("member of staff stays after all"),
    "stages.changed": _("stage changed"),
    "stages.created": _("stage made"),
    "pretags.forgotten": _("tags in advance forgotten"),
    "pretags.given": _("tags in advance given"),
    "pretags.kept": _("tags in advance kept"),
    "tags.created": _("tag made"),
    "tags.deleted": _("tag deleted"),
    "tags.group_created": _("tag group made"),
    "tags.group_deleted": _("tag group deleted"),
    "tags.group_renamed": _("tag group renamed"),
    "tags.group_ruled": _("tags of a group exclude each other, or not"),
    "tags.lasting_set": _("how long a tag lasts changed"),
    "tags.merging": _("merging of tags started"),
    "tags.platform_asked": _("WeCom asked to change its tags"),
    "tags.renamed": _("tag renamed"),
}
_TONES = {"user": "blue", "api_key": "teal", "system": "grey"}


class ActFilter(WordFilter):
    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ACTS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() in ACTS else queryset


class AuditChangeList(ChangeList):
    """Names the subjects of one page with one query per kind of subject."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entries = list(self.result_list)
        for subject_type in {entry.subject_type for entry in entries}:
            same = [entry for entry in entries if entry.subject_type == subject_type]
            _name_subjects(subject_type, same)
        self.result_list = entries


def _name_subjects(subject_type: str, entries: list[AuditEntry]) -> None:
    model = _model_of(subject_type)
    if model is None:
        return
    wanted = {entry.subject_id for entry in entries if entry.subject_id.isdigit()}
    found = model.objects.in_bulk([int(pk) for pk in wanted])
    for entry in entries:
        subject = found.get(int(entry.subject_id)) if entry.subject_id.isdigit() else None
        entry.subject_name = str(subject) if subject else ""  # type: ignore[attr-defined]


def _model_of(subject_type: str) -> Any:
    try:
        return apps.get_model(subject_type)
    except (LookupError, ValueError):
        return None


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyMixin, ScopedModelAdmin[AuditEntry]):
    scoping = "whole_corp"
    empty_hint = _("Every act of a person or of a brand's key will be listed here.")
    list_display = ("at", "who", "what", "subject", "brand")
    list_display_links = ("at",)
    list_filter = (ActFilter, ("actor_kind", ChoiceWordFilter), ("at", DayRangeFilter))
    list_select_related = ("corp",)
    search_fields = ("actor_name", "subject_id")
    ordering = ("-at", "-id")
    fields = ("at", "who", "what", "subject", "details", "brand")
    readonly_fields = fields
    sortable_by = ("at",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AuditChangeList

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        entry = self.get_object(request, object_id)
        return f"{self.what(entry)} #{entry.pk}" if entry else ""

    @display(_("actor"))
    def who(self, entry: AuditEntry) -> SafeString:
        kind = badge(entry.get_actor_kind_display(), _TONES.get(entry.actor_kind, "grey"))
        return format_html("{} {}", entry.actor_name, kind)

    @display(_("action"))
    def what(self, entry: AuditEntry) -> str:
        return str(ACTS.get(entry.action, entry.action))

    @display(_("subject"))
    def subject(self, entry: AuditEntry) -> str:
        model = _model_of(entry.subject_type)
        if model is None:
            return f"{entry.subject_type} {entry.subject_id}"
        if not hasattr(entry, "subject_name"):
            _name_subjects(entry.subject_type, [entry])
        name = getattr(entry, "subject_name", "") or f"#{entry.subject_id}"
        text = f"{model._meta.verbose_name} · {name}"
        try:
            path = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            return format_html(
                '<a class="scrm-link" href="{}">{}</a>',
                reverse(path, args=[entry.subject_id]),
                text,
            )
        except NoReverseMatch:
            return text

    @display(_("details"))
    def details(self, entry: AuditEntry) -> str:
        return facts_table(entry.data)
