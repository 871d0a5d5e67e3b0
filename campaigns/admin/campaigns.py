"""The page of a campaign: a form while it is a draft, a picture afterwards."""

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns.actions.approval import approve_campaign, submit_campaign
from campaigns.actions.attaching import shown_attachments
from campaigns.actions.cancelling import cancel_campaign
from campaigns.actions.drafts import create_campaign, draft_of
from campaigns.actions.preflight import Preflight, preflight_campaign
from campaigns.actions.reminding import remind_campaign
from campaigns.actions.results import refresh_campaign
from campaigns.actions.screening import screen_campaign
from campaigns.admin.chats import found_chats
from campaigns.admin.forms import DraftForm
from campaigns.admin.found import shown_findings
from campaigns.admin.results import picture_of, reason_words
from campaigns.admin.words import STATUS_TONES
from campaigns.models import Campaign, Recipient
from groups.models import GroupChat
from scrm.audit.actions.recording import Actor
from scrm.common.admin import (
    DialogForm,
    display,
    object_action,
    object_link,
    refuse,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.admin_forms import ActionSaveMixin
from scrm.common.badges import UNKNOWN, status_badge
from scrm.common.errors import DomainError
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for, visible_corps

S = Campaign.Status
# Which buttons a campaign has, by where it stands.
BUTTONS: dict[str, tuple[str, ...]] = {
    S.DRAFT: ("open_preflight", "discard"),
    S.PENDING_APPROVAL: ("approve", "cancel"),
    S.SCHEDULED: ("cancel",),
    S.PLANNING: ("cancel",),
    S.ASKED: ("remind", "refresh", "cancel"),
    S.PARTLY_CONFIRMED: ("remind", "refresh", "cancel"),
    S.DONE: ("refresh", "copy"),
    S.CANCELLED: ("refresh", "copy"),
    S.FAILED: ("copy",),
}


class CampaignChangeList(ChangeList):
    """Adds how far each campaign of the page has come: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        campaigns = list(self.result_list)
        attach_progress(campaigns)
        self.result_list = campaigns


def attach_progress(campaigns: list[Campaign]) -> None:
    counted = {
        word: Count("pk", filter=Q(status__in=Recipient.COUNTED_AS[word]))
        for word in ("planned", "confirmed", "delivered")
    }
    rows = Recipient.objects.filter(campaign__in=campaigns).order_by().values("campaign")
    figures = {row["campaign"]: row for row in rows.annotate(**counted)}
    for campaign in campaigns:
        campaign.progress = figures.get(campaign.pk)  # type: ignore[attr-defined]


class OriginFilter(WordFilter):
    """A SOP makes a campaign for each of its messages: they are looked at from there."""

    title = _("made by")
    parameter_name = "origin"
    all_label = _("people")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("sops", _("SOPs"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "sops":
            return queryset.filter(sop_step__isnull=False)
        return queryset.filter(sop_step__isnull=True)


@admin.register(Campaign)
class CampaignAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Campaign]):
    form = DraftForm
    empty_hint = _(
        "Say something to a segment or to chats: staff are asked to confirm, and you watch the result."
    )
    list_display = (
        "name",
        "state",
        "audience",
        "send_at",
        "planned",
        "confirmed",
        "delivered",
        "brand",
    )
    list_filter = (
        ("status", ChoiceWordFilter),
        ("kind", ChoiceWordFilter),
        OriginFilter,
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("corp", "segment")
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name", "send_at")
    actions_detail = ("open_preflight", "approve", "remind", "refresh", "copy", "cancel", "discard")
    change_form_template = "admin/campaigns/campaign_page.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CampaignChangeList

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/preflight/",
                wrap(self.preflight_view),
                name="campaigns_campaign_preflight",
            ),
            path("<int:pk>/picture/", wrap(self.picture_view), name="campaigns_campaign_picture"),
            path("chats/", wrap(self.chats_view), name="campaigns_campaign_chats"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_editable = not isinstance(obj, Campaign) or obj.status == S.DRAFT
        return is_editable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A draft is discarded, a campaign is history.
        return False

    def has_conduct_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_change = request.user.has_perm("campaigns.change_campaign")
        return may_change and self._sees_all_of_it(request, obj)

    def has_copy_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_add = request.user.has_perm("campaigns.add_campaign")
        return may_add and self._sees_all_of_it(request, obj)

    def _sees_all_of_it(self, request: HttpRequest, obj: Any) -> bool:
        """A campaign goes through staff of the whole corp: some departments are not enough."""
        scope = scope_for(request)
        if scope.everything or obj is None:
            return True
        campaign = obj if isinstance(obj, Campaign) else self.get_object(request, str(obj))
        # Who sees nothing of it is told that it is not there, not that it is forbidden.
        return campaign is None or campaign.corp_id in scope.corp_ids

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        campaign = self.get_object(request, str(object_id))
        shown = BUTTONS[campaign.status] if campaign else ()
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [
            each
            for each in actions
            if each.action_name.removeprefix("campaigns_campaign_") in shown
        ]

    def get_form(
        self,
        request: HttpRequest,
        obj: Campaign | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 — Django's signature
        **kwargs: Any,
    ) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            kwargs["form"] = ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        is_form = obj is None or self.has_change_permission(request, obj)
        return [(None, {"fields": DraftForm.Meta.fields})] if is_form else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        context = {"subtitle": "", **(extra_context or {})}
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, form_url, context)
        # Planned in the corp's time zone, whatever the server's is.
        with timezone.override(campaign.corp.zone):
            context |= {"title": campaign.name, "campaign": campaign}
            if not self.has_change_permission(request, campaign):
                context |= self._picture(request, campaign)
            else:
                context["findings"] = shown_findings(campaign, screen_campaign(campaign))
            return _rendered(super().change_view(request, object_id, form_url, context))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        corp = self.corp_of(request, None)
        context = {"title": _t("Plan a campaign"), **(extra_context or {})}
        if corp is None:
            return super().add_view(request, form_url, context)
        with timezone.override(corp.zone):
            return _rendered(super().add_view(request, form_url, context))

    def response_add(
        self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._after_saving(request, obj)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._after_saving(request, obj)

    def _after_saving(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        if "_check" in request.POST:
            link = reverse("admin:campaigns_campaign_preflight", args=[campaign.pk])
            return HttpResponseRedirect(link)
        self.message_user(request, _t("The draft is kept; nobody has been asked anything."))
        return HttpResponseRedirect(_page_of(campaign))

    def preflight_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would happen now; from here it is submitted."""
        campaign = self._campaign_or_404(request, pk)
        if not self.has_conduct_permission(request, campaign):
            raise PermissionDenied
        if campaign.status != S.DRAFT:
            return HttpResponseRedirect(_page_of(campaign))
        if request.method == "POST" and self._submit(request, campaign):
            return HttpResponseRedirect(_page_of(campaign))
        with timezone.override(campaign.corp.zone):
            return _rendered(self._show_preflight(request, campaign))

    def picture_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that watches a running campaign."""
        campaign = self._campaign_or_404(request, pk)
        with timezone.override(campaign.corp.zone):
            context = self._picture(request, campaign)
            return _rendered(TemplateResponse(request, "admin/campaigns/picture.html", context))

    def chats_view(self, request: HttpRequest) -> JsonResponse:
        """What the chat picker of a draft has found."""
        if not self.has_add_permission(request) and not self.has_change_permission(request):
            raise PermissionDenied
        corps = [corp for corp in visible_corps(request) if str(corp.pk) == request.GET.get("corp")]
        if not corps:
            raise Http404
        return JsonResponse(found_chats(request, corps[0]))

    @object_link(_("Check and submit"), permission="conduct", icon="fact_check")
    def open_preflight(self, request: HttpRequest, campaign: Campaign) -> str:
        return reverse("admin:campaigns_campaign_preflight", args=[campaign.pk])

    @object_action(
        _("Approve"),
        explanation=_("Staff will be asked at the planned time. Nobody approves a campaign of her own."),
        permission="conduct",
        icon="verified",
        variant="primary",
    )  # fmt: skip
    def approve(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> None:
        approve_campaign(campaign, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The campaign is approved and scheduled."))

    @object_action(
        _("Remind"),
        explanation=_("WeCom reminds everybody who has not confirmed. It allows three reminders in 24 hours."),
        permission="conduct",
        icon="notifications_active",
        variant="primary",
    )  # fmt: skip
    def remind(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> None:
        count = remind_campaign(campaign, actor=Actor.of_user(request.user), now=timezone.now())
        message = ngettext(
            "%(count)d member of staff is being reminded.",
            "%(count)d members of staff are being reminded.",
            count,
        )
        self.message_user(request, message % {"count": count})

    @object_action(
        _("Refresh now"),
        explanation=_("Reads from the platform who has confirmed and what has arrived."),
        permission="conduct",
        icon="refresh",
    )
    def refresh(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> None:
        refresh_campaign(campaign, now=timezone.now())
        self.message_user(
            request, _t("The platform is being read; the figures follow within seconds.")
        )

    @object_action(
        _("Copy as a draft"),
        explanation=_("Makes a new draft with the same text, audience and senders."),
        permission="copy",
        icon="content_copy",
    )
    def copy(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> str:
        name = _t("%(name)s (copy)") % {"name": campaign.name}
        draft = replace(
            draft_of(campaign), name=name[:128], send_at=None, chat_ids=_existing_chats(campaign)
        )
        actor = Actor.of_user(request.user)
        copied = create_campaign(campaign.corp, draft=draft, actor=actor, now=timezone.now())
        return _page_of(copied)

    @object_action(
        _("Cancel campaign"),
        explanation=_("Whoever has not confirmed will no longer be able to send it. What has been delivered stays delivered: WeCom cannot recall a message."),
        permission="conduct",
        icon="cancel",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> None:
        cancel_campaign(campaign, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The campaign is cancelled; staff are being called back."))

    @object_action(
        _("Discard draft"),
        explanation=_(
            "The draft is cancelled and stays in the list as such. Nobody was asked anything."
        ),
        permission="conduct",
        icon="delete",
    )
    def discard(self, request: HttpRequest, campaign: Campaign, form: DialogForm) -> str:
        cancel_campaign(campaign, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The draft is discarded."))
        return reverse("admin:campaigns_campaign_changelist")

    @display(_("status"))
    def state(self, campaign: Campaign) -> SafeString:
        return status_badge(campaign, STATUS_TONES)

    @display(_("audience"))
    def audience(self, campaign: Campaign) -> str:
        return audience_words(campaign)

    @display(_("planned"))
    def planned(self, campaign: Campaign) -> str:
        return _figure(campaign, "planned")

    @display(_("confirmed"))
    def confirmed(self, campaign: Campaign) -> str:
        return _figure(campaign, "confirmed")

    @display(_("delivered"))
    def delivered(self, campaign: Campaign) -> str:
        return _figure(campaign, "delivered")

    def _campaign_or_404(self, request: HttpRequest, pk: int) -> Campaign:
        campaign = self.get_object(request, str(pk))
        if campaign is None or not self.has_view_permission(request, campaign):
            raise Http404
        return campaign

    def _picture(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        now = timezone.now()
        return {
            "campaign": campaign,
            "picture": picture_of(campaign, scope=scope_for(request), now=now),
            "attachments": shown_attachments(campaign.attachments, corp=campaign.corp),
            "audience": audience_words(campaign),
            "can_export": self.has_conduct_permission(request),
            "now": now,
        }

    def _submit(self, request: HttpRequest, campaign: Campaign) -> bool:
        actor = Actor.of_user(request.user)
        try:
            submitted = submit_campaign(campaign, actor=actor, now=timezone.now())
        except DomainError as error:
            refuse(request, error)
            return False
        if submitted.status == S.PENDING_APPROVAL:
            self.message_user(
                request, _t("Submitted. A colleague has to approve it before staff are asked.")
            )
        else:
            self.message_user(request, _t("Submitted. Staff will be asked at the planned time."))
        return True

    def _show_preflight(self, request: HttpRequest, campaign: Campaign) -> TemplateResponse:
        checked = preflight_campaign(campaign, now=timezone.now())
        threshold = campaign.corp.approval_threshold
        context = {
            **self.admin_site.each_context(request),
            "title": _t("Check before it goes"),
            "page_title": _t("Check before it goes"),
            "original": campaign,
            "opts": self.opts,
            "campaign": campaign,
            "checked": checked,
            "findings": shown_findings(campaign, checked.screening),
            "attachments": shown_attachments(campaign.attachments, corp=campaign.corp),
            "reasons": _reasons(checked),
            "audience": checked.planned + sum(checked.excluded.values()),
            "audience_words": audience_words(campaign),
            "needs_approval": threshold is not None and checked.planned >= threshold,
        }
        return TemplateResponse(request, "admin/campaigns/preflight.html", context)


def _reasons(checked: Preflight) -> list[tuple[Any, int]]:
    pairs = sorted(checked.excluded.items(), key=lambda pair: -pair[1])
    return [(reason_words(reason), count) for reason, count in pairs]


def _existing_chats(campaign: Campaign) -> list[str] | None:
    if campaign.chat_ids is None:
        return None
    chats = GroupChat.objects.for_corp(campaign.corp).existing()
    kept = set(chats.filter(chat_id__in=campaign.chat_ids).values_list("chat_id", flat=True))
    return [chat_id for chat_id in campaign.chat_ids if chat_id in kept]


def audience_words(campaign: Campaign) -> str:
    if campaign.is_to_chats:
        count = len(campaign.chat_ids or ())
        words = ngettext("%(count)s group chat", "%(count)s group chats", count)
        return words % {"count": f"{count:,}"}
    if campaign.segment is not None:
        return campaign.segment.name
    if campaign.external_userids is not None:
        count = len(campaign.external_userids)
        return _t("%(count)s listed customers") % {"count": f"{count:,}"}
    return UNKNOWN


def _figure(campaign: Campaign, word: str) -> str:
    progress: dict[str, int] | None = getattr(campaign, "progress", None)
    is_known = progress is not None and campaign.planned_at is not None
    return f"{progress[word]:,}" if is_known and progress else UNKNOWN


def _page_of(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def _rendered(response: HttpResponse) -> HttpResponse:
    """Render now, while the corp's time zone is in force."""
    if isinstance(response, TemplateResponse):
        response.render()
    return response
