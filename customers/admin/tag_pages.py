"""Pages about all tags of a corp: how they are used, where they drift, merging two of them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.actions.platform_catalogue import NewTags, ask_for_tags
from customers.actions.tag_drift import compare, last_read_at, waiting_changes
from customers.actions.tag_merging import start_merging
from customers.actions.tag_report import TagFigures, latest_report, start_report
from customers.actions.tag_usage import Use, usage_of_tags
from customers.models import Tag, TagGroup, TagKind
from risk.admin.prohibitions import list_link
from scrm.audit.actions.recording import Actor
from scrm.channels.admin import OPERATIONS
from scrm.channels.opening import open_channel
from scrm.common.admin import refuse
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import visible_corps

_MOST_ROWS = 500
_ORDERS: dict[str, Callable[[TagFigures], int]] = {
    "customers": lambda told: -told.customers,
    "gained": lambda told: -told.gained,
    "lost": lambda told: -told.lost,
}


class TagPagesMixin:
    """For the admin of tags."""

    opts: Any
    admin_site: Any
    actions_list = ("open_report", "open_drift")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("report/", wrap(self.report_view), name="customers_tag_report"),
            path("drift/", wrap(self.drift_view), name="customers_tag_drift"),
            path("<int:pk>/merge/", wrap(self.merge_view), name="customers_tag_merge"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    @list_link(_("Use of tags"), icon="monitoring")
    def open_report(self, request: HttpRequest) -> str:
        return reverse("admin:customers_tag_report")

    @list_link(_("Tags on the platform"), icon="sync_alt")
    def open_drift(self, request: HttpRequest) -> str:
        return reverse("admin:customers_tag_drift")

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """What was counted last; POST counts again, in the background."""
        corp = self._corp(request)
        if request.method == "POST":
            job = start_report(corp, now=timezone.now())
            return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
        report, uses = latest_report(corp), usage_of_tags(corp)
        tags = Tag.objects.for_corp(corp).current().select_related("group").in_bulk()
        figures = dict(report.figures) if report else {}
        rows = [
            (tag, figures.get(pk, TagFigures(pk)), uses.get(pk, [])) for pk, tag in tags.items()
        ]
        order = _ORDERS.get(request.GET.get("by", ""), _ORDERS["customers"])
        rows.sort(key=lambda row: (order(row[1]), row[0].pk))
        now = timezone.now()
        unused = [row[0] for row in rows if report and row[1].is_unused(now) and not row[2]]
        context = {
            "report": report,
            "rows": [(tag, told, _links(used)) for tag, told, used in rows[:_MOST_ROWS]],
            "left_out": max(0, len(rows) - _MOST_ROWS),
            "unused": unused[:_MOST_ROWS],
            "alike": _known(report.alike if report else [], tags),
            "overlaps": [
                (tags[first], tags[second], f"{share:.1%}")
                for first, second, share in (report.overlaps if report else [])
                if first in tags and second in tags
            ],
        }
        return self._page(request, "tag_report", _t("Use of tags"), context, corp)

    def drift_view(self, request: HttpRequest) -> HttpResponse:
        """What waits to be asked; POST compares with the platform now, or has tags made there."""
        corp = self._corp(request)
        context: dict[str, Any] = {}
        if request.method == "POST":
            try:
                if "names" in request.POST:
                    self._ask_for_tags(request, corp)
                    return HttpResponseRedirect(request.get_full_path())
                groups = list(open_channel(corp).tags.groups())
                context = {"drift": compare(groups, corp=corp), "is_compared": True}
            except DomainError as error:
                refuse(request, error)
        changes = waiting_changes(corp)
        for change in changes:
            change["told"] = OPERATIONS.get(change["kind"], change["kind"])
        groups_of_ours = TagGroup.objects.for_corp(corp).filter(kind=TagKind.WECOM, deleted_at=None)
        foreign = Tag.objects.for_corp(corp).current().filter(is_foreign=True)
        context |= {
            "changes": changes,
            "read_at": last_read_at(corp),
            "groups": groups_of_ours.exclude(wecom_id="").order_by("name"),
            "foreign": foreign.select_related("group").order_by("pk")[:_MOST_ROWS],
            "may_add": self.has_add_permission(request),  # type: ignore[attr-defined]
        }
        return self._page(request, "tag_drift", _t("Tags on the platform"), context, corp)

    def merge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say what merging means, and start it once somebody has said yes."""
        tag: Tag | None = self.get_object(request, str(pk))  # type: ignore[attr-defined]
        if tag is None:
            raise Http404
        if not self.has_remove_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        others = Tag.objects.for_corp(tag.corp).current().filter(kind=tag.kind).exclude(pk=tag.pk)
        if request.method == "POST" and request.POST.get("sure"):
            into = others.filter(pk=_number(request.POST.get("into"))).first()
            try:
                # Into itself is refused in the same words as into nothing.
                actor, now = Actor.of_user(request.user), timezone.now()
                job = start_merging(tag, into=into or tag, actor=actor, now=now)
            except DomainError as error:
                refuse(request, error)
            else:
                return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
        context = {
            "tag": tag,
            "others": others.select_related("group").order_by("group__name", "name")[:2000],
            "uses": _links(usage_of_tags(tag.corp).get(tag.pk, [])),
            "is_platform": tag.kind == TagKind.WECOM,
        }
        return self._page(request, "tag_merge", _t("Merge «%(tag)s»") % {"tag": tag}, context)

    def _ask_for_tags(self, request: HttpRequest, corp: Corp) -> None:
        if not self.has_add_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        groups = TagGroup.objects.for_corp(corp).filter(kind=TagKind.WECOM, deleted_at=None)
        group = groups.filter(pk=_number(request.POST.get("group"))).exclude(wecom_id="").first()
        names = [line for line in request.POST["names"].splitlines() if line.strip()]
        wish = NewTags(names, group=group, group_name=request.POST.get("group_name", ""))
        ask_for_tags(wish, corp=corp, actor=Actor.of_user(request.user), now=timezone.now())
        messages.success(request, _t("WeCom is asked to make the tags; they show when it has."))

    def _corp(self, request: HttpRequest) -> Corp:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        corps, wanted = visible_corps(request), request.GET.get("corp")
        chosen = [corp for corp in corps if wanted in {None, str(corp.pk)}]
        if not chosen:
            raise Http404
        return chosen[0]

    def _page(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        context: dict[str, Any],
        corp: Corp | None = None,
    ) -> HttpResponse:
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": title,
            "title": title,
            "page_title": title,
            "corp": corp,
            "corps": visible_corps(request),
        }
        return TemplateResponse(request, f"admin/customers/{template}.html", shared | context)


def _links(uses: list[Use]) -> list[tuple[Use, str]]:
    return [(use, _page_of(use)) for use in uses]


def _page_of(use: Use) -> str:
    try:
        return reverse(f"admin:{use.label.replace('.', '_')}_change", args=[use.pk])
    except NoReverseMatch:
        # Not everything that names tags has a page.
        return ""


def _known(groups: list[list[int]], tags: dict[int, Tag]) -> list[list[Tag]]:
    found = [[tags[pk] for pk in pks if pk in tags] for pks in groups]
    return [group for group in found if len(group) > 1]


def _number(text: str | None) -> int:
    is_number = bool(text) and str(text).isascii() and str(text).isdigit() and len(str(text)) < 10
    return int(str(text)) if is_number else 0
