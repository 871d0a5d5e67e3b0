"""Group tags: words that operators sort chats by."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from groups.actions.group_tags import create_group_tag, delete_group_tag, rename_group_tag
from groups.models import GroupTag
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin


class GroupTagForm(ActionModelForm[GroupTag]):
    class Meta:
        model = GroupTag
        fields = ("name",)
        widgets = {"name": UnfoldAdminTextInputWidget}

    def act(self) -> GroupTag:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        name = self.cleaned_data["name"]
        if self.instance.pk:
            tag = GroupTag.objects.select_related("corp").get(pk=self.instance.pk)
            return rename_group_tag(tag, name=name, actor=actor, now=now)
        return create_group_tag(name, corp=self.corp, actor=actor, now=now)


@admin.register(GroupTag)
class GroupTagAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[GroupTag]):
    scoping = "corp"
    empty_hint = _("Group tags sort chats, such as «mothers» or «shop floor»; they are ours alone.")
    form = GroupTagForm
    list_display = ("name", "chats", "brand")
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    sortable_by = ("name", "chats")
    actions_detail = ("remove",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupTag]:
        existing = ~Q(groupchat__status="dismissed")
        return (
            super().get_queryset(request).annotate(chat_count=Count("groupchat", filter=existing))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("groups.delete_grouptag")

    @object_action(
        _("Delete this tag"),
        explanation=_("It is taken from every chat that carries it."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, tag: GroupTag, form: DialogForm) -> str:
        delete_group_tag(tag, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The tag is deleted."))
        return reverse("admin:groups_grouptag_changelist")

    @display(_("group chats"), ordering="chat_count")
    def chats(self, tag: GroupTag) -> SafeString | str:
        count: int = getattr(tag, "chat_count", 0)
        link = f"{reverse('admin:groups_groupchat_changelist')}?tag={tag.pk}"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', link, count)
