"""Events that the brand tells, what they have to look like, and those in quarantine."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from customers.actions.event_types import put_event_type, start_rejudging
from customers.admin.orders import MatchedFilter, PersonalAdmin
from customers.models import BrandEvent, EventType
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import UNKNOWN, status_badge
from scrm.common.facts import facts_table
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin

TONES = {"taken": "green", "quarantined": "red"}


@admin.register(BrandEvent)
class BrandEventAdmin(PersonalAdmin):
    empty_hint = _("Events come over REST: POST /events/. Their types need not be registered.")
    list_display = ("type", "whose", "standing", "problem", "occurred_at", "received_at", "brand")
    list_filter = (
        ("status", ChoiceWordFilter), MatchedFilter, ("received_at", DayRangeFilter),
    )  # fmt: skip
    search_fields = ("event_id",)
    search_help_text = _("Search by event id, type, phone or member number, each as a whole.")
    ordering = ("-received_at", "-id")
    sortable_by = ()
    fields = (
        ("type", "event_id"), ("whose", "standing"), "problem", ("occurred_at", "received_at"),
        "data_table", "brand",
    )  # fmt: skip
    readonly_fields = (
        "type", "event_id", "whose", "standing", "problem", "occurred_at", "received_at",
        "data_table", "brand",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BrandEvent], search_term: str
    ) -> tuple[QuerySet[BrandEvent], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        found = Q(event_id=words) | Q(type=words)
        return queryset.filter(found | self.found_by_name(queryset, words, request)), False

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        event = self.get_object(request, object_id)
        return f"{event.type} {event.event_id}" if event else ""

    @display(_("status"))
    def standing(self, event: BrandEvent) -> SafeString:
        return status_badge(event, TONES)

    @display(_("data"))
    def data_table(self, event: BrandEvent) -> SafeString | str:
        return facts_table(event.data)


class EventTypeForm(ActionModelForm[EventType]):
    class Meta:
        model = EventType
        fields = ("name", "schema")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "schema": UnfoldAdminTextareaWidget(attrs={"rows": 16, "spellcheck": "false"}),
        }
        help_texts = {
            "schema": _("JSON Schema (draft 2020-12) of the event's data; {} takes everything."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An empty object is a schema, too.
        self.fields["schema"].required = False
        if self.instance.pk:
            # The name is what the brand's systems send.
            self.fields["name"].disabled = True

    def act(self) -> EventType:
        schema = self.cleaned_data["schema"]
        event_type, _job, _is_new = put_event_type(
            self.cleaned_data["name"],
            schema={} if schema is None else schema,
            corp=self.instance.corp if self.instance.pk else self.corp,
            actor=Actor.of_user(self.request.user),
            now=timezone.now(),
        )
        return event_type


@admin.register(EventType)
class EventTypeAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[EventType]):
    scoping = "whole_corp"
    form = EventTypeForm
    empty_hint = _("Say what the data of a type have to look like; what does not fit is put aside.")
    list_display = ("name", "held_back", "updated_at", "brand")
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    sortable_by = ("name", "updated_at")
    actions_detail = ("rejudge",)
    readonly_fields = ("held_back", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventType]:
        held = BrandEvent.objects.quarantined().filter(corp=OuterRef("corp"), type=OuterRef("name"))
        count = held.order_by().values("type").annotate(number=Count("pk")).values("number")
        rows = super().get_queryset(request)
        return rows.annotate(held=Coalesce(Subquery(count, output_field=IntegerField()), 0))

    def get_fields(self, request: HttpRequest, obj: EventType | None = None) -> Any:
        return ("name", "schema", "held_back", "updated_at") if obj else ("name", "schema")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What was told of it stays; an empty schema takes everything.
        return False

    @object_action(
        _("Judge the quarantine anew"),
        explanation=_("Events that fit the schema as it is now leave the quarantine and count."),
        icon="published_with_changes",
    )
    def rejudge(self, request: HttpRequest, event_type: EventType, form: DialogForm) -> None:
        start_rejudging(event_type, now=timezone.now())
        self.message_user(request, _t("The quarantine is being judged; this may take a moment."))

    @display(_("in quarantine"))
    def held_back(self, event_type: EventType) -> SafeString | str:
        count: int = getattr(event_type, "held", 0)
        if not count:
            return UNKNOWN
        events = reverse("admin:customers_brandevent_changelist")
        where = f"{events}?status=quarantined&q={event_type.name}"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', where, f"{count:,}")
