"""The door's ledgers: callbacks that came in, changes asked of the platform, what is paused."""

import re
import xml.dom.minidom
from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action as themed_action

from scrm.audit.actions.recording import Actor
from scrm.channels.actions.inbox import replay_event, replay_events_like
from scrm.channels.actions.outbox import cancel_operation, retry_operation
from scrm.channels.models import EndpointPause, InboundEvent, Operation, Refresh
from scrm.channels.outbox_board import board_of
from scrm.common.admin import (
    DialogForm,
    ReadOnlyMixin,
    display,
    object_action,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import UNKNOWN, status_badge
from scrm.common.errors import DomainError
from scrm.common.facts import facts_table
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for, visible_corps

# Callbacks in words, by event and change [callbacks.md]; others are shown as they came.
EVENTS: dict[tuple[str, str], Any] = {
    ("change_external_contact", "add_external_contact"): _("customer added"),
    ("change_external_contact", "add_half_external_contact"): _("customer added, not accepted yet"),
    ("change_external_contact", "edit_external_contact"): _("customer changed"),
    ("change_external_contact", "del_external_contact"): _("staff deleted a customer"),
    ("change_external_contact", "del_follow_user"): _("customer deleted a member of staff"),
    ("change_external_contact", "transfer_fail"): _("handover failed"),
    ("change_external_contact", "msg_audit_approved"): _("customer agreed to archiving"),
    ("change_external_chat", "create"): _("group chat created"),
    ("change_external_chat", "update"): _("group chat changed"),
    ("change_external_chat", "dismiss"): _("group chat dismissed"),
    ("change_external_tag", "create"): _("tag created"),
    ("change_external_tag", "update"): _("tag changed"),
    ("change_external_tag", "delete"): _("tag deleted"),
    ("change_external_tag", "shuffle"): _("tags reordered"),
    ("change_contact", "create_user"): _("member of staff joined"),
    ("change_contact", "update_user"): _("member of staff changed"),
    ("change_contact", "delete_user"): _("member of staff left"),
    ("change_contact", "create_party"): _("department created"),
    ("change_contact", "update_party"): _("department changed"),
    ("change_contact", "delete_party"): _("department deleted"),
    ("change_contact", "update_tag"): _("tag of staff changed"),
    ("customer_acquisition", "balance_low"): _("acquisition balance low"),
    ("customer_acquisition", "balance_exhausted"): _("acquisition balance used up"),
    ("customer_acquisition", "balance_increased"): _("acquisition balance increased"),
    ("customer_acquisition", "quota_expire_soon"): _("acquisition balance expires soon"),
    ("customer_acquisition", "link_unavailable"): _("acquisition link unavailable"),
    ("customer_acquisition", "delete_link"): _("acquisition link deleted"),
    ("customer_acquisition", "open_profile"): _("acquisition link: card opened"),
    ("customer_acquisition", "friend_request"): _("acquisition link: asked to be added"),
    ("customer_acquisition", "customer_start_chat"): _("acquisition link: chat started"),
    ("customer_acquisition", "message_from_customer"): _("acquisition link: customer wrote"),
    ("batch_job_result", ""): _("job on the directory finished"),
    ("msgaudit_notify", ""): _("new messages in the archive"),
    ("upload_media_job_finish", ""): _("file fetched by the platform"),
    ("kf_msg_or_event", ""): _("customer service: something new"),
    ("kf_account_auth_change", ""): _("customer service accounts changed"),
    ("template_card_event", ""): _("card answered"),
    ("template_card_menu_event", ""): _("menu of a card used"),
    ("enter_agent", ""): _("app opened"),
    ("subscribe", ""): _("app: member of staff joined"),
    ("unsubscribe", ""): _("app: member of staff left"),
    ("click", ""): _("app: menu key pressed"),
    ("view", ""): _("app: menu link opened"),
    ("location", ""): _("app: place reported"),
}
OPERATIONS: dict[str, Any] = {
    "tag_customer": _("tag a customer on the platform"),
    "add_tags": _("make tags on the platform"),
    "edit_tag": _("change a tag on the platform"),
    "delete_tags": _("delete tags on the platform"),
    "ask_mass_message": _("ask staff to send a mass message"),
    "remind_mass_message": _("remind staff of a mass message"),
    "cancel_mass_message": _("call a mass message back"),
    "transfer_customers": _("handover of customers"),
    "transfer_chats": _("handover of group chats"),
    "change_remark": _("change a remark on the platform"),
    "create_join_code": _("make a join code"),
    "update_join_code": _("change a join code"),
    "delete_join_code": _("delete a join code"),
    "send_app_message": _("tell members of staff through the app"),
}
EVENT_TONES = {"received": "blue", "handled": "green", "ignored": "grey", "failed": "red"}
OPERATION_TONES = {
    "pending": "blue",
    "in_flight": "blue",
    "unknown": "amber",
    "succeeded": "green",
    "failed": "red",
    "parked": "amber",
    "cancelled": "grey",
}
# What can be done to an event or an operation, by its status.
REPLAYING = {"failed": ("replay", "replay_alike"), "ignored": ("replay", "replay_alike")}
HANDLING = {"parked": ("retry", "cancel"), "pending": ("cancel",)}
_SECRET = re.compile(
    r"secret|token|password|private_key|aes_key|ticket|welcome_code", re.IGNORECASE
)
# One click is one transaction per row; more than this is a matter for a command.
_MOST_AT_ONCE = 500


def act_on_each(
    request: HttpRequest, rows: QuerySet[Any], act: Callable[..., object]
) -> tuple[int, int]:
    """Do it to each chosen row; refusals do not stop the rest. Returns done and refused."""
    now, actor = timezone.now(), Actor.of_user(request.user)
    done, refusals = 0, []
    for row in rows.order_by("pk")[:_MOST_AT_ONCE]:
        try:
            act(row, actor=actor, now=now)
            done += 1
        except DomainError as error:
            refusals.append(error.detail)
    for detail in sorted(set(refusals)):
        messages.warning(request, f"{detail} (×{refusals.count(detail)})")
    return done, len(refusals)


class EventFilter(WordFilter):
    title = _("event")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(f"{event}/{change}", words) for (event, change), words in EVENTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        event, _slash, change = (self.value() or "").partition("/")
        return queryset.filter(event=event, change_type=change) if event else queryset


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyMixin, ScopedModelAdmin[InboundEvent]):
    scoping = "whole_corp"
    empty_hint = _("Callbacks of the platform are listed here once its console knows our address.")
    list_display = ("received_at", "what", "order_key", "state", "attempts", "trouble", "brand")
    list_filter = (
        ("status", ChoiceWordFilter),
        EventFilter,
        ("received_at", DayRangeFilter),
    )
    list_select_related = ("corp",)
    search_fields = ("order_key", "error")
    search_help_text = _("Search by customer or group chat id, or by error.")
    ordering = ("-id",)
    actions = ("replay_all",)
    actions_list = ("dead_letters",)
    actions_detail = ("replay", "replay_alike")
    fields = (
        ("what", "state"),
        ("happened_at", "received_at"),
        ("handled_at", "next_attempt_at"),
        ("order_key", "attempts"),
        "trouble_in_full",
        "xml",
        "brand",
    )
    readonly_fields = (
        "what", "state", "happened_at", "received_at", "handled_at", "next_attempt_at",
        "order_key", "attempts", "trouble_in_full", "xml", "brand",
    )  # fmt: skip
    sortable_by = ("received_at",)

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("channels.change_inboundevent")

    @admin.action(description=_("Handle the chosen events again"), permissions=["replay"])
    def replay_all(self, request: HttpRequest, queryset: QuerySet[InboundEvent]) -> None:
        done, _refused = act_on_each(request, queryset, replay_event)
        message = ngettext(
            "%(count)d event will be handled again within seconds.",
            "%(count)d events will be handled again within seconds.",
            done,
        )
        self.message_user(request, message % {"count": done})

    @object_action(
        _("Handle again"),
        explanation=_("The event goes back into the queue; handling it twice does no harm."),
        permission="replay",
        icon="replay",
    )
    def replay(self, request: HttpRequest, event: InboundEvent, form: DialogForm) -> None:
        replay_event(event, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The event will be handled again within seconds."))

    @object_action(
        _("Handle all of this kind again"),
        explanation=_(
            "All events of this brand and kind that ended as this one did go back into the queue."
        ),
        permission="replay",
        icon="playlist_play",
    )
    def replay_alike(self, request: HttpRequest, event: InboundEvent, form: DialogForm) -> None:
        count = replay_events_like(event, actor=Actor.of_user(request.user), now=timezone.now())
        message = ngettext(
            "%(count)d event will be handled again within seconds.",
            "%(count)d events will be handled again within seconds.",
            count,
        )
        self.message_user(request, message % {"count": count})

    @themed_action(  # type: ignore[untyped-decorator, unused-ignore]
        description=_("Dead letters"), permissions=["view"], icon="error"
    )
    def dead_letters(self, request: HttpRequest) -> HttpResponse:
        """Show what was given up, only."""
        given_up = InboundEvent.Status.FAILED.value
        address = reverse("admin:channels_inboundevent_changelist")
        return HttpResponseRedirect(f"{address}?status={given_up}")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        event = self.get_object(request, str(object_id))
        shown = REPLAYING.get(event.status, ("replay",)) if event else ()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if each.action_name.endswith(shown)]

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        event = self.get_object(request, object_id)
        return f"{self.what(event)} #{event.pk}" if event else ""

    @display(_("event"))
    def what(self, event: InboundEvent) -> str:
        raw = " / ".join(filter(None, [event.event, event.change_type])) or UNKNOWN
        return str(EVENTS.get((event.event, event.change_type), raw))

    @display(_("status"))
    def state(self, event: InboundEvent) -> SafeString:
        return status_badge(event, EVENT_TONES)

    @display(_("error or reason"))
    def trouble(self, event: InboundEvent) -> str:
        return event.error.strip().splitlines()[-1][:120] if event.error.strip() else UNKNOWN

    @display(_("error or reason"))
    def trouble_in_full(self, event: InboundEvent) -> str:
        return (
            format_html("<pre class='scrm-pre'>{}</pre>", event.error) if event.error else UNKNOWN
        )

    @display(_("as it came"))
    def xml(self, event: InboundEvent) -> SafeString:
        return format_html("<pre class='scrm-pre'>{}</pre>", _indented(event.body))


def _indented(body: str) -> str:
    # Stored bodies have passed the refusal of entities at the door; doubtful ones stay as they are.
    if "<!" in body.replace("<![CDATA[", ""):
        return body
    try:
        pretty = xml.dom.minidom.parseString(body).toprettyxml(indent="  ")  # noqa: S318
    except ExpatError:
        return body
    # Without the declaration in front.
    return "\n".join(line for line in pretty.splitlines()[1:] if line.strip())


class OperationKindFilter(WordFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(OPERATIONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in OPERATIONS else queryset


@admin.register(Operation)
class OperationAdmin(ReadOnlyMixin, ScopedModelAdmin[Operation]):
    scoping = "whole_corp"
    empty_hint = _("Every change asked of the platform is listed here with its answer.")
    list_display = ("created_at", "what", "state", "attempts", "next_at", "trouble", "brand")
    list_filter = (
        ("status", ChoiceWordFilter),
        OperationKindFilter,
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("corp",)
    search_fields = ("idempotency_key", "error")
    search_help_text = _("Search by key or by error.")
    ordering = ("-id",)
    list_before_template = "admin/channels/outbox_board.html"
    actions = ("retry_all", "cancel_all")
    actions_detail = ("retry", "cancel")
    fields = (
        ("what", "state"),
        ("created_at", "finished_at"),
        ("attempts", "next_at"),
        ("called_at", "errcode"),
        "trouble_in_full",
        "asked",
        "answer",
        "brand",
    )
    readonly_fields = (
        "what", "state", "created_at", "finished_at", "attempts", "next_at", "called_at",
        "errcode", "trouble_in_full", "asked", "answer", "brand",
    )  # fmt: skip
    sortable_by = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        # The payload of a mass message can hold ten thousand ids: only its own page reads it.
        return super().get_queryset(request).defer("payload", "result")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        scope = scope_for(request)
        corps = {
            corp.pk: str(corp)
            for corp in visible_corps(request)
            if scope.everything or corp.pk in scope.corp_ids
        }
        board = board_of(corps, titles=OPERATIONS, now=timezone.now())
        return super().changelist_view(request, {"board": board, **(extra_context or {})})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        operation = self.get_object(request, str(object_id))
        shown = HANDLING.get(operation.status, ()) if operation else ()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if each.action_name.rpartition("_")[2] in shown]

    def has_handle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("channels.change_operation")

    @admin.action(description=_("Ask again (parked ones)"), permissions=["handle"])
    def retry_all(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        done, _refused = act_on_each(request, queryset, retry_operation)
        message = ngettext(
            "%(count)d operation will be asked again.",
            "%(count)d operations will be asked again.",
            done,
        )
        self.message_user(request, message % {"count": done})

    @admin.action(description=_("Cancel (waiting and parked ones)"), permissions=["handle"])
    def cancel_all(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        done, _refused = act_on_each(request, queryset, cancel_operation)
        message = ngettext(
            "%(count)d operation is cancelled.", "%(count)d operations are cancelled.", done
        )
        self.message_user(request, message % {"count": done})

    @object_action(
        _("Ask again"),
        explanation=_("A parked operation is asked of the platform once more."),
        permission="handle",
        icon="replay",
    )
    def retry(self, request: HttpRequest, operation: Operation, form: DialogForm) -> None:
        retry_operation(operation, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("It will be asked again within seconds."))

    @object_action(
        _("Cancel"),
        explanation=_("What has not been asked yet will not be asked. What has been stays done."),
        permission="handle",
        icon="cancel",
    )
    def cancel(self, request: HttpRequest, operation: Operation, form: DialogForm) -> None:
        cancel_operation(operation, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("It is cancelled."))

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        operation = self.get_object(request, object_id)
        return f"{self.what(operation)} #{operation.pk}" if operation else ""

    @display(_("kind"))
    def what(self, operation: Operation) -> str:
        return str(OPERATIONS.get(operation.kind, operation.kind))

    @display(_("status"))
    def state(self, operation: Operation) -> SafeString:
        return status_badge(operation, OPERATION_TONES)

    @display(_("next attempt"))
    def next_at(self, operation: Operation) -> Any:
        return operation.next_attempt_at if operation.status in Operation.UNFINISHED else None

    @display(_("error"))
    def trouble(self, operation: Operation) -> str:
        return operation.error[:120] or UNKNOWN

    @display(_("error"))
    def trouble_in_full(self, operation: Operation) -> str:
        return operation.error or UNKNOWN

    @display(_("what was asked"))
    def asked(self, operation: Operation) -> str:
        return facts_table(masked(_shortened(operation.payload)))

    @display(_("answer"))
    def answer(self, operation: Operation) -> str:
        return facts_table(masked(_shortened(operation.result)))


def masked(data: Any, name: str = "") -> Any:
    """Without what opens a door: tokens, secrets, one-time codes."""
    if _SECRET.search(name) and data not in ("", None):
        return "••••"
    if isinstance(data, dict):
        return {key: masked(value, str(key)) for key, value in data.items()}
    if isinstance(data, list):
        return [masked(value) for value in data]
    return data


def _shortened(data: Any) -> Any:
    """Lists of thousands of ids are told by their number."""
    if not isinstance(data, dict):
        return data
    return {
        key: _t("%(count)s entries") % {"count": f"{len(value):,}"}
        if isinstance(value, list) and len(value) > 20
        else value
        for key, value in data.items()
    }


@admin.register(EndpointPause)
class EndpointPauseAdmin(ReadOnlyMixin, ScopedModelAdmin[EndpointPause]):
    scoping = "whole_corp"
    empty_hint = _("The platform has not asked us to slow down.")
    list_display = ("what", "until", "errcode", "error", "brand")
    list_select_related = ("corp",)
    ordering = ("-until",)

    @display(_("kind"))
    def what(self, pause: EndpointPause) -> str:
        return str(OPERATIONS.get(pause.kind, pause.kind))


@admin.register(Refresh)
class RefreshAdmin(ReadOnlyMixin, ScopedModelAdmin[Refresh]):
    scoping = "whole_corp"
    empty_hint = _("Nothing waits to be read again: what we know is up to date.")
    list_display = ("kind", "key", "wished_at", "due_at", "attempts", "error", "brand")
    list_filter = (("kind", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("key",)
    ordering = ("due_at",)
