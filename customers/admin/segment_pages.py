"""Pages of one segment beside its form: its history, what it shares with another, why somebody."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.segments import Overlap, explain, explain_in_words, overlap_of
from customers.actions.snapshots import (
    Side,
    changed_between,
    compare_snapshots,
    start_or_take_snapshot,
)
from customers.models import Customer, Segment, SegmentMove, SegmentSnapshot
from customers.segments.past import read_as_of
from scrm.audit.actions.recording import Actor
from scrm.common.admin import object_link, refuse
from scrm.common.errors import DomainError
from scrm.jobs.models import Job
from scrm.tenancy.scoped_admin import rows_of, scope_for

_MOST_ROWS = 50
_MOST_SEGMENTS = 500


class SegmentPages:
    """Three pages; mixed into the admin of segments, which scopes what they show."""

    admin_site: Any
    opts: Any

    @object_link(_("History"), icon="history")
    def open_history(self, request: HttpRequest, segment: Segment) -> str:
        return reverse("admin:customers_segment_snapshots", args=[segment.pk])

    @object_link(_("Compare"), icon="join_inner")
    def open_overlap(self, request: HttpRequest, segment: Segment) -> str:
        return reverse("admin:customers_segment_overlap", args=[segment.pk])

    @object_link(_("Who and why"), icon="help")
    def open_why(self, request: HttpRequest, segment: Segment) -> str:
        return reverse("admin:customers_segment_why", args=[segment.pk])

    def snapshots_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Snapshots, what changed between two of them, and who entered and left."""
        segment = self._segment_or_404(request, pk)
        if request.method == "POST":
            return self._take_snapshot(request, segment)
        snapshots = list(
            SegmentSnapshot.objects.filter(segment=segment).order_by("-as_of", "-pk")[:_MOST_ROWS]
        )
        moves = SegmentMove.objects.filter(segment=segment).select_related("customer")
        visible = self._visible(Customer.objects.for_corp(segment.corp), request)
        context: dict[str, Any] = {
            "snapshots": snapshots,
            "moves": moves.filter(customer__in=visible).order_by("-at", "-pk")[:_MOST_ROWS],
            "may_take": request.user.has_perm("customers.change_segment"),
        }
        by_id = {str(each.pk): each for each in snapshots}
        before, after = (by_id.get(request.GET.get(name, "")) for name in ("from", "to"))
        if before and after:
            side = (
                Side(request.GET["which"]) if request.GET.get("which") in set(Side) else Side.GAINED
            )
            rows = self._visible(changed_between(before, after, side=side), request)
            context |= {
                "before": before,
                "after": after,
                "side": side,
                "difference": compare_snapshots(before, after),
                "rows": rows.order_by("-added_at", "-pk")[:_MOST_ROWS],
            }
        return self._page(request, segment, "segment_history", _t("History"), context)

    def overlap_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Two segments as two circles."""
        segment = self._segment_or_404(request, pk)
        others = Segment.objects.for_corp(segment.corp).exclude(pk=segment.pk).order_by("name")
        wanted = request.GET.get("with", "")
        other = others.filter(pk=int(wanted)).first() if _is_id(wanted) else None
        context: dict[str, Any] = {"others": others[:_MOST_SEGMENTS], "other": other}
        if other:
            try:
                found = overlap_of(segment.rule, other.rule, corp=segment.corp, now=timezone.now())
                context |= {"overlap": found, "picture": _circles(found)}
            except DomainError as error:
                refuse(request, error)
        return self._page(request, segment, "segment_overlap", _t("Compare"), context)

    def why_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Why one customer is meant or not, line by line."""
        segment = self._segment_or_404(request, pk)
        asked = request.GET.get("customer", "").strip().replace("\x00", "")
        context: dict[str, Any] = {"asked": asked}
        if asked:
            customers = rows_of(Customer, request).filter(corp=segment.corp)
            customer = customers.filter(external_userid=asked).first()
            context["customer"] = customer
            if customer is not None:
                now = timezone.now()
                try:
                    context |= {
                        "told": explain(segment.rule, customer, now=now),
                        "lines": explain_in_words(segment.rule, customer, now=now),
                    }
                except DomainError as error:
                    refuse(request, error)
        return self._page(request, segment, "segment_why", _t("Who and why"), context)

    def _take_snapshot(self, request: HttpRequest, segment: Segment) -> HttpResponse:
        if not request.user.has_perm("customers.change_segment"):
            raise PermissionDenied
        now, day = timezone.now(), request.POST.get("as_of", "").strip()
        try:
            as_of = read_as_of(day, corp=segment.corp, now=now) if day else None
            taken = start_or_take_snapshot(
                segment, actor=Actor.of_user(request.user), now=now, as_of=as_of
            )
        except DomainError as error:
            refuse(request, error)
        else:
            if isinstance(taken, Job):
                return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[taken.pk]))
            text = _t("The snapshot has %(count)s customers.") % {"count": f"{taken.count:,}"}
            messages.success(request, text)
        return HttpResponseRedirect(reverse("admin:customers_segment_snapshots", args=[segment.pk]))

    def _visible(self, customers: Any, request: HttpRequest) -> QuerySet[Customer]:
        visible: QuerySet[Customer] = customers.in_scope(scope_for(request))
        return visible

    def _segment_or_404(self, request: HttpRequest, pk: int) -> Segment:
        segment: Segment | None = self.get_object(request, str(pk))  # type: ignore[attr-defined]
        if segment is None or not self.has_view_permission(request, segment):  # type: ignore[attr-defined]
            raise Http404
        return segment

    def _page(
        self,
        request: HttpRequest,
        segment: Segment,
        template: str,
        title: str,
        context: dict[str, Any],
    ) -> HttpResponse:
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "segment": segment,
            "original": segment,
            "title": f"{segment.name} · {title}",
            "page_title": f"{segment.name} · {title}",
        }
        return TemplateResponse(request, f"admin/customers/{template}.html", shared | context)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _circles(overlap: Overlap) -> dict[str, Any]:
    """Two circles on a picture of 400 × 200, with areas like the counts and a lens as wide as fits.

    The lens is drawn by its width along the axis, not by its area: it says that, not how exactly.
    """
    this, other = overlap.only_this + overlap.both, overlap.only_other + overlap.both
    largest = max(this, other, 1)
    left, right = (90 * (count / largest) ** 0.5 if count else 0 for count in (this, other))
    shared = overlap.both / max(1, min(this, other))
    distance = (left + right) - 2 * min(left, right) * shared
    middle = 200 + (left - right) / 2
    return {
        "left": {"x": round(middle - distance / 2), "r": round(left)},
        "right": {"x": round(middle + distance / 2), "r": round(right)},
    }
