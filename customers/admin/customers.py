"""Customers: found, looked at from all sides, tagged, moved, exported."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from import_export.formats.base_formats import CSV, XLSX

from customers.actions.blocking import block_customer, unblock_customer
from customers.actions.notes import add_note
from customers.admin.children import ChildrenMixin, UnblockDialog, children_of
from customers.admin.exports import MOST_ROWS, CustomerResource
from customers.admin.filters import (
    LostSinceFilter,
    NewSinceFilter,
    StaffFilter,
    StageFilter,
    StateFilter,
    TagFilter,
)
from customers.admin.pieces import (
    attach_followers,
    attach_tags,
    chips,
    names_of,
    person,
    standing_of,
)
from customers.admin.portrait import portrait_of
from customers.admin.timeline import part_of, read_place
from customers.admin.together import MOST_ONE_BY_ONE, set_stage_together, tag_together
from customers.models import Customer, CustomerValue, Follow
from scrm.audit.actions.recording import Actor, record
from scrm.common.admin import (
    DialogForm,
    PictureMixin,
    ReadOnlyMixin,
    display,
    object_action,
    object_link,
    refuse,
)
from scrm.common.admin_filters import DayRangeFilter
from scrm.common.badges import badge
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for

if TYPE_CHECKING:

    class ExportMixin: ...
else:
    from import_export.admin import ExportMixin
    from unfold.contrib.import_export.forms import ExportForm


class CustomerChangeList(ChangeList):
    """Adds tags and followers to the rows of one page, whatever their number."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        customers = list(self.result_list)
        attach_tags(customers)
        attach_followers(customers)
        self.result_list = customers


@admin.register(Customer)
class CustomerAdmin(
    ChildrenMixin, ReadOnlyMixin, PictureMixin, ExportMixin, ScopedModelAdmin[Customer]
):
    empty_hint = _(
        "Customers come from WeCom: open the corp and choose «Sync now»; later ones arrive by callback."
    )
    list_display = (
        "who",
        "sex",
        "standing",
        "stage_badge",
        "tags",
        "followed_by",
        "added_at",
        "brand",
    )
    list_filter = (
        StateFilter, TagFilter, StageFilter, StaffFilter, ("added_at", DayRangeFilter),
        NewSinceFilter, LostSinceFilter,
    )  # fmt: skip
    list_select_related = ("corp", "stage")
    search_fields = ("name", "external_userid")
    search_help_text = _("Search by name, remark or external id.")
    ordering = ("-added_at", "-id")
    sortable_by = ("added_at",)
    actions = ("tag_chosen", "set_stage_of_chosen", "block_chosen", "unblock_chosen")
    actions_detail = ("open_tagging", "open_stage", "block", "unblock")
    change_form_outer_before_template = "admin/customers/portrait.html"
    resource_classes = (CustomerResource,)
    formats = (CSV, XLSX)
    # Excel takes a file without this mark for the local eight-bit code page.
    to_encoding = "utf-8-sig"
    if not TYPE_CHECKING:
        export_form_class = ExportForm

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CustomerChangeList

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/tags/", wrap(self.tags_view), name="customers_customer_tags"),
            path("<int:pk>/stage/", wrap(self.stage_view), name="customers_customer_stage"),
            path(
                "<int:pk>/timeline/", wrap(self.timeline_view), name="customers_customer_timeline"
            ),
            path("<int:pk>/note/", wrap(self.note_view), name="customers_customer_note"),
            *super().get_urls(),
        ]

    def get_ordering(self, request: HttpRequest) -> Any:
        """Newest first; who has no friend has no such time, so the lost come by their last change."""
        if request.GET.get("state") in {"lost", "all"}:
            return ("-updated_at", "-id")
        return super().get_ordering(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """By name, remark or exact id; a remark is any member of staff's, once."""
        words = search_term.strip()
        if not words:
            return queryset, False
        remarked = Follow.objects.filter(customer=OuterRef("pk"), remark__icontains=words)
        found = Q(name__icontains=words) | Q(external_userid=words) | Exists(remarked)
        return queryset.filter(found), False

    # What may be done; editing the rows themselves is never one of these.
    def has_tend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.change_customer")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_tend_permission(request)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        customer = self.get_object(request, str(object_id))
        hidden = "block" if customer and customer.is_blocked else "unblock"
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in actions if each.action_name != f"customers_customer_{hidden}"]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        customer = self.get_object(request, object_id)
        context = {"title": "", "subtitle": "", **(extra_context or {})}
        if customer is not None and self.has_view_permission(request, customer):
            context |= {
                "title": str(customer),
                "children": children_of(customer, now=timezone.now()),
                "value": CustomerValue.objects.filter(pk=customer.pk).first(),
                "portrait": portrait_of(
                    customer,
                    scope_for(request),
                    now=timezone.now(),
                    may_note=self.has_tend_permission(request),
                ),
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description=_("Add or take tags …"), permissions=["tend"])
    def tag_chosen(self, request: HttpRequest, queryset: QuerySet[Customer]) -> HttpResponse | None:
        return tag_together(self, request, queryset, action="tag_chosen")

    @admin.action(description=_("Set the stage …"), permissions=["tend"])
    def set_stage_of_chosen(
        self, request: HttpRequest, queryset: QuerySet[Customer]
    ) -> HttpResponse | None:
        return set_stage_together(self, request, queryset, action="set_stage_of_chosen")

    @admin.action(description=_("Never write to them"), permissions=["tend"])
    def block_chosen(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        done = self._each(request, queryset, block_customer)
        self.message_user(
            request, _t("%(count)d customers will get no more messages.") % {"count": done}
        )

    @admin.action(description=_("Allow messages again"), permissions=["tend"])
    def unblock_chosen(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        # Each of these takes a reason, given on her own page.
        lost = queryset.filter(block_reason=Customer.BlockReason.PREGNANCY_LOSS)
        if count := lost.count():
            message = ngettext(
                "%(count)d customer lost a pregnancy: open her page and say why she may be written to.",
                "%(count)d customers lost a pregnancy: open their pages and say why they may be written to.",
                count,
            )
            self.message_user(request, message % {"count": count}, level="warning")
        others = queryset.exclude(block_reason=Customer.BlockReason.PREGNANCY_LOSS)
        done = self._each(request, others, unblock_customer)
        self.message_user(
            request, _t("%(count)d customers may get messages again.") % {"count": done}
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[Customer], act: Any) -> int:
        now, actor = timezone.now(), Actor.of_user(request.user)
        chosen = list(queryset.select_related("corp").order_by("pk")[: MOST_ONE_BY_ONE + 1])
        if len(chosen) > MOST_ONE_BY_ONE:
            message = _t("Only the first %(count)d were taken; choose the rest again.")
            self.message_user(request, message % {"count": MOST_ONE_BY_ONE}, level="warning")
        return sum(act(each, actor=actor, now=now) for each in chosen[:MOST_ONE_BY_ONE])

    @object_link(_("Tags"), permission="tend", icon="sell")
    def open_tagging(self, request: HttpRequest, customer: Customer) -> str:
        return reverse("admin:customers_customer_tags", args=[customer.pk])

    @object_link(_("Stage"), permission="tend", icon="timeline")
    def open_stage(self, request: HttpRequest, customer: Customer) -> str:
        return reverse("admin:customers_customer_stage", args=[customer.pk])

    @object_action(
        _("Never write to"),
        explanation=_("No campaign will include this customer until you allow it again."),
        permission="tend",
        icon="block",
    )
    def block(self, request: HttpRequest, customer: Customer, form: DialogForm) -> None:
        block_customer(customer, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("This customer will get no more messages."))

    @object_action(
        _("Allow messages again"),
        explanation=_("Campaigns will include this customer again."),
        permission="tend",
        form_class=UnblockDialog,
        icon="check_circle",
    )
    def unblock(self, request: HttpRequest, customer: Customer, form: DialogForm) -> None:
        actor, why = Actor.of_user(request.user), form.cleaned_data["why"]
        unblock_customer(customer, actor=actor, now=timezone.now(), why=why)
        self.message_user(request, _t("This customer may get messages again."))

    def tags_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return tag_together(self, request, self._one_or_404(request, pk))

    def stage_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return set_stage_together(self, request, self._one_or_404(request, pk))

    def timeline_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A part of the timeline: earlier entries, or those of one kind."""
        customer = self._one_or_404(request, pk).get()
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        before = read_place(request.GET.get("before", ""))
        part = part_of(
            customer, scope_for(request), view=request.GET.get("view", ""), before=before
        )
        return TemplateResponse(request, "admin/customers/timeline_part.html", {"part": part})

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write a note, and go back to the page."""
        customer = self._one_or_404(request, pk).select_related("corp").get()
        if request.method != "POST" or not self.has_tend_permission(request):
            raise PermissionDenied
        try:
            add_note(
                customer,
                text=request.POST.get("text", ""),
                actor=Actor.of_user(request.user),
                now=timezone.now(),
            )
        except DomainError as error:
            refuse(request, error)
        return HttpResponseRedirect(
            reverse("admin:customers_customer_change", args=[pk]) + "#timeline"
        )

    def _one_or_404(self, request: HttpRequest, pk: int) -> QuerySet[Customer]:
        one = self.get_queryset(request).filter(pk=pk)
        if not one.exists():
            raise Http404
        return one

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """Refuse what would take too long, rather than give a part that looks like the whole."""
        if self.has_export_permission(request):
            rows: QuerySet[Customer] = self.get_export_queryset(request)  # type: ignore[attr-defined]
            if rows.order_by().values("pk")[: MOST_ROWS + 1].count() > MOST_ROWS:
                message = _t("A file holds at most %(most)s customers: narrow the list first.")
                self.message_user(request, message % {"most": f"{MOST_ROWS:,}"}, level="warning")
                back = reverse("admin:customers_customer_changelist")
                return HttpResponseRedirect(f"{back}?{request.GET.urlencode()}")
        answer: HttpResponse = super().export_action(request)  # type: ignore[misc]
        return answer

    def get_export_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"page_title": _t("Export")}

    def get_export_data(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet[Customer], **kwargs: Any
    ) -> Any:
        """Make the file, and write down who took how many customers out under which filter."""
        data = super().get_export_data(file_format, request, queryset, **kwargs)  # type: ignore[misc]
        count = queryset.count()
        corps = Corp.objects.filter(pk__in=queryset.order_by().values("corp"))
        for corp in corps:
            record(
                "customers.exported",
                actor=Actor.of_user(request.user),
                corp=corp,
                subject=corp,
                now=timezone.now(),
                data={"rows": count, "filter": request.GET.urlencode()},
            )
        return data

    @display(_("customer"))
    def who(self, customer: Customer) -> SafeString:
        note = customer.company or customer.get_type_display()
        return person(str(customer), note, seed=customer.external_userid)

    @display(_("gender"))
    def sex(self, customer: Customer) -> str:
        return customer.get_gender_display() if customer.gender else "—"

    @display(_("status"))
    def standing(self, customer: Customer) -> SafeString:
        return standing_of(customer)

    @display(_("stage"))
    def stage_badge(self, customer: Customer) -> SafeString | str:
        return badge(customer.stage.name, "teal") if customer.stage else "—"

    @display(_("tags"))
    def tags(self, customer: Customer) -> SafeString | str:
        return chips(customer.shown_tags)  # type: ignore[attr-defined]

    @display(_("followed by"))
    def followed_by(self, customer: Customer) -> str:
        return names_of(customer.followers)  # type: ignore[attr-defined]
