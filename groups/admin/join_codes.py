"""Join codes: the picture to be printed, where it leads, and what came of it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from groups.actions.growth import CodeFigures, days_of_code, figures_of_codes
from groups.actions.join_codes import (
    MOST_CHATS,
    JoinCodeDraft,
    create_join_code,
    delete_join_code,
    update_join_code,
)
from groups.admin.words import CODE_TONES
from groups.models import GroupChat, JoinCode
from scrm.audit.actions.recording import Actor
from scrm.channels.models import Operation
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import UNKNOWN, listed, status_badge
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for

_CHART_DAYS = 30


class JoinCodeForm(ActionModelForm[JoinCode]):
    class Meta:
        model = JoinCode
        fields = ("name", "chats", "is_growing", "base_name", "base_id")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "base_name": UnfoldAdminTextInputWidget,
            "base_id": UnfoldAdminIntegerFieldWidget,
        }
        help_texts = {
            "chats": _("At most five; whoever scans the code enters the first one with room."),
            "is_growing": _("WeCom opens another chat for the owner when all of them are full."),
            "base_name": _("Such chats are called by this name and a number; empty: by the code's."),
        }  # fmt: skip

    places: ClassVar[dict[str, str]] = {"chat_ids": "chats"}

    def act(self) -> JoinCode:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        given = {name: self.cleaned_data[name] for name in self.Meta.fields if name != "chats"}
        given["base_name"] = given["base_name"] or ""
        given["chat_ids"] = [chat.chat_id for chat in self.cleaned_data["chats"]]
        if self.instance.pk:
            code = JoinCode.objects.select_related("corp").get(pk=self.instance.pk)
            return update_join_code(code, changes=given, actor=actor, now=now)
        return create_join_code(JoinCodeDraft(**given), corp=self.corp, actor=actor, now=now)


class JoinCodeChangeList(ChangeList):
    """Adds what came of each code of the page: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        codes = list(self.result_list)
        figures = figures_of_codes(codes)
        for code in codes:
            code.figures = figures[code.pk]
        self.result_list = codes


@admin.register(JoinCode)
class JoinCodeAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[JoinCode]):
    form = JoinCodeForm
    empty_hint = _("A join code is a picture to be printed: whoever scans it enters a group chat.")
    list_display = (
        "name",
        "standing",
        "chat_names",
        "joined",
        "present",
        "left",
        "created_at",
        "brand",
    )
    list_filter = (("status", ChoiceWordFilter),)
    list_select_related = ("corp",)
    autocomplete_fields = ("chats",)
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name", "created_at")
    actions_detail = ("remove",)
    change_form_outer_before_template = "admin/groups/join_code.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[JoinCode]:
        # Of a code that leads into chats of other departments as well, those are only counted.
        visible = GroupChat.objects.in_scope(scope_for(request)).order_by("pk")
        rows = super().get_queryset(request).filter(deleted_at=None).defer("picture")
        chats = Prefetch("chats", queryset=visible)
        return rows.annotate(chat_count=Count("chats")).prefetch_related(chats)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JoinCodeChangeList

    def get_urls(self) -> list[URLPattern]:
        picture = self.admin_site.admin_view(self.picture_view)
        return [
            path("<int:pk>/picture/", picture, name="groups_joincode_picture"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_change = super().has_change_permission(request, obj)
        return may_change and (not isinstance(obj, JoinCode) or not _hidden_chats_of(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not request.user.has_perm("groups.delete_joincode"):
            return False
        code = self.get_object(request, str(obj)) if obj and not isinstance(obj, JoinCode) else obj
        # Who sees nothing of it is told that it is not there, not that it is forbidden.
        return code is None or not _hidden_chats_of(code)

    def get_fieldsets(self, request: HttpRequest, obj: JoinCode | None = None) -> Any:
        # The picture above tells everything to who may not change it.
        may_change = obj is None or self.has_change_permission(request, obj)
        return super().get_fieldsets(request, obj) if may_change else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        code = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if code is not None and self.has_view_permission(request, code):
            context |= self._picture_of(code, request)
        return super().change_view(request, object_id, form_url, context)

    def picture_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The picture as the platform drew it, from our own database."""
        code = self.get_object(request, str(pk))
        if code is None or not self.has_view_permission(request, code) or not code.picture:
            raise Http404
        return HttpResponse(bytes(code.picture), content_type=code.picture_type)

    @object_action(
        _("Delete this code"),
        explanation=_("Printed copies lead nowhere from then on. Whoever came by it stays in the chat."),
        permission="remove",
        icon="delete",
    )  # fmt: skip
    def remove(self, request: HttpRequest, code: JoinCode, form: DialogForm) -> str:
        delete_join_code(code, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The code is deleted."))
        return reverse("admin:groups_joincode_changelist")

    @display(_("status"))
    def standing(self, code: JoinCode) -> SafeString:
        return status_badge(code, CODE_TONES)

    @display(_("chats"))
    def chat_names(self, code: JoinCode) -> str:
        names = [str(chat) for chat in code.chats.all()]
        hidden = _hidden_chats_of(code)
        return listed([*names, f"+{hidden}"] if hidden else names) or UNKNOWN

    @display(_("came in"))
    def joined(self, code: JoinCode) -> int:
        return _figures_of(code).joined

    @display(_("still there"))
    def present(self, code: JoinCode) -> int:
        return _figures_of(code).present

    @display(_("left since"))
    def left(self, code: JoinCode) -> int:
        return _figures_of(code).left

    def _picture_of(self, code: JoinCode, request: HttpRequest) -> dict[str, Any]:
        days = days_of_code(code, days=_CHART_DAYS, now=timezone.now())
        highest = max(count for _day, count in days)
        return {
            "code": code,
            "standing": self.standing(code),
            "figures": figures_of_codes([code])[code.pk],
            "chats": list(code.chats.all()),
            "hidden_chats": _hidden_chats_of(code),
            "most_chats": MOST_CHATS,
            "bars": [
                {"day": day, "count": count, "height": round(100 * count / highest)}
                for day, count in days
            ]
            if highest
            else [],
            "waits_for": _reason_of_waiting(code),
        }


def _figures_of(code: JoinCode) -> CodeFigures:
    figures: CodeFigures = getattr(code, "figures", CodeFigures())
    return figures


def _hidden_chats_of(code: JoinCode) -> int:
    """How many of its chats the person does not see."""
    count: int = getattr(code, "chat_count", 0)
    return count - len(code.chats.all())


def _reason_of_waiting(code: JoinCode) -> str:
    """Why WeCom has not been asked yet, or not with success, if it is the outbox's to tell."""
    operations = Operation.objects.for_corp(code.corp).filter(
        serial_key=f"join-code:{code.pk}",
        status__in=[*Operation.UNFINISHED, Operation.Status.PARKED],
    )
    return operations.order_by("-pk").values_list("error", flat=True).first() or ""
