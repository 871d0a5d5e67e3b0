"""Group chats and who is in them, as the platform tells."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.admin.pieces import person
from groups.models import GroupChat, Membership
from scrm.common.admin import (
    PictureMixin,
    ReadOnlyMixin,
    display,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import UNKNOWN, badge, status_badge
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin

CHAT_TONES = {
    "normal": "green",
    "owner_left": "red",
    "inheriting": "amber",
    "inherited": "blue",
    "dismissed": "grey",
}
# join_scene of groupchat/get [doc 92122].
JOIN_SCENES: dict[int, Any] = {
    1: _("invited by a member of staff"),
    2: _("by an invitation link"),
    3: _("scanned the group's QR code"),
}
_MOST_MEMBERS = 500


class OwnerFilter(AutocompleteFilter):
    title = _("owner")
    parameter_name = "owner"
    source = GroupChat._meta.get_field("owner")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(owner__in=chosen) if chosen else queryset


class ExistingFilter(WordFilter):
    """Dismissed chats are history; they are shown on demand."""

    title = _("existence")
    parameter_name = "existing"
    all_label = _("existing ones")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("dismissed ones too"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all" or "status" in request.GET:
            return queryset
        return queryset.exclude(status=GroupChat.Status.DISMISSED)


@admin.register(GroupChat)
class GroupChatAdmin(ReadOnlyMixin, PictureMixin, ScopedModelAdmin[GroupChat]):
    empty_hint = _("Group chats come from WeCom with the first sync.")
    list_display = ("who", "owner_name", "state", "member_count", "customers", "opened_at", "brand")
    list_filter = (
        ExistingFilter,
        ("status", ChoiceWordFilter),
        OwnerFilter,
        ("opened_at", DayRangeFilter),
    )
    list_select_related = ("corp", "owner")
    search_fields = ("name", "chat_id")
    search_help_text = _("Search by name or chat id.")
    ordering = ("-opened_at", "-id")
    sortable_by = ("member_count", "opened_at")
    change_form_outer_before_template = "admin/groups/members.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupChat]:
        customers = (
            Membership.objects.present()
            .filter(chat=OuterRef("pk"), type=Membership.Type.CUSTOMER)
            .order_by()
            .values("chat")
            .annotate(count=Count("pk"))
            .values("count")
        )
        rows = super().get_queryset(request)
        return rows.annotate(customer_count=Coalesce(Subquery(customers), 0))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        chat = self.get_object(request, object_id)
        context = {"subtitle": "", **(extra_context or {})}
        if chat is not None and self.has_view_permission(request, chat):
            context |= {"title": str(chat), "chat": chat, "members": members_of(chat, request)}
            context["state"] = self.state(chat)
        return super().change_view(request, object_id, form_url, context)

    @display(_("group chat"), ordering="name")
    def who(self, chat: GroupChat) -> SafeString:
        return person(chat.name or _t("(no name)"), seed=chat.chat_id)

    @display(_("owner"))
    def owner_name(self, chat: GroupChat) -> str:
        return str(chat.owner) if chat.owner else UNKNOWN

    @display(_("status"))
    def state(self, chat: GroupChat) -> SafeString:
        return status_badge(chat, CHAT_TONES)

    @display(_("of them customers"))
    def customers(self, chat: GroupChat) -> int:
        count: int = getattr(chat, "customer_count", 0)
        return count


def members_of(chat: GroupChat, request: HttpRequest) -> list[dict[str, Any]]:
    """Everybody in the chat and, below, who has left; staff by their names."""
    memberships = list(
        chat.memberships.select_related("customer").order_by("-left_at", "type", "joined_at")[
            :_MOST_MEMBERS
        ]
    )
    userids = {each.member_id for each in memberships if each.type == Membership.Type.STAFF}
    userids |= {each.inviter for each in memberships if each.inviter}
    staff = Staff.objects.for_corp(chat.corp).filter(userid__in=userids)
    names = dict(staff.values_list("userid", "name"))
    rows = [_row_of(each, names) for each in memberships]
    return sorted(rows, key=lambda row: row["membership"].left_at is not None)


def _row_of(membership: Membership, names: dict[str, str]) -> dict[str, Any]:
    is_staff = membership.type == Membership.Type.STAFF
    known = str(membership.customer) if membership.customer else ""
    name = names.get(membership.member_id, "") if is_staff else known
    kind = badge(_t("staff"), "blue") if is_staff else badge(_t("customer"), "green")
    if not is_staff and membership.customer is None:
        kind = badge(_t("nobody's customer"), "grey")
    return {
        "membership": membership,
        "who": person(name or membership.name or membership.member_id, seed=membership.member_id),
        "kind": kind,
        "scene": JOIN_SCENES.get(membership.join_scene, UNKNOWN),
        "inviter": names.get(membership.inviter, membership.inviter) or UNKNOWN,
    }
