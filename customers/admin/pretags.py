"""Tags that wait for people who have not arrived."""

from typing import Any

from django.contrib import admin
from django.db.models import IntegerField, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from customers.actions.pretags import count_waiting, forget_pretags
from customers.actions.tag_report import WINDOW
from customers.admin.pieces import chip
from customers.models import PreTag, TimelineEntry
from scrm.audit.actions.recording import Actor
from scrm.audit.models import AuditEntry
from scrm.common.admin import ReadOnlyMixin, display
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import ScopedModelAdmin, visible_corps

KINDS: dict[str, Any] = {
    "phone": _("phone"),
    "unionid": _("unionid"),
    "member_id": _("member number"),
    "external_userid": _("external id"),
}


@admin.register(PreTag)
class PreTagAdmin(ReadOnlyMixin, ScopedModelAdmin[PreTag]):
    """Whom they wait for is known by a digest only: nobody can read a phone here."""

    scoping = "corp"
    empty_hint = _("Tags that were given by phone or unionid wait here until the person arrives.")
    list_display = ("tag_shown", "waits_for", "said_by", "created_at", "brand")
    list_select_related = ("corp", "tag__group")
    list_before_template = "admin/customers/pretag_figures.html"
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("forget",)

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.delete_pretag")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        figures = [(corp, figures_of(corp)) for corp in visible_corps(request)]
        return super().changelist_view(request, {**(extra_context or {}), "figures": figures})

    @admin.action(description=_("Wait no longer"), permissions=["forget"])
    def forget(self, request: HttpRequest, rows: QuerySet[PreTag]) -> None:
        actor, now, count = Actor.of_user(request.user), timezone.now(), 0
        for corp in visible_corps(request):
            ids = list(rows.filter(corp=corp).values_list("pk", flat=True))
            count += forget_pretags(ids, corp=corp, actor=actor, now=now)
        told = ngettext("%(count)d tag is forgotten.", "%(count)d tags are forgotten.", count)
        self.message_user(request, told % {"count": count})

    @display(_("tag"))
    def tag_shown(self, pretag: PreTag) -> SafeString:
        return chip(pretag.tag)

    @display(_("waits for a person known by"))
    def waits_for(self, pretag: PreTag) -> str:
        return str(KINDS.get(pretag.identity_kind, pretag.identity_kind))

    @display(_("said by"))
    def said_by(self, pretag: PreTag) -> str:
        source = str(dict(TimelineEntry.Source.choices).get(pretag.source, pretag.source))
        return " · ".join(filter(None, [source, pretag.why.get("by", "")]))


def figures_of(corp: Corp) -> dict[str, Any]:
    """People waited for, by what they are known by; people given theirs within 30 days."""
    waiting = count_waiting(corp)
    given = AuditEntry.objects.filter(
        corp=corp, action="pretags.given", at__gte=timezone.now() - WINDOW
    )
    number = Cast(KeyTextTransform("customers", "data"), IntegerField())
    return {
        "waiting": [(str(KINDS.get(kind, kind)), waiting[kind]) for kind in sorted(waiting)],
        "given": given.aggregate(sum=Sum(number))["sum"] or 0,
    }
