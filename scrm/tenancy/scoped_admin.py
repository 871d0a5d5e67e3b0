"""The admin's side of "every query starts at the corp and the person's data scope"."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter, site
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.forms import AutocompleteDropdownForm

from scrm.common.admin import EstimatingPaginator, NotFoundMixin, ThemedModelAdmin, display
from scrm.common.admin_filters import WordFilter
from scrm.common.badges import UNKNOWN
from scrm.tenancy.actions.scopes import scope_of
from scrm.tenancy.models import Corp, Scope

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
    from django.db.models.fields.related import RelatedField

M = TypeVar("M", bound=models.Model)


def scope_for(request: HttpRequest) -> Scope:
    """The person's data scope, looked up once per request."""
    scope = getattr(request, "scrm_scope", None)
    if not isinstance(scope, Scope):
        scope = scope_of(request.user)
        request.scrm_scope = scope  # type: ignore[attr-defined]
    return scope


def visible_corps(request: HttpRequest) -> list[Corp]:
    """The corps the person may see something of, looked up once per request."""
    corps: list[Corp] | None = getattr(request, "scrm_corps", None)
    if corps is None:
        corps = list(Corp.objects.in_scope(scope_for(request)).order_by("name", "pk"))
        request.scrm_corps = corps  # type: ignore[attr-defined]
    return corps


class ScopedModelAdmin(NotFoundMixin, ThemedModelAdmin[M]):
    """Shows nothing beyond the person's scope: lists, objects, choices, autocompletes, exports.

    `scoping` says how rows relate to a scope:
    own         the model's QuerySet has `in_scope(scope)` (departments are respected);
    corp        everybody who works for the corp may see all rows (tags, segments);
    whole_corp  only who may see the whole corp (callbacks, operations, audit, keys).
    """

    scoping: ClassVar[Literal["own", "corp", "whole_corp"]] = "own"
    # Shown on the empty list: what fills it, and where to go for that.
    empty_hint: str | Any = ""
    empty_link: ClassVar[tuple[str, Any] | None] = None

    empty_value_display = UNKNOWN
    show_full_result_count = False
    paginator = EstimatingPaginator
    list_per_page = 50
    list_fullwidth = True
    list_filter_submit = True
    warn_unsaved_form = True
    show_facets = ThemedModelAdmin.show_facets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = self.limit(super().get_queryset(request), scope_for(request))
        corps = visible_corps(request)
        if len(corps) == 1 and self._has_corp():
            # The same rows; but every index of brand data begins with the corp.
            return rows.filter(corp_id=corps[0].pk)
        return rows

    def _has_corp(self) -> bool:
        return any(field.name == "corp" for field in self.opts.fields)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        """The same object for all who ask while one page is made."""
        if request.method != "GET":
            return super().get_object(request, object_id, from_field)
        found: dict[Any, M | None] = request.__dict__.setdefault("scrm_objects", {})
        key = (self.model, object_id, from_field)
        if key not in found:
            found[key] = super().get_object(request, object_id, from_field)
        return found[key]

    def limit(self, rows: QuerySet[M], scope: Scope) -> QuerySet[M]:
        if scope.everything:
            return rows
        if self.scoping == "own":
            limited: QuerySet[M] = rows.in_scope(scope)  # type: ignore[attr-defined]
            return limited
        if self.scoping == "whole_corp":
            return rows.filter(corp_id__in=scope.corp_ids)
        return rows.filter(corp_id__in=Corp.objects.in_scope(scope).values("pk"))

    def get_field_queryset(
        self, db: str | None, db_field: "RelatedField[Any, Any]", request: HttpRequest
    ) -> QuerySet[Any] | None:
        """What a form offers and accepts is what the related list would show this person."""
        return rows_of(db_field.related_model, request)

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            # Related rows are made on their own pages, where they are checked by their action.
            field.widget.can_add_related = field.widget.can_change_related = False
            field.widget.can_delete_related = field.widget.can_view_related = False
        return field

    def get_form(
        self,
        request: HttpRequest,
        obj: M | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 — Django's signature
        **kwargs: Any,
    ) -> Any:
        """Forms that call actions need to know who asks, and for which corp."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.request, form.corp = request, self.corp_of(request, obj)
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"show_save_and_add_another": False, **(extra_context or {})}
        if object_id and (title := self.title_of(request, object_id)):
            # A text as `original` leads the trail to the list, and no further.
            context |= {"original": title, "page_title": title, "title": title, "subtitle": ""}
        return super().changeform_view(request, object_id, form_url, context)

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        """What an object is called on its page, where its own name is for logs."""
        return ""

    def corp_of(self, request: HttpRequest, subject: M | None) -> Corp | None:
        corp: Corp | None = getattr(subject, "corp", None)
        return corp

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The column of the corp is only worth its room when there are several."""
        columns = list(super().get_list_display(request))
        if len(visible_corps(request)) < 2 and "brand" in columns:
            columns.remove("brand")
        return columns

    @display(gettext_lazy("corp"))
    def brand(self, row: M) -> str:
        return str(row.corp)  # type: ignore[attr-defined]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters = list(super().get_list_filter(request))
        if self._has_corp():
            filters.insert(0, CorpFilter)
        return filters


class CorpFirstMixin:
    """Adding begins with the corp: asked for when there are several, taken when there is one.

    The form class gets it as `form_class.corp`; it never has a field for it, because everything
    else that can be chosen depends on it.
    """

    opts: Any
    admin_site: Any

    def corp_of(self, request: HttpRequest, subject: models.Model | None) -> Corp | None:
        if subject is not None:
            corp: Corp = subject.corp  # type: ignore[attr-defined]
            return corp
        corps = self.corps_to_add_to(request)
        wanted = [corp for corp in corps if str(corp.pk) == request.GET.get("corp", "")]
        return wanted[0] if wanted else (corps[0] if len(corps) == 1 else None)

    def corps_to_add_to(self, request: HttpRequest) -> list[Corp]:
        return visible_corps(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        if self.corp_of(request, None) is not None:
            view = super().add_view  # type: ignore[misc]
            response: HttpResponse = view(request, form_url, extra_context)
            return response
        corps = self.corps_to_add_to(request)
        if not corps:
            messages.warning(request, _("Connect a corp first; everything else belongs to one."))
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("For which corp?"),
            "page_title": _("For which corp?"),
            "opts": self.opts,
            "corps": corps,
            "is_popup": IS_POPUP_VAR in request.GET,
        }
        return TemplateResponse(request, "admin/tenancy/choose_corp.html", context)


def rows_of(model: Any, request: HttpRequest) -> QuerySet[Any]:
    """The rows of a model this person may choose from; none of a model without an admin."""
    if not site.is_registered(model):
        nothing: QuerySet[Any] = model.objects.none()
        return nothing
    return site.get_model_admin(model).get_queryset(request)


class CorpFilter(WordFilter):
    """Shown when the person works for several corps."""

    title = gettext_lazy("corp")
    parameter_name = "corp"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        corps = visible_corps(request)
        return [(str(corp.pk), corp.name) for corp in corps] if len(corps) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = (self.value() or "").isdigit()
        return queryset.filter(corp_id=self.value()) if chosen else queryset


class AutocompleteFilter(SimpleListFilter):
    """Choose rows of another model by typing; names only what the person may see.

    `source` is a foreign key to that model; the admin's autocomplete searches through it.
    """

    template = "unfold/filters/filters_field.html"
    form_class = AutocompleteDropdownForm
    source: ClassVar["RelatedField[Any, Any]"]

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[models.Model],
        model_admin: "ModelAdmin[Any]",
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.request = request
        self.model_admin = model_admin

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def chosen(self) -> list[int]:
        """The chosen ids that are visible; what is not is ignored."""
        wanted = [
            int(part)
            for part in self.request.GET.getlist(self.parameter_name or "")
            if part.isdigit()
        ]
        return (
            list(self._rows().filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else []
        )

    def choices(self, changelist: "ChangeList") -> Iterator[Any]:
        name = self.parameter_name
        form = AutocompleteDropdownForm(
            request=self.request,
            name=name,
            label=capfirst(self.title),
            choices=(),
            field=self.source,
            model_admin=self.model_admin,
            multiple=True,
            data={name: self.chosen()},
        )
        form.fields[name].queryset = self._rows()
        yield {"form": form}

    def _rows(self) -> QuerySet[Any]:
        return rows_of(self.source.related_model, self.request)
