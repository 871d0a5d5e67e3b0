"""The archive: what was taken in, who agreed to it, and how far behind it is."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from risk.actions.archive_alarms import archive_alarms
from risk.actions.names import names_of
from risk.admin.words import KINDS, TEXT_TONES, choice_badge, lag_badge, text_instead
from risk.models import Agreement, ArchiveCursor, ArchivedMessage
from scrm.channels.models import ArchiveKey
from scrm.common.admin import ReadOnlyMixin, display
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter
from scrm.common.badges import UNKNOWN, badge, listed
from scrm.tenancy.models import Corp, Staff
from scrm.tenancy.scoped_admin import ScopedModelAdmin

SET_UP = _("Messages are taken in once a corp has an archive secret and a private key: buy the archive in the console of WeCom, enter the secret under «Secrets and address» of the corp, and add the key there. At WeCom itself Tencent's native library is needed as well, which is not part of this product: name its path in SCRM_ARCHIVE_SDK.")  # fmt: skip


def _attach_names(rows: Iterable[ArchivedMessage | Agreement]) -> None:
    """Set `names` on each, platform id → name: two queries a corp."""
    by_corp: dict[Corp, list[Any]] = {}
    for row in rows:
        by_corp.setdefault(row.corp, []).append(row)
    for corp, theirs in by_corp.items():
        ids = {who for row in theirs for who in _people_in(row)}
        staff = Staff.objects.for_corp(corp).filter(userid__in=ids)
        names = {
            **names_of("customer", ids, corp=corp),
            **dict(staff.values_list("userid", "name")),
        }
        for row in theirs:
            row.names = names


def _people_in(row: ArchivedMessage | Agreement) -> list[str]:
    if isinstance(row, Agreement):
        return [row.external_userid, row.userid]
    return [row.sender, *row.receivers[:20]]


def _name_in(row: ArchivedMessage | Agreement, who: str) -> str:
    if not hasattr(row, "names"):
        _attach_names([row])
    names: dict[str, str] = getattr(row, "names", {})
    return names.get(who) or who


class NamingChangeList(ChangeList):
    """Says names instead of the platform's ids."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        _attach_names(rows)
        self.result_list = rows


@admin.register(ArchivedMessage)
class ArchivedMessageAdmin(ReadOnlyMixin, ScopedModelAdmin[ArchivedMessage]):
    """What is said is on the page of a message only, never in the list."""

    scoping = "whole_corp"
    empty_hint = SET_UP
    list_display = ("sent_at", "speaker", "side", "kind_words", "state", "screened", "brand")
    list_filter = (
        ("text_state", ChoiceWordFilter),
        ("sent_at", DayRangeFilter),
    )
    list_select_related = ("corp",)
    search_fields = ("=sender", "=room_id", "=msgid")
    search_help_text = _("Search by the id of a member, customer, group chat or message.")
    ordering = ("-seq",)
    sortable_by = ()
    fields = (
        ("sent_at", "pulled_at"),
        ("speaker", "side"),
        ("to", "room_id"),
        ("kind_words", "state"),
        "said",
        ("recalled_at", "screened"),
        "trouble",
        ("msgid", "seq"),
        "brand",
    )
    readonly_fields = (
        "sent_at", "pulled_at", "speaker", "side", "to", "room_id", "kind_words", "state", "said",
        "recalled_at", "screened", "trouble", "msgid", "seq", "brand",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ArchivedMessage]:
        return super().get_queryset(request).defer("text")

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        message = self.get_object(request, object_id)
        return f"{self.kind_words(message)} #{message.seq}" if message else ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamingChangeList

    @display(_("speaker"))
    def speaker(self, message: ArchivedMessage) -> str:
        return _name_in(message, message.sender) or UNKNOWN

    @display(_("side"))
    def side(self, message: ArchivedMessage) -> str:
        if not message.sender:
            return UNKNOWN
        return _t("staff") if message.is_from_staff else _t("customer")

    @display(_("to"))
    def to(self, message: ArchivedMessage) -> str:
        return listed(_name_in(message, who) for who in message.receivers[:20]) or UNKNOWN

    @display(_("kind"))
    def kind_words(self, message: ArchivedMessage) -> str:
        return str(KINDS.get(message.kind or message.action, message.kind or message.action))

    @display(_("text"))
    def state(self, message: ArchivedMessage) -> SafeString:
        return choice_badge(message.text_state, ArchivedMessage.TextState, TEXT_TONES)

    @display(_("said"))
    def said(self, message: ArchivedMessage) -> SafeString | str:
        if message.text_state != ArchivedMessage.TextState.KEPT:
            return text_instead(message)
        shown = format_html('<p style="white-space:pre-wrap">{}</p>', message.text)
        if not message.is_cut:
            return shown
        cut = _t("%(kept)s of %(all)s characters are kept; all were checked.")
        figures = {"kept": f"{len(message.text):,}", "all": f"{message.text_length:,}"}
        return format_html('{}<p class="scrm-faint">{}</p>', shown, cut % figures)

    @display(_("checked"))
    def screened(self, message: ArchivedMessage) -> SafeString | str:
        if message.text_state != ArchivedMessage.TextState.KEPT or message.screened_version == 0:
            return badge(_t("not checked"), "grey")
        if message.screened_version is None:
            return badge(_t("waiting"), "blue")
        return badge(_t("checked"), "green")

    @display(_("problem"))
    def trouble(self, message: ArchivedMessage) -> str:
        return message.problem or UNKNOWN


@admin.register(Agreement)
class AgreementAdmin(ReadOnlyMixin, ScopedModelAdmin[Agreement]):
    scoping = "whole_corp"
    empty_hint = _("Who agreed to archiving is asked of the platform with her first message.")
    list_display = (
        "customer",
        "staff",
        "room_id",
        "word",
        "changed_at",
        "asked_on",
        "brand",
    )
    list_select_related = ("corp",)
    search_fields = ("=external_userid", "=userid", "=room_id")
    search_help_text = _("Search by the id of a customer, member or group chat.")
    ordering = ("-checked_at", "-id")
    sortable_by = ("asked_on",)
    fields = ("customer", "staff", "room_id", "word", "changed_at", "asked_on", "brand")
    readonly_fields = fields

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        agreement = self.get_object(request, object_id)
        return _name_in(agreement, agreement.external_userid) if agreement else ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamingChangeList

    @display(_("customer"))
    def customer(self, agreement: Agreement) -> str:
        return _name_in(agreement, agreement.external_userid)

    @display(_("staff member"))
    def staff(self, agreement: Agreement) -> str:
        return _name_in(agreement, agreement.userid) or UNKNOWN

    @display(_("asked on"), ordering="checked_at")
    def asked_on(self, agreement: Agreement) -> str:
        return date_format(timezone.localtime(agreement.checked_at), "Y-m-d H:i")

    @display(_("agreed"))
    def word(self, agreement: Agreement) -> SafeString:
        return badge(_t("yes"), "green") if agreement.is_agreed else badge(_t("no"), "amber")


@admin.register(ArchiveCursor)
class ArchiveCursorAdmin(ReadOnlyMixin, ScopedModelAdmin[ArchiveCursor]):
    scoping = "whole_corp"
    empty_hint = SET_UP
    list_display = ("whose", "lag", "unread", "keys", "trouble", "next_pull_at", "reached")
    list_select_related = ("corp",)
    ordering = ("corp",)
    sortable_by = ()
    fields = (
        "whose",
        "lag",
        "alarms",
        "caught_up_at",
        "read_until",
        "reached",
        "gap_size",
        "keys",
        "unread",
        "trouble",
        "next_pull_at",
    )
    readonly_fields = fields

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        cursor = self.get_object(request, object_id)
        return str(cursor.corp) if cursor else ""

    @display(_("corp"))
    def whose(self, cursor: ArchiveCursor) -> str:
        return str(cursor.corp)

    @display(_("taken in up to number"))
    def reached(self, cursor: ArchiveCursor) -> str:
        return f"{cursor.seq:,}"

    @display(_("state"))
    def lag(self, cursor: ArchiveCursor) -> SafeString:
        return lag_badge(cursor, timezone.now())

    @display(_("to be done"))
    def alarms(self, cursor: ArchiveCursor) -> SafeString | str:
        found = archive_alarms([cursor], now=timezone.now())
        lines = ((f"{alarm.count:,} {alarm.text}",) for alarm in found)
        return format_html_join("", "<p>{}</p>", lines) or UNKNOWN

    @display(_("could not be opened"))
    def unread(self, cursor: ArchiveCursor) -> SafeString | int:
        rows = ArchivedMessage.objects.for_corp(cursor.corp)
        count = rows.filter(text_state=ArchivedMessage.TextState.UNREADABLE).count()
        return badge(f"{count:,}", "red") if count else 0

    @display(_("keys"))
    def keys(self, cursor: ArchiveCursor) -> Any:
        versions = ArchiveKey.objects.for_corp(cursor.corp).order_by("version")
        known = [f"v{version}" for version in versions.values_list("version", flat=True)]
        return listed(known) if known else badge(_t("none: messages cannot be opened"), "red")

    @display(_("problem"))
    def trouble(self, cursor: ArchiveCursor) -> str:
        return cursor.problem or UNKNOWN
