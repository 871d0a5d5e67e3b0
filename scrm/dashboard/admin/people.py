"""People who work in the admin: users, their roles, and the corps they may see."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from scrm.common.admin import (
    SuperuserOnlyMixin,
    ThemedModelAdmin,
    ThemedTabularInline,
    display,
)
from scrm.common.badges import UNKNOWN, listed
from scrm.tenancy.models import CorpAccess

admin.site.unregister(User)
admin.site.unregister(Group)


class CorpAccessInline(ThemedTabularInline[CorpAccess, User]):
    model = CorpAccess
    extra = 0
    autocomplete_fields = ("departments",)


@admin.register(CorpAccess)
class CorpAccessAdmin(SuperuserOnlyMixin, ThemedModelAdmin[CorpAccess]):
    list_display = ("user", "corp", "limits")
    list_select_related = ("user", "corp")
    search_fields = ("user__username", "corp__name")
    autocomplete_fields = ("user", "departments")
    ordering = ("user", "corp")
    list_fullwidth = True
    empty_hint = _("Give a colleague access to a corp, or to some of its departments.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorpAccess]:
        return super().get_queryset(request).prefetch_related("departments")

    @display(_("departments"))
    def limits(self, access: CorpAccess) -> str:
        names = [department.name for department in access.departments.all()]
        return listed(names) if names else _t("the whole corp")


@admin.register(User)
class PersonAdmin(SuperuserOnlyMixin, UserAdmin[User], ThemedModelAdmin[User]):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (CorpAccessInline,)
    list_display = ("username", "full_name", "roles", "access", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows = super().get_queryset(request)
        return rows.prefetch_related("groups", "corp_accesses__corp")

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        # A new person is named first and given access on the next page.
        return self.inlines if obj else ()

    @display(_("name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name() or UNKNOWN

    @display(_("roles"))
    def roles(self, user: User) -> str:
        if user.is_superuser:
            return _t("superuser")
        return listed(group.name for group in user.groups.all()) or UNKNOWN

    @display(_("corps"))
    def access(self, user: User) -> str:
        if user.is_superuser:
            return _t("everything")
        accesses = user.corp_accesses.all()
        return listed(access.corp.name for access in accesses) or UNKNOWN


@admin.register(Group)
class RoleAdmin(SuperuserOnlyMixin, GroupAdmin, ThemedModelAdmin[Group]):
    empty_hint = _("A role is a set of permissions that several people share.")
