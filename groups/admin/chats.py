"""Group chats, who is in them and how they grow, as the platform tells."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin.pieces import person
from groups.actions.growth import WEEK_DAYS, board_of, growth_of, moves_since
from groups.admin.growth import HEIGHT, WIDTH, chart_of
from groups.admin.members import members_of
from groups.admin.tagging import tag_together
from groups.admin.words import CHAT_TONES, moves_words, tag_chips
from groups.models import GroupChat, GroupTag, JoinCode, Membership
from scrm.common.admin import PictureMixin, ReadOnlyMixin, display, object_link
from scrm.common.admin_filters import (
    ChoiceWordFilter,
    DayRangeFilter,
    WordFilter,
    start_of_days,
)
from scrm.common.badges import UNKNOWN, status_badge
from scrm.tenancy.scoped_admin import AutocompleteFilter, ScopedModelAdmin, rows_of, scope_for

_CHART_DAYS = 30


class OwnerFilter(AutocompleteFilter):
    title = _("owner")
    parameter_name = "owner"
    source = GroupChat._meta.get_field("owner")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(owner__in=chosen) if chosen else queryset


class TagFilter(WordFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        tags = rows_of(GroupTag, request).order_by("name")
        return [("none", _("no tag")), *((str(tag.pk), tag.name) for tag in tags)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(tags=None)
        is_known = self.value() in dict(self.lookup_choices)
        return queryset.filter(tags=self.value()) if is_known else queryset


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


class GroupChatChangeList(ChangeList):
    """Adds who entered and left each chat of the page today: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        chats = list(self.result_list)
        moves = moves_since(chats, since=start_of_days(1, now=timezone.now()))
        for chat in chats:
            chat.moves_today = moves.get(chat.pk, (0, 0))
        self.result_list = chats


@admin.register(GroupChat)
class GroupChatAdmin(ReadOnlyMixin, PictureMixin, ScopedModelAdmin[GroupChat]):
    empty_hint = _("Group chats come from WeCom with the first sync.")
    list_display = (
        "who",
        "owner_name",
        "state",
        "member_count",
        "today",
        "customers",
        "tag_list",
        "opened_at",
        "brand",
    )
    list_filter = (
        ExistingFilter,
        ("status", ChoiceWordFilter),
        OwnerFilter,
        TagFilter,
        ("opened_at", DayRangeFilter),
    )
    list_select_related = ("corp", "owner")
    list_before_template = "admin/groups/board.html"
    search_fields = ("name", "chat_id")
    search_help_text = _("Search by name or chat id.")
    ordering = ("-opened_at", "-id")
    sortable_by = ("member_count", "opened_at")
    actions = ("tag_chosen",)
    actions_detail = ("open_tagging",)
    change_form_outer_before_template = "admin/groups/chat.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupChat]:
        customers = (
            Membership.objects.present()
            .filter(chat=OuterRef("pk"), type=Membership.Type.CUSTOMER)
            .order_by()
            .values("chat")
            .annotate(count=Count("pk"))
            .values("count")
        )
        rows = super().get_queryset(request).prefetch_related("tags")
        return rows.annotate(customer_count=Coalesce(Subquery(customers), 0))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return GroupChatChangeList

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        tags = path("<int:pk>/tags/", wrap(self.tags_view), name="groups_groupchat_tags")
        return [tags, *super().get_urls()]

    def has_tend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("groups.change_groupchat")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        now = timezone.now()
        board = board_of(
            self.limit(GroupChat.objects.all(), scope_for(request)),
            today=start_of_days(1, now=now),
            week=start_of_days(WEEK_DAYS, now=now),
        )
        return super().changelist_view(request, {"board": board, **(extra_context or {})})

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
            context |= {"title": str(chat), **self._picture_of(chat, request)}
        return super().change_view(request, object_id, form_url, context)

    def tags_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        chats = self.get_queryset(request).filter(pk=pk)
        if not chats.exists():
            raise Http404
        return tag_together(
            self, request, chats, back=reverse("admin:groups_groupchat_change", args=[pk])
        )

    @admin.action(description=_("Add or take tags …"), permissions=["tend"])
    def tag_chosen(self, request: HttpRequest, queryset: QuerySet[GroupChat]) -> HttpResponse:
        back = request.get_full_path()
        return tag_together(self, request, queryset, back=back, action="tag_chosen")

    @object_link(_("Tags"), permission="tend", icon="sell")
    def open_tagging(self, request: HttpRequest, chat: GroupChat) -> str:
        return reverse("admin:groups_groupchat_tags", args=[chat.pk])

    @display(_("group chat"), ordering="name")
    def who(self, chat: GroupChat) -> SafeString:
        return person(str(chat), seed=chat.chat_id)

    @display(_("owner"))
    def owner_name(self, chat: GroupChat) -> str:
        return str(chat.owner) if chat.owner else UNKNOWN

    @display(_("status"))
    def state(self, chat: GroupChat) -> SafeString:
        return status_badge(chat, CHAT_TONES)

    @display(_("today"))
    def today(self, chat: GroupChat) -> SafeString | str:
        return moves_words(*getattr(chat, "moves_today", (0, 0)))

    @display(_("of them customers"))
    def customers(self, chat: GroupChat) -> int:
        count: int = getattr(chat, "customer_count", 0)
        return count

    @display(_("tags"))
    def tag_list(self, chat: GroupChat) -> SafeString | str:
        return tag_chips(chat.tags.all())

    def _picture_of(self, chat: GroupChat, request: HttpRequest) -> dict[str, Any]:
        growth = growth_of(chat, days=_CHART_DAYS, now=timezone.now())
        codes = rows_of(JoinCode, request).filter(chats=chat).order_by("-id")
        return {
            "chat": chat,
            "state": self.state(chat),
            "tags": self.tag_list(chat),
            "members": members_of(chat, request),
            "codes": codes.only("pk", "name"),
            "growth": growth,
            "chart": chart_of(growth),
            "today": moves_words(growth.today.joined or 0, growth.today.left or 0),
            "chart_width": WIDTH,
            "chart_height": HEIGHT,
        }
