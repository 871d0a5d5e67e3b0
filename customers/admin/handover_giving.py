"""Giving chosen items of a draft to another taker."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget

from customers.actions.handover.plans import set_taker
from customers.models import HandoverItem
from scrm.audit.actions.recording import Actor
from scrm.common.admin import refuse
from scrm.common.errors import DomainError
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import rows_of

if TYPE_CHECKING:
    from customers.admin.handover_items import HandoverItemAdmin


MOST_TOGETHER = 500


class TakerForm(forms.Form):
    taker = forms.ChoiceField(
        label=gettext_lazy("New taker"), widget=UnfoldAdminSelect2Widget(), choices=()
    )

    def __init__(self, *args: object, takers: QuerySet[Staff], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        choices = [(staff.userid, f"{staff} · {staff.userid}") for staff in takers]
        self.fields["taker"].choices = choices  # type: ignore[attr-defined]


def give_together(
    page: "HandoverItemAdmin", request: HttpRequest, rows: QuerySet[HandoverItem]
) -> HttpResponse:
    """Ask who takes the chosen items, then give them to her."""
    back = request.get_full_path()
    corps = list(rows.order_by().values_list("corp", flat=True).distinct()[:2])
    if len(corps) != 1:
        page.message_user(request, _("Choose items of one plan at a time."), level="warning")
        return HttpResponseRedirect(back)
    staff = rows_of(Staff, request).filter(corp=corps[0])
    takers = staff.available().filter(has_customer_contact=True).order_by("name")  # type: ignore[attr-defined]
    is_answer = "apply" in request.POST
    form = TakerForm(request.POST if is_answer else None, takers=takers)
    if is_answer and form.is_valid():
        actor = Actor.of_user(request.user)
        given = _give_all(rows, form.cleaned_data["taker"], actor=actor, request=request)
        if given:
            page.message_user(request, _("%(count)d given to her.") % {"count": given})
        return HttpResponseRedirect(back)
    context = {
        **page.admin_site.each_context(request),
        "title": _("Give to another taker"),
        "page_title": _("Give to another taker"),
        "opts": page.opts,
        "form": form,
        "count": rows.count(),
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": back,
    }
    return TemplateResponse(request, "admin/customers/handover_giving.html", context)


def _give_all(
    items: QuerySet[HandoverItem], to_userid: str, *, actor: Actor, request: HttpRequest
) -> int:
    """Give each to the taker; stops at the first that cannot change and says so."""
    now, given = timezone.now(), 0
    try:
        for item in items.order_by("pk")[:MOST_TOGETHER]:
            set_taker(item, to_userid, actor=actor, now=now)
            given += 1
    except DomainError as error:
        refuse(request, error)
    return given
