"""Orders of the brand's shops: found, looked at, taken in from a file."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action as themed_action
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from customers.actions.identities import digest_of
from customers.actions.order_files import IMPORT, safe_cell, start_import
from customers.actions.timeline_sources import yuan
from customers.models import Identity, IdentityKind, Order
from scrm.audit.actions.recording import Actor
from scrm.common.admin import ReadOnlyMixin, display
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import UNKNOWN, badge, status_badge
from scrm.common.errors import DomainError, InvalidInput
from scrm.common.facts import facts_table
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for, visible_corps

TONES = {
    "paid": "blue",
    "shipped": "teal",
    "completed": "green",
    "refunded": "amber",
    "closed": "grey",
}


class MatchedFilter(WordFilter):
    title = _("whose")
    parameter_name = "matched"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("of a known customer")), ("no", _("waits for somebody unknown"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"yes", "no"}:
            return queryset.filter(customer__isnull=self.value() == "no")
        return queryset


class UploadForm(forms.Form):
    corp = forms.ChoiceField(label=_("corp"), widget=UnfoldAdminSelectWidget())
    shop_id = forms.CharField(
        label=_("shop"),
        max_length=64,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Of files that have no column for it."),
    )
    file = forms.FileField(label=_("CSV file"), widget=UnfoldAdminFileFieldWidget())

    def __init__(self, *args: Any, corps: Iterable[Corp], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(corp.pk), corp.name) for corp in corps]
        self.fields["corp"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["corp"].initial = choices[0][0]
            self.fields["corp"].widget = forms.HiddenInput()


class PersonalAdmin(ReadOnlyMixin, ScopedModelAdmin[Any]):
    """Rows that were told of a person, found by her phone or number too."""

    list_select_related = ("corp", "customer")

    def found_by_name(self, rows: QuerySet[Any], words: str, request: HttpRequest) -> Q:
        """Rows of whoever has this phone or number, or is awaited under it."""
        found = Q(pk__in=[])
        for corp in visible_corps(request):
            for kind in (IdentityKind.PHONE, IdentityKind.MEMBER_ID):
                try:
                    digest = digest_of(kind, words, corp=corp)
                except InvalidInput:
                    continue
                known = Identity.objects.filter(corp=corp, kind=kind, digest=digest)
                found |= Q(corp=corp, customer__in=known.values("customer"))
                found |= Q(corp=corp, customer=None, awaited_kind=kind, awaited_digest=digest)
        return found

    @display(_("customer"))
    def whose(self, row: Any) -> SafeString | str:
        if row.customer is None:
            kinds = {**dict(IdentityKind.choices), "external_userid": _("external id")}
            words = {"kind": kinds.get(row.awaited_kind, UNKNOWN)}
            return badge(_t("waits, by %(kind)s") % words, "amber")
        where = reverse("admin:customers_customer_change", args=[row.customer_id])
        return format_html('<a class="scrm-link" href="{}">{}</a>', where, row.customer)


@admin.register(Order)
class OrderAdmin(PersonalAdmin):
    empty_hint = _("Orders come over REST (PUT /orders/…), or from a CSV file: «Take a file in».")
    list_display = (
        "order_no",
        "shop_id",
        "whose",
        "standing",
        "amount",
        "given_back",
        "paid_at",
        "brand",
    )
    list_filter = (
        ("status", ChoiceWordFilter), MatchedFilter, ("paid_at", DayRangeFilter),
        ("received_at", DayRangeFilter),
    )  # fmt: skip
    search_fields = ("order_no",)
    search_help_text = _("Search by order number, phone or member number, each as a whole.")
    ordering = ("-received_at", "-id")
    sortable_by = ()
    actions_list = ("open_upload",)
    fields = (
        ("order_no", "shop_id"), ("whose", "standing"), ("amount", "given_back"),
        ("paid_at", "refunded_at"), ("changed_at", "received_at"), "item_table", "brand",
    )  # fmt: skip
    readonly_fields = (
        "order_no", "shop_id", "whose", "standing", "amount", "given_back", "paid_at",
        "refunded_at", "changed_at", "received_at", "item_table", "brand",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload_view), name="customers_order_upload"),
            path("upload/<int:pk>/", wrap(self.import_view), name="customers_order_import"),
            path(
                "upload/<int:pk>/errors.csv",
                wrap(self.errors_view),
                name="customers_order_import_errors",
            ),
            *super().get_urls(),
        ]

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.add_order") and bool(_whole_corps(request))

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        order = self.get_object(request, object_id)
        return order.order_no if order else ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        found = Q(order_no=words) | self.found_by_name(queryset, words, request)
        return queryset.filter(found), False

    @themed_action(  # type: ignore[untyped-decorator]
        description=_("Take a file in"), permissions=["upload"], icon="upload_file"
    )
    def open_upload(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:customers_order_upload"))

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file; one that cannot be read is refused at once, with why."""
        if not self.has_upload_permission(request):
            raise PermissionDenied
        corps = {str(corp.pk): corp for corp in _whole_corps(request)}
        is_answer = request.method == "POST"
        form = UploadForm(
            request.POST if is_answer else None,
            request.FILES if is_answer else None,
            corps=corps.values(),
        )
        if is_answer and form.is_valid():
            try:
                job = start_import(
                    form.cleaned_data["file"],
                    name=form.cleaned_data["file"].name,
                    shop_id=form.cleaned_data["shop_id"],
                    corp=corps[form.cleaned_data["corp"]],
                    actor=Actor.of_user(request.user),
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("file", error.detail)
            else:
                where = reverse("admin:customers_order_import", args=[job.pk])
                return HttpResponseRedirect(where)
        recent = Job.objects.filter(kind=IMPORT, corp__in=corps.values()).order_by("-pk")[:10]
        return self._page(
            request,
            "admin/customers/order_upload.html",
            title=_t("Take orders in from a file"),
            form=form,
            recent=list(recent.select_related("corp")),
            back=reverse("admin:customers_order_changelist"),
        )

    def import_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far a file is, and what is wrong with it."""
        job = self._import_or_404(request, pk)
        counts = job.report if job.is_finished else job.state.get("counts", {})
        return self._page(
            request,
            "admin/customers/order_import.html",
            title=_t("Orders from a file"),
            job=job,
            counts=[(words, counts.get(key, 0)) for key, words in _COUNTS.items()],
            errors=_errors_of(job)[:50],
            error_count=len(_errors_of(job)),
            back=reverse("admin:customers_order_upload"),
        )

    def errors_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The lines that were refused, as a file to mend the other by."""
        job = self._import_or_404(request, pk)
        heading = [str(_t("line")), str(_t("column")), str(_t("what is wrong"))]
        rows = [
            [each.get("line", ""), each.get("column", ""), each.get("message", "")]
            for each in _errors_of(job)
        ]
        return StreamingHttpResponse(
            _csv_lines([heading, *rows]),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="errors-{job.pk}.csv"'},
        )

    def _import_or_404(self, request: HttpRequest, pk: int) -> Job:
        if not self.has_upload_permission(request):
            raise PermissionDenied
        job = Job.objects.filter(pk=pk, kind=IMPORT, corp__in=_whole_corps(request)).first()
        if job is None:
            raise Http404
        return job

    def _page(
        self, request: HttpRequest, template: str, *, title: str, **context: Any
    ) -> HttpResponse:
        shared = {
            **self.admin_site.each_context(request),
            "title": title,
            "page_title": title,
            "opts": self.opts,
        }
        return TemplateResponse(request, template, shared | context)

    @display(_("status"))
    def standing(self, order: Order) -> SafeString:
        return status_badge(order, TONES)

    @display(_("amount"))
    def amount(self, order: Order) -> str:
        return yuan(order.amount_fen)

    @display(_("given back"))
    def given_back(self, order: Order) -> str:
        return yuan(order.refunded_fen) if order.refunded_fen else UNKNOWN

    @display(_("items"))
    def item_table(self, order: Order) -> SafeString | str:
        return facts_table(order.items)


_COUNTS: dict[str, Any] = {
    "rows": _("lines read"),
    "created": _("new orders"),
    "updated": _("changed orders"),
    "unchanged": _("known as they are"),
    "stale": _("outdated: a later state is known"),
    "refused": _("refused"),
    "matched": _("of known customers"),
}


def _whole_corps(request: HttpRequest) -> list[Corp]:
    """A file is about anybody: only who may see the whole corp takes one in."""
    scope = scope_for(request)
    corps = visible_corps(request)
    return [corp for corp in corps if scope.everything or corp.pk in scope.corp_ids]


def _errors_of(job: Job) -> list[dict[str, Any]]:
    return list(job.errors if job.is_finished else job.state.get("errors", []))


def _csv_lines(rows: Iterable[list[Any]]) -> Iterator[str]:
    # Excel takes a file without this mark for the local eight-bit code page.
    yield "\ufeff"
    for row in rows:
        buffer = io.StringIO()
        csv.writer(buffer).writerow([safe_cell(cell) for cell in row])
        yield buffer.getvalue()
