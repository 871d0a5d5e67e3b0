"""What all pages of the admin share: the theme, typed; badges; counting; refusals as messages."""

import json
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from unfold.decorators import action as themed_action
from unfold.decorators import display as themed_display
from unfold.enums import ActionVariant

from scrm.common.badges import UNKNOWN
from scrm.common.errors import DomainError

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ThemedModelAdmin
    from django.contrib.admin import TabularInline as ThemedTabularInline
    from django.forms import Form as DialogForm
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin
    from unfold.admin import TabularInline as ThemedTabularInline
    from unfold.forms import BaseDialogForm as DialogForm

__all__ = ["DialogForm", "ThemedModelAdmin", "ThemedTabularInline"]

Text = str | Promise
F = TypeVar("F", bound=Callable[..., Any])


def display(description: Text, **options: Any) -> Callable[[F], F]:
    """A column of a list or a line of a page; options as of unfold's `display`."""
    decorate = themed_display(description=description, **options)
    return cast("Callable[[F], F]", decorate)


def refuse(request: HttpRequest, error: DomainError) -> None:
    """Tell the person what was refused and what to change."""
    messages.error(request, error.detail)


class EstimatingPaginator(Paginator[Any]):
    """Counts up to `EXACT_UP_TO` rows exactly; beyond that the planner's estimate has to do.

    Nobody pages through a million customers, but everybody would wait for their count.
    """

    EXACT_UP_TO = 10_000
    is_estimate = False

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        counted = rows.order_by().values("pk")[: self.EXACT_UP_TO + 1].count()
        if counted <= self.EXACT_UP_TO:
            return counted
        self.is_estimate = True
        return max(counted, _planned_rows(rows))


def _planned_rows(rows: QuerySet[Any]) -> int:
    plan = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


class ReadOnlyMixin:
    """Rows that the product writes and people only read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class PictureMixin:
    """The page of an object is a template of ours, without a form below it."""

    def get_fieldsets(self, request: HttpRequest, obj: object = None) -> list[Any]:
        return []


class NotFoundMixin:
    """An object that is not there, or not for this person, is 404.

    Django would send the person home with a message.
    """

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        raise Http404


class SuperuserOnlyMixin(NotFoundMixin):
    """Rows of the whole installation: whoever may see only some corps may not see these."""

    empty_value_display = UNKNOWN

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)


def object_action(
    label: Text,
    *,
    explanation: Text,
    permission: str = "change",
    form_class: type[DialogForm] | None = None,
    icon: str | None = None,
    variant: str = "default",
) -> Callable[[F], F]:
    """A button on an object's page (or row) that asks first, in a dialog, and then acts by POST.

    The method is called with the object, which is looked up in the person's scope, and the
    dialog's form; it returns where to go, or None to stay. A DomainError becomes a message.
    """

    def decorate(act: F) -> F:
        @wraps(act)
        def run(
            model_admin: Any, request: HttpRequest, form: DialogForm, object_id: str
        ) -> HttpResponse:
            subject = model_admin.get_object(request, object_id)
            if subject is None:
                raise Http404
            target: str | None = None
            try:
                target = act(model_admin, request, subject, form)
            except DomainError as error:
                refuse(request, error)
            return leave_dialog(request, target, stay=_page_of(subject))

        decorated = themed_action(
            description=label,
            permissions=(permission,),
            icon=icon,
            variant=ActionVariant(variant),
            dialog={
                "title": label,
                "description": explanation,
                "form_class": form_class,
                "form_submit_text": label,
            },
        )(run)
        return cast("F", decorated)

    return decorate


def object_link(
    label: Text, *, permission: str = "view", icon: str | None = None
) -> Callable[[F], F]:
    """A button that leads to another page; the method returns its address."""

    def decorate(find: F) -> F:
        @wraps(find)
        def run(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            subject = model_admin.get_object(request, object_id)
            if subject is None:
                raise Http404
            return HttpResponseRedirect(find(model_admin, request, subject))

        decorated = themed_action(description=label, permissions=(permission,), icon=icon)(run)
        return cast("F", decorated)

    return decorate


def leave_dialog(request: HttpRequest, target: str | None, *, stay: str) -> HttpResponse:
    """Answer a dialog's POST: htmx needs to be told to load a page, a plain form is redirected."""
    if "HX-Request" not in request.headers:
        return HttpResponseRedirect(target or stay)
    if target is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return HttpResponse(headers={"HX-Redirect": target})


def _page_of(subject: Model) -> str:
    meta = subject._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[subject.pk])
