from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from campaigns.actions.approval import approve_campaign, submit_campaign
from campaigns.actions.cancelling import cancel_campaign
from campaigns.actions.drafts import (
    CampaignDraft,
    CampaignNotEditable,
    create_campaign,
    update_campaign,
)
from campaigns.actions.preflight import preflight_campaign
from campaigns.actions.reminding import remind_campaign
from campaigns.actions.results import refresh_campaign, results_by_staff, results_of
from campaigns.actions.screening import BlockedByRisk, raise_stopped_send
from campaigns.api import serializers
from campaigns.api.filters import CampaignFilter
from campaigns.models import Campaign
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import EmptyBody
from scrm.jobs.api.answers import accepted
from scrm.jobs.api.serializers import AcceptedSerializer

_SEND = ("campaigns:send",)


class CampaignViewSet(ActingViewSet):
    """Mass messages: planned here, sent by staff when they confirm."""

    area = "campaigns"
    queryset = Campaign.objects.prefetch_related("senders")
    serializer_class = serializers.CampaignSerializer
    filterset_class = CampaignFilter
    newest_first = True
    scopes = {
        "preflight": ("campaigns:read", "campaigns:write"),
        "refresh": ("campaigns:read", "campaigns:write", "campaigns:send"),
        "submit": _SEND,
        "cancel": _SEND,
        "remind": _SEND,
        "approve": ("campaigns:approve",),
    }
    dry_run_actions = frozenset({"create", "submit"})
    paged_actions = frozenset({"list", "recipients", "tasks"})
    parameters = {"recipients": serializers.RecipientParameters}

    def get_queryset(self) -> QuerySet[Campaign]:
        campaigns: QuerySet[Campaign] = super().get_queryset()
        if self.action == "list":
            return campaigns.made_by_people().defer("external_userids")  # type: ignore[attr-defined,no-any-return]
        return campaigns

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(exc, BlockedByRisk):
            response.data |= exc.screened.as_dict()
            if not self.is_dry_run:
                # The refusal has undone everything else: that it was tried is kept here.
                raise_stopped_send(exc.screened, campaign=self.get_object(), now=self.now)
        return response

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        if self.action == "list":
            return serializers.CampaignListSerializer
        return super().get_serializer_class()

    @extend_schema(
        request=serializers.CampaignBody,
        responses={201: serializers.CampaignSerializer, 200: serializers.PreflightSerializer},
    )
    def create(self, request: Request) -> Response:
        """Draft a campaign; a dry run says what it would come to."""
        draft = CampaignDraft(**_in_words_of_drafts(self.read_body(serializers.CampaignBody)))
        campaign = create_campaign(self.corp, draft=draft, actor=self.actor, now=self.now)
        if self.is_dry_run:
            return self._trace(campaign)
        return Response(self._describe(campaign), status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.CampaignBody, responses=serializers.CampaignSerializer)
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Change a draft."""
        campaign: Campaign = self.get_object()
        if campaign.status != Campaign.Status.DRAFT:
            # Told before what the body says wrong; the action looks again under its lock.
            raise CampaignNotEditable(
                _("Only a draft can be changed; this campaign is not one any more.")
            )
        body = self.read_body(serializers.CampaignBody, partial=True)
        changes = _in_words_of_drafts(body)
        update_campaign(campaign, changes=changes, actor=self.actor, now=self.now)
        return Response(self._describe(campaign))

    @extend_schema(request=EmptyBody, responses={200: serializers.PreflightSerializer})
    @action(detail=True, methods=["post"])
    def preflight(self, request: Request, **__: Any) -> Response:
        """Who would be asked now, through how many staff, and who is left out and why."""
        self.read_body(EmptyBody)
        return self._trace(self.get_object())

    @extend_schema(request=EmptyBody, responses={200: serializers.CampaignSerializer})
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, **__: Any) -> Response:
        """Schedule a draft, or leave it to be approved; a dry run says what it would come to."""
        campaign: Campaign = self.get_object()
        self.do_without_body(lambda: submit_campaign(campaign, actor=self.actor, now=self.now))
        if self.is_dry_run:
            return self._trace(campaign)
        return Response(self._describe(campaign))

    @extend_schema(request=EmptyBody, responses={200: serializers.CampaignSerializer})
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **__: Any) -> Response:
        """Let a submitted campaign go; not by who submitted it."""
        campaign: Campaign = self.get_object()
        self.do_without_body(lambda: approve_campaign(campaign, actor=self.actor, now=self.now))
        return Response(self._describe(campaign))

    @extend_schema(request=EmptyBody, responses={202: AcceptedSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **__: Any) -> Response:
        """Stop what has not been sent; the platform is asked to call it back."""
        campaign: Campaign = self.get_object()
        job = self.do_without_body(
            lambda: cancel_campaign(campaign, actor=self.actor, now=self.now)
        )
        return accepted(job, request)

    @extend_schema(request=EmptyBody, responses={200: serializers.RemindedSerializer})
    @action(detail=True, methods=["post"])
    def remind(self, request: Request, **__: Any) -> Response:
        """Have the platform remind staff who have not confirmed; three times in 24 hours."""
        campaign: Campaign = self.get_object()
        reminded = self.do_without_body(
            lambda: remind_campaign(campaign, actor=self.actor, now=self.now)
        )
        return Response({"reminded": reminded})

    @extend_schema(request=EmptyBody, responses={202: AcceptedSerializer})
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, **__: Any) -> Response:
        """Read the platform now instead of at the next look."""
        campaign: Campaign = self.get_object()
        job = self.do_without_body(lambda: refresh_campaign(campaign, now=self.now))
        return accepted(job, request)

    @extend_schema(responses=serializers.ResultsSerializer)
    @action(detail=True)
    def results(self, request: Request, **__: Any) -> Response:
        """What became of it so far, by reason; figures count customers, or chats."""
        return Response(results_of(self.get_object()))

    @extend_schema(responses=serializers.RecipientSerializer(many=True))
    @action(detail=True, serializer_class=serializers.RecipientSerializer)
    def recipients(self, request: Request, **__: Any) -> Response:
        """The customers or chats behind the figures, each with how far the message came."""
        recipients = self.get_object().recipients.select_related("customer", "chat", "staff")
        if word := self.read_parameters().get("status"):
            recipients = recipients.counted_as(word)
        return self.answer_page(recipients)

    @extend_schema(responses=serializers.TaskSerializer(many=True))
    @action(detail=True, serializer_class=serializers.TaskSerializer)
    def tasks(self, request: Request, **__: Any) -> Response:
        """What each member of staff was asked, and whether she confirmed."""
        return self.answer_page(results_by_staff(self.get_object()))

    def _describe(self, campaign: Campaign) -> dict[str, Any]:
        fresh = self.get_queryset().get(pk=campaign.pk)
        return dict(serializers.CampaignSerializer(fresh).data)

    def _trace(self, campaign: Campaign) -> Response:
        fresh = self.get_queryset().get(pk=campaign.pk)
        return Response(preflight_campaign(fresh, now=self.now).as_dict())


def _in_words_of_drafts(body: dict[str, Any]) -> dict[str, Any]:
    if "segment" in body:
        body["segment_id"] = body.pop("segment")
    return body
