"""Tags of three kinds: the platform's are looked at, our own are made here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from customers.actions.platform_catalogue import LARGEST_ORDER, ask_to_delete, ask_to_edit
from customers.actions.tags import (
    LONGEST_DAYS,
    create_tag,
    create_tag_group,
    delete_tag,
    delete_tag_group,
    rename_tag,
    rename_tag_group,
    set_exclusive,
    set_lasting,
)
from customers.admin.pieces import chip
from customers.admin.tag_pages import TagPagesMixin
from customers.models import Tag, TagGroup, TagKind
from scrm.audit.actions.recording import Actor
from scrm.common.admin import (
    DialogForm,
    display,
    object_action,
    object_link,
)
from scrm.common.admin_filters import ChoiceWordFilter, WordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import badge
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, rows_of

KIND_TONES = {"wecom": "green", "system": "blue", "auto": "amber"}


class TagForm(ActionModelForm[Tag]):
    """A tag of ours is made in a group of ours; later only its name changes."""

    class Meta:
        model = Tag
        fields = ("group", "name", "lasts_days")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "group": UnfoldAdminSelectWidget,
            "lasts_days": UnfoldAdminIntegerFieldWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "group" in self.fields:
            own = TagGroup.objects.for_corp(self.corp).exclude(kind=TagKind.WECOM)
            choice = self.fields["group"]
            choice.queryset = own.filter(deleted_at=None).order_by("name")  # type: ignore[attr-defined]
            choice.help_text = _t("No group fits? Make one under «Tag groups».")

    def act(self) -> Tag:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        name, lasts_days = self.cleaned_data["name"], self.cleaned_data["lasts_days"]
        if not self.instance.pk:
            group = self.cleaned_data["group"]
            return create_tag(name, group=group, lasts_days=lasts_days, actor=actor, now=now)
        tag = Tag.objects.select_related("corp").get(pk=self.instance.pk)
        if name != tag.name:
            rename_tag(tag, name=name, actor=actor, now=now)
        return set_lasting(tag, lasts_days=lasts_days, actor=actor, now=now)


class TagGroupForm(ActionModelForm[TagGroup]):
    class Meta:
        model = TagGroup
        fields = ("name", "is_exclusive")
        widgets = {"name": UnfoldAdminTextInputWidget, "is_exclusive": UnfoldBooleanSwitchWidget}
        help_texts = {"is_exclusive": _("Who is given one tag of the group loses the others.")}

    def act(self) -> TagGroup:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        name = self.cleaned_data["name"]
        if self.instance.pk:
            group = TagGroup.objects.select_related("corp").get(pk=self.instance.pk)
            if name != group.name:
                rename_tag_group(group, name=name, actor=actor, now=now)
        else:
            group = create_tag_group(name, corp=self.corp, actor=actor, now=now)
        wanted = {"is_exclusive": self.cleaned_data["is_exclusive"]}
        return set_exclusive(group, **wanted, actor=actor, now=now)


class PlatformNameDialog(DialogForm):
    """What the platform is asked to change of one of its tags or groups."""

    name = forms.CharField(
        label=capfirst(_("name")),
        required=False,
        max_length=30,
        help_text=_("Empty: as it is."),
        widget=UnfoldAdminTextInputWidget(),
    )
    order = forms.IntegerField(
        label=capfirst(_("order")),
        required=False,
        min_value=0,
        max_value=LARGEST_ORDER,
        help_text=_("Larger ones come first. Empty: as it is."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class LastingDialog(DialogForm):
    lasts_days = forms.IntegerField(
        label=capfirst(_("lasts days")),
        required=False,
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=_("Counted from when it is given. Empty: it never ends."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )


def ask_platform_to_edit(
    page: Any, request: HttpRequest, thing: Tag | TagGroup, form: DialogForm
) -> None:
    name, order = form.cleaned_data["name"] or None, form.cleaned_data["order"]
    if name is not None or order is not None:
        actor, now = Actor.of_user(request.user), timezone.now()
        ask_to_edit(thing, name=name, order=order, actor=actor, now=now)
        page.message_user(request, _t("WeCom is asked; see «Tags on the platform»."))


class OwnOnlyMixin:
    """What the platform keeps is changed in its console; Django's delete is never offered."""

    opts: Any
    # Shown for our own things, and for those of the platform that this app may change.
    own_actions: tuple[str, ...] = ("_remove",)
    platform_actions: tuple[str, ...] = ("_edit_on_platform", "_delete_on_platform")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_ours = getattr(obj, "kind", "") != TagKind.WECOM
        return is_ours and super().has_change_permission(request, obj)  # type: ignore[misc]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        thing = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        if thing is None:
            return []
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        left_out = self.platform_actions
        if thing.kind == TagKind.WECOM:
            is_deaf = thing.is_foreign or not thing.wecom_id
            left_out = (*self.own_actions, *(self.platform_actions if is_deaf else ()))
        return [each for each in actions if not each.action_name.endswith(left_out)]


class GroupFilter(WordFilter):
    title = _("tag group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        groups = rows_of(TagGroup, request).order_by("kind", "name")
        return [(str(group.pk), group.name) for group in groups]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(group=self.value()) if (self.value() or "").isdigit() else queryset


class TagChangeList(ChangeList):
    """Counts who carries the tags of one page in one pass over the arrays."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tags = list(self.result_list)
        counts = carriers_of([tag.pk for tag in tags])
        for tag in tags:
            tag.customer_count = counts.get(tag.pk, 0)
        self.result_list = tags


def carriers_of(tag_ids: list[int]) -> dict[int, int]:
    """Customers for each tag; "distinct" over the rows of assignments would be far slower."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tag_id, count(*) FROM customers_customertagset, unnest(tag_ids) AS tag_id"
            " WHERE tag_ids && %s::int[] AND tag_id = ANY(%s::int[]) GROUP BY tag_id",
            [tag_ids, tag_ids],
        )
        return dict(cursor.fetchall())


@admin.register(Tag)
class TagAdmin(TagPagesMixin, OwnOnlyMixin, CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Tag]):
    scoping = "corp"
    empty_hint = _("Make tags of your own, or sync the corp to see those of WeCom.")
    form = TagForm
    list_display = ("shown", "group_name", "kind_badge", "carriers", "brand")
    list_filter = (("kind", ChoiceWordFilter), GroupFilter)
    list_select_related = ("corp", "group")
    search_fields = ("name", "group__name")
    ordering = ("kind", "group__order", "group_id", "order", "pk")
    sortable_by = ("shown",)
    actions_detail = ("edit_on_platform", "set_days", "merge", "remove", "delete_on_platform")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        return super().get_queryset(request).filter(deleted_at=None).select_related("group")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TagChangeList

    def get_fields(self, request: HttpRequest, obj: Tag | None = None) -> Any:
        if obj is None:
            return ("group", "name", "lasts_days")
        return ("name", "lasts_days", "group_name", "kind_badge", "carriers")

    def get_readonly_fields(self, request: HttpRequest, obj: Tag | None = None) -> Any:
        return ("group_name", "kind_badge", "carriers") if obj else ()

    @object_action(
        _("Delete this tag"),
        explanation=_("It is taken from everybody who carries it; segments that name it must be changed."),
        permission="remove",
        icon="delete",
    )  # fmt: skip
    def remove(self, request: HttpRequest, tag: Tag, form: DialogForm) -> str:
        delete_tag(tag, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The tag is deleted."))
        return reverse("admin:customers_tag_changelist")

    @object_action(
        _("Change on WeCom"),
        explanation=_("WeCom is asked; the tag changes here when it has agreed."),
        form_class=PlatformNameDialog,
        permission="remove",
        icon="edit",
    )
    def edit_on_platform(self, request: HttpRequest, tag: Tag, form: DialogForm) -> None:
        ask_platform_to_edit(self, request, tag, form)

    @object_action(
        _("Delete on WeCom"),
        explanation=_("WeCom is asked to delete it; then everybody loses it. This cannot be undone."),
        permission="remove",
        icon="delete",
    )  # fmt: skip
    def delete_on_platform(self, request: HttpRequest, tag: Tag, form: DialogForm) -> None:
        ask_to_delete(tag, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("WeCom is asked; see «Tags on the platform»."))

    @object_action(
        _("How long it lasts"),
        explanation=_("Who carries it already keeps it as it was given."),
        permission="remove",
        form_class=LastingDialog,
        icon="timer",
    )
    def set_days(self, request: HttpRequest, tag: Tag, form: DialogForm) -> None:
        days = form.cleaned_data["lasts_days"]
        set_lasting(tag, lasts_days=days, actor=Actor.of_user(request.user), now=timezone.now())

    @object_link(_("Merge with another"), permission="remove", icon="merge")
    def merge(self, request: HttpRequest, tag: Tag) -> str:
        return reverse("admin:customers_tag_merge", args=[tag.pk])

    @display(_("tag"), ordering="name")
    def shown(self, tag: Tag) -> SafeString:
        return chip(tag)

    @display(_("tag group"))
    def group_name(self, tag: Tag) -> str:
        return tag.group.name

    @display(_("kind"))
    def kind_badge(self, tag: Tag) -> SafeString:
        return badge(tag.get_kind_display(), KIND_TONES[tag.kind])

    @display(_("customers"))
    def carriers(self, tag: Tag) -> SafeString | str:
        counted: int | None = getattr(tag, "customer_count", None)
        count = carriers_of([tag.pk]).get(tag.pk, 0) if counted is None else counted
        link = f"{reverse('admin:customers_customer_changelist')}?tag={tag.pk}"
        if not count:
            return "0"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', link, f"{count:,}")


@admin.register(TagGroup)
class TagGroupAdmin(OwnOnlyMixin, CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[TagGroup]):
    scoping = "corp"
    empty_hint = _("A group holds tags that answer one question, such as «interest» or «source».")
    form = TagGroupForm
    list_display = ("name", "kind_badge", "tag_count", "brand")
    list_filter = (("kind", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("kind", "order", "pk")
    sortable_by = ("name", "tag_count")
    actions_detail = ("edit_on_platform", "switch_exclusive", "remove", "delete_on_platform")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TagGroup]:
        rows = super().get_queryset(request).filter(deleted_at=None)
        return rows.annotate(current_tags=Count("tags", filter=Q(tags__deleted_at=None)))

    def get_fields(self, request: HttpRequest, obj: TagGroup | None = None) -> Any:
        entered = ("name", "is_exclusive")
        return (*entered, "kind_badge", "tag_count") if obj else entered

    def get_readonly_fields(self, request: HttpRequest, obj: TagGroup | None = None) -> Any:
        return ("kind_badge", "tag_count") if obj else ()

    @object_action(
        _("Delete this group"),
        explanation=_("All its tags go with it and are taken from everybody who carries them."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, group: TagGroup, form: DialogForm) -> str:
        count = delete_tag_group(group, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(
            request, _t("The group is deleted with %(count)d tags.") % {"count": count}
        )
        return reverse("admin:customers_taggroup_changelist")

    @object_action(
        _("Change on WeCom"),
        explanation=_("WeCom is asked; the tag changes here when it has agreed."),
        form_class=PlatformNameDialog,
        permission="remove",
        icon="edit",
    )
    def edit_on_platform(self, request: HttpRequest, group: TagGroup, form: DialogForm) -> None:
        ask_platform_to_edit(self, request, group, form)

    @object_action(
        _("Delete on WeCom"),
        explanation=_("WeCom is asked to delete it; then everybody loses it. This cannot be undone."),
        permission="remove",
        icon="delete",
    )  # fmt: skip
    def delete_on_platform(self, request: HttpRequest, group: TagGroup, form: DialogForm) -> None:
        ask_to_delete(group, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("WeCom is asked; see «Tags on the platform»."))

    @object_action(
        _("One at a time: on or off"),
        explanation=_("Who is given one tag of the group loses the others."),
        permission="remove",
        icon="radio_button_checked",
    )
    def switch_exclusive(self, request: HttpRequest, group: TagGroup, form: DialogForm) -> None:
        wanted = {"is_exclusive": not group.is_exclusive}
        set_exclusive(group, **wanted, actor=Actor.of_user(request.user), now=timezone.now())

    @display(_("kind"))
    def kind_badge(self, group: TagGroup) -> SafeString:
        return badge(group.get_kind_display(), KIND_TONES[group.kind])

    @display(_("tags"), ordering="current_tags")
    def tag_count(self, group: TagGroup) -> SafeString | str:
        count: int = getattr(group, "current_tags", 0)
        link = f"{reverse('admin:customers_tag_changelist')}?group={group.pk}"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', link, count)
