"""The children of a customer, on her page and on a page of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from customers.actions.blocking import WHY_LENGTH
from customers.actions.children import (
    ChildDraft,
    Standing,
    add_child,
    change_child,
    lift_loss,
    mark_loss,
    remove_child,
    standing_on,
)
from customers.models import Child, Customer
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, refuse
from scrm.common.admin_forms import show_problems
from scrm.common.badges import badge
from scrm.common.errors import DomainError


@dataclass(frozen=True)
class ChildLine:
    child: Child
    badge: SafeString
    age: str


class ChildForm(forms.Form):
    name = forms.CharField(
        label=capfirst(_("name")), required=False, widget=UnfoldAdminTextInputWidget()
    )
    gender = forms.TypedChoiceField(
        label=capfirst(_("gender")),
        choices=Child.Gender.choices,
        coerce=int,
        widget=UnfoldAdminSelectWidget(),
    )
    due_on = forms.DateField(
        label=capfirst(_("due")), required=False, widget=UnfoldAdminDateWidget()
    )
    born_on = forms.DateField(
        label=capfirst(_("born")), required=False, widget=UnfoldAdminDateWidget()
    )

    def draft(self) -> ChildDraft:
        given = self.cleaned_data
        gender = Child.Gender(given["gender"])
        return ChildDraft(given["name"], gender, given["due_on"], given["born_on"])


class UnblockDialog(DialogForm):
    """Why; asked for always, needed after a lost pregnancy."""

    why = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=WHY_LENGTH,
        help_text=_("Needed when she has lost a pregnancy."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


def children_of(customer: Customer, *, now: datetime) -> list[ChildLine]:
    """Each with its maternity stage of today; one query."""
    day = now.astimezone(customer.corp.zone).date()
    return [_line(child, standing_on(child, day)) for child in customer.children.order_by("pk")]


def _line(child: Child, standing: Standing) -> ChildLine:
    if child.lost_on is not None:
        return ChildLine(child, badge(_t("pregnancy lost"), "red"), "")
    shown = badge(standing.stage.label, "teal") if standing.stage else badge("—")
    age = ""
    if standing.week is not None:
        age = _t("week %(week)d") % {"week": standing.week}
    elif standing.months is not None:
        age = _t("%(months)d months old") % {"months": standing.months}
    return ChildLine(child, shown, age)


class ChildrenMixin:
    """For the admin of customers."""

    opts: Any
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "customers_customer_child"
        return [
            path("<int:pk>/children/add/", wrap(self.child_view), name=f"{name}_add"),
            path("<int:pk>/children/<int:child_pk>/", wrap(self.child_view), name=name),
            path(
                "<int:pk>/children/<int:child_pk>/act/",
                wrap(self.child_act_view),
                name=f"{name}_act",
            ),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def child_view(self, request: HttpRequest, pk: int, child_pk: int = 0) -> HttpResponse:
        """Add a child, or change what is known of one."""
        customer, child = self._family(request, pk, child_pk)
        back = reverse("admin:customers_customer_change", args=[pk])
        form = _form_for(child, request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                _save(customer, child, form.draft(), request)
                return HttpResponseRedirect(back)
            except DomainError as error:
                show_problems(form, error)
        title = _t("Child of %(customer)s") % {"customer": customer}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": customer,
            "title": title,
            "page_title": title,
            "form": form,
            "child": child,
            "back": back,
        }
        return TemplateResponse(request, "admin/customers/child_page.html", context)

    def child_act_view(self, request: HttpRequest, pk: int, child_pk: int) -> HttpResponse:
        """Mark a loss, lift the mark, remove: what `act` says."""
        _customer, child = self._family(request, pk, child_pk)
        act = _ACTS.get(request.POST.get("act", ""))
        if child is None or act is None:
            raise Http404
        try:
            act(child, request)
        except DomainError as error:
            refuse(request, error)
        return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[pk]))

    def _family(
        self, request: HttpRequest, pk: int, child_pk: int
    ) -> tuple[Customer, Child | None]:
        rows = self._one_or_404(request, pk).select_related("corp")  # type: ignore[attr-defined]
        customer: Customer = rows.get()
        if not self.has_tend_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        child = customer.children.filter(pk=child_pk).first()
        if child_pk and child is None:
            raise Http404
        if child is not None:
            child.customer = customer
        return customer, child


def _form_for(child: Child | None, given: Any) -> ChildForm:
    known = {}
    if child is not None:
        known = {name: getattr(child, name) for name in ("name", "gender", "due_on", "born_on")}
    return ChildForm(given, initial=known)


def _save(customer: Customer, child: Child | None, draft: ChildDraft, request: HttpRequest) -> None:
    actor, now = Actor.of_user(request.user), timezone.now()
    if child is None:
        add_child(customer, draft, actor=actor, now=now)
    else:
        change_child(child, draft, actor=actor, now=now)


def _mark(child: Child, request: HttpRequest) -> None:
    now = timezone.now()
    today = now.astimezone(child.customer.corp.zone).date()
    mark_loss(child, on=today, actor=Actor.of_user(request.user), now=now)


def _lift(child: Child, request: HttpRequest) -> None:
    actor, why = Actor.of_user(request.user), request.POST.get("why", "")
    lift_loss(child, why=why, actor=actor, now=timezone.now())


def _remove(child: Child, request: HttpRequest) -> None:
    remove_child(child, actor=Actor.of_user(request.user), now=timezone.now())


_ACTS: dict[str, Callable[[Child, HttpRequest], None]] = {
    "loss": _mark,
    "lift": _lift,
    "remove": _remove,
}
