"""Planning a handover in three looks: from whom, to whom, and what it would come to."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.actions.handover.plans import PlanWish, create_plan
from customers.actions.handover.waiting import waiting_chats
from customers.admin.handover_board import board_of
from customers.models import Customer, Follow, HandoverKind
from scrm.audit.actions.recording import Actor
from scrm.common.admin import refuse
from scrm.common.errors import DomainError
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import rows_of, scope_for, visible_corps

_MOST_TAKERS_SHOWN = 300
_MOST_LISTED = 500


@dataclass
class Colleague:
    """Somebody who could take over."""

    staff: Staff
    load: int
    is_near: bool
    departments: list[str] = field(default_factory=list)
    is_chosen: bool = False


def show_wizard(page: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """From whom, if it is not said; else who takes, and with what words."""
    text = request.GET.get("from", "")
    if not text:
        return _show(page, request, "admin/customers/handover_from.html", **_givers(request))
    giver = rows_of(Staff, request).filter(pk=text).first() if text.isdigit() else None
    if giver is None:
        raise Http404
    if request.method == "POST" and (target := _create(request, giver)):
        return HttpResponseRedirect(target)
    return _show(page, request, "admin/customers/handover_to.html", **_takers(request, giver))


def _givers(request: HttpRequest) -> dict[str, Any]:
    present = rows_of(Staff, request).filter(
        status=Staff.Status.ACTIVE, leaving_since__isnull=True, has_customer_contact=True
    )
    return {
        "board": board_of(scope_for(request), visible_corps(request)),
        "present": present.order_by("name", "pk")[:_MOST_TAKERS_SHOWN],
    }


def _takers(request: HttpRequest, giver: Staff) -> dict[str, Any]:
    chosen = set(request.POST.getlist("to"))
    listed = _listed(request, giver)
    waiting = Follow.objects.live().filter(staff=giver)
    return {
        "giver": giver,
        "has_left": giver.status == Staff.Status.LEFT,
        "listed": listed,
        "customers": len(listed) if listed is not None else waiting.count(),
        "chats": len(waiting_chats([giver], corp=giver.corp)) if listed is None else 0,
        "colleagues": _colleagues(request, giver, chosen),
        "message": request.POST.get("message", ""),
        "with_groups": request.method != "POST" or "include_groups" in request.POST,
    }


def _colleagues(request: HttpRequest, giver: Staff, chosen: set[str]) -> list[Colleague]:
    """Who may take over, colleagues of the department first, then who has least."""
    able: QuerySet[Staff] = rows_of(Staff, request).filter(
        corp=giver.corp_id,
        status=Staff.Status.ACTIVE,
        leaving_since__isnull=True,
        has_customer_contact=True,
    )
    staff = list(able.exclude(pk=giver.pk).prefetch_related("departments").order_by("name", "pk"))
    counts = Follow.objects.live().filter(staff__in=staff).order_by().values_list("staff")
    loads = dict(counts.annotate(Count("pk")))
    near = set(giver.departments.values_list("pk", flat=True))
    colleagues = [
        Colleague(
            each,
            load=loads.get(each.pk, 0),
            is_near=any(unit.pk in near for unit in each.departments.all()),
            departments=[unit.name for unit in each.departments.all()],
            is_chosen=each.userid in chosen,
        )
        for each in staff
    ]
    colleagues.sort(key=lambda one: (not one.is_near, one.load, one.staff.pk))
    return colleagues[:_MOST_TAKERS_SHOWN]


def _listed(request: HttpRequest, giver: Staff) -> list[str] | None:
    """The external ids of chosen customers; None means everybody of hers."""
    text = request.GET.get("customers", "")
    if not text:
        return None
    ids = [int(part) for part in text.split(",")[:_MOST_LISTED] if part.isdigit()]
    theirs = Follow.objects.live().filter(staff=giver, customer__in=ids)
    customers = Customer.objects.filter(pk__in=theirs.values("customer")).order_by("pk")
    return list(customers.values_list("external_userid", flat=True))


def _create(request: HttpRequest, giver: Staff) -> str | None:
    has_left = giver.status == Staff.Status.LEFT
    allowed = rows_of(Staff, request).filter(
        corp=giver.corp_id, userid__in=request.POST.getlist("to")
    )
    wish = PlanWish(
        kind=HandoverKind.RESIGNED if has_left else HandoverKind.IN_SERVICE,
        from_userid=giver.userid,
        to_userids=list(allowed.order_by("pk").values_list("userid", flat=True)),
        external_userids=_listed(request, giver),
        include_groups="include_groups" in request.POST,
        message="" if has_left else request.POST.get("message", ""),
    )
    actor = Actor.of_user(request.user)
    try:
        plan = create_plan(wish, corp=giver.corp, actor=actor, now=timezone.now())
    except DomainError as error:
        refuse(request, error)
        return None
    return reverse("admin:customers_handoverplan_change", args=[plan.pk])


def _show(
    page: ModelAdmin[Any], request: HttpRequest, template: str, **context: Any
) -> HttpResponse:
    title = _("Plan a handover")
    whole = {
        **page.admin_site.each_context(request),
        "title": title,
        "page_title": title,
        "opts": page.opts,
        **context,
    }
    return TemplateResponse(request, template, whole)
