"""The rows behind every figure of a result, and the same as a file."""

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.admin.results import reason_words
from campaigns.admin.words import FIGURES, RECIPIENT_TONES
from campaigns.models import Campaign, Recipient
from customers.admin.pieces import person
from scrm.audit.actions.recording import Actor, record
from scrm.common.admin import (
    ReadOnlyMixin,
    display,
)
from scrm.common.admin_filters import WordFilter
from scrm.common.badges import UNKNOWN, badge
from scrm.tenancy.models import Scope, Staff
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin, rows_of

_CHUNK = 2000


class FigureFilter(WordFilter):
    """The words of the result page and of the API."""

    title = _("figure")
    parameter_name = "figure"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(FIGURES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        word = self.value()
        if word not in Recipient.COUNTED_AS:
            return queryset
        return queryset.counted_as(word)  # type: ignore[attr-defined,no-any-return]


class ReasonFilter(WordFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Recipient.Reason.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in Recipient.Reason.values
        return queryset.filter(reason=self.value()) if known else queryset


class CampaignFilter(AutocompleteFilter):
    title = _("campaign")
    parameter_name = "campaign"
    source = Recipient._meta.get_field("campaign")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(campaign__in=chosen) if chosen else queryset


class SenderFilter(AutocompleteFilter):
    title = _("staff member")
    parameter_name = "staff"
    source = Recipient._meta.get_field("staff")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(staff__in=chosen) if chosen else queryset


@admin.register(Recipient)
class RecipientAdmin(ReadOnlyMixin, ScopedModelAdmin[Recipient]):
    empty_hint = _("Recipients are listed once a campaign has been planned.")
    list_display = ("who", "campaign_link", "sender", "state", "why", "settled_at")
    list_display_links = None
    list_filter = (CampaignFilter, FigureFilter, ReasonFilter, SenderFilter)
    list_select_related = ("customer", "chat", "campaign", "staff")
    search_fields = ("customer__name", "customer__external_userid", "chat__name", "chat__chat_id")
    ordering = ("id",)
    sortable_by = ()
    actions = None

    def limit(self, rows: QuerySet[Recipient], scope: Scope) -> QuerySet[Recipient]:
        if scope.everything:
            return rows
        staff = Staff.objects.in_scope(scope).values("pk")
        return rows.filter(Q(corp__in=scope.corp_ids) | Q(staff__in=staff))

    def has_module_permission(self, request: HttpRequest) -> bool:
        # Reached from a campaign's result.
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.view_campaign") or request.user.has_perm(
            "campaigns.change_campaign"
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        file = path("file/<int:campaign>/", wrap(self.file_view), name="campaigns_recipient_file")
        return [file, *super().get_urls()]

    def file_view(self, request: HttpRequest, campaign: int) -> StreamingHttpResponse:
        """All recipients of a campaign as CSV, streamed, noted in the audit log."""
        subject = rows_of(Campaign, request).filter(pk=campaign).select_related("corp").first()
        if subject is None:
            raise Http404
        if not request.user.has_perm("campaigns.change_campaign"):
            raise PermissionDenied
        rows = self.get_queryset(request).filter(campaign=subject)
        actor, now = Actor.of_user(request.user), timezone.now()
        record("recipients.exported", actor=actor, corp=subject.corp, subject=subject, now=now)
        response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="campaign-{subject.pk}.csv"'
        return response

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        recipient = self.get_object(request, object_id)
        return str(recipient.subject) if recipient else ""

    @display(_("customer or chat"))
    def who(self, recipient: Recipient) -> SafeString:
        subject = recipient.subject
        link = reverse(
            f"admin:{subject._meta.app_label}_{subject._meta.model_name}_change", args=[subject.pk]
        )
        return format_html(
            '<a href="{}">{}</a>', link, person(str(subject), seed=_platform_id(recipient))
        )

    @display(_("campaign"))
    def campaign_link(self, recipient: Recipient) -> SafeString:
        link = reverse("admin:campaigns_campaign_change", args=[recipient.campaign_id])
        return format_html('<a class="scrm-link" href="{}">{}</a>', link, recipient.campaign)

    @display(_("staff member"))
    def sender(self, recipient: Recipient) -> str:
        return str(recipient.staff) if recipient.staff else UNKNOWN

    @display(_("status"))
    def state(self, recipient: Recipient) -> SafeString:
        return badge(recipient.state_words, RECIPIENT_TONES[recipient.status])

    @display(_("reason"))
    def why(self, recipient: Recipient) -> str:
        return str(reason_words(recipient.reason)) if recipient.reason else UNKNOWN


def _platform_id(recipient: Recipient) -> str:
    customer, chat = recipient.customer, recipient.chat
    return customer.external_userid if customer else chat.chat_id if chat else ""


class _Echo:
    """A file for the csv module that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: QuerySet[Recipient]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # Excel takes a file without this mark for the local eight-bit code page.
    yield "\ufeff"
    yield writer.writerow([_t("platform id"), _t("customer or chat"), _t("staff member"), _t("status"), _t("reason"), _t("settled")])  # fmt: skip
    chosen = rows.select_related("customer", "chat", "staff").order_by("id")
    for each in chosen.iterator(chunk_size=_CHUNK):
        settled = timezone.localtime(each.settled_at) if each.settled_at else None
        yield writer.writerow(
            [
                _platform_id(each),
                _harmless(str(each.subject)),
                _harmless(str(each.staff or "")),
                each.state_words,
                reason_words(each.reason) if each.reason else "",
                settled.strftime("%Y-%m-%d %H:%M") if settled else "",
            ]
        )


def _harmless(text: str) -> str:
    # A cell that begins so would be run as a formula by whoever opens the file.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
