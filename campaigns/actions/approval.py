"""Letting a campaign go: submitted by one, approved by another where the corp wants it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.attaching import resolve_attachments
from campaigns.actions.preflight import preflight_campaign
from campaigns.actions.screening import BlockedByRisk, raise_stopped_send, screen_campaign
from campaigns.models import Campaign
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput


class WrongStatus(DomainError):
    """The campaign is not where this step starts from."""

    code = "wrong_status"


class OwnSubmission(DomainError):
    """Nobody approves what she submitted herself."""

    code = "own_submission"


def submit_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """Freeze rule and materials and schedule the campaign, or leave it to be approved.

    Raises WrongStatus when it is no draft, InvalidInput when it could reach nobody, BlockedByRisk
    when it must not be said; that it was tried is then an incident. (Inside a transaction that is
    rolled back, the caller raises it again: `raise_stopped_send`.)
    """
    try:
        return _submit(campaign, actor=actor, now=now)
    except BlockedByRisk as refusal:
        raise_stopped_send(refusal.screened, campaign=campaign, now=now)
        raise


@transaction.atomic
def _submit(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.DRAFT:
        raise WrongStatus(_("This campaign has been submitted already."))
    _check_complete(locked)
    locked.attachments = resolve_attachments(locked.attachments, corp=locked.corp)
    screened = screen_campaign(locked)
    if screened.is_blocked:
        raise BlockedByRisk(screened)
    planned = preflight_campaign(locked, now=now).planned
    if not planned:
        raise _reaches_nobody(locked)
    threshold = locked.corp.approval_threshold
    needs_approval = threshold is not None and planned >= threshold
    locked.rule = locked.segment.rule if locked.segment else None
    locked.status = (
        Campaign.Status.PENDING_APPROVAL if needs_approval else Campaign.Status.SCHEDULED
    )
    locked.send_at = locked.send_at or now
    locked.submitted_at, locked.submitted_by = now, actor.key
    locked.save(
        update_fields=["rule", "attachments", "status", "send_at", "submitted_at", "submitted_by"]
    )
    record(
        "campaigns.submitted",
        actor=actor,
        corp=locked.corp,
        subject=locked,
        now=now,
        data={"planned": planned, "status": locked.status},
    )
    return locked


@transaction.atomic
def approve_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """Schedule a campaign somebody else submitted; raises WrongStatus or OwnSubmission."""
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.PENDING_APPROVAL:
        raise WrongStatus(_("This campaign does not wait for approval."))
    if locked.submitted_by == actor.key:
        raise OwnSubmission(
            _("You submitted this campaign yourself: somebody else must approve it.")
        )
    locked.status = Campaign.Status.SCHEDULED
    locked.save(update_fields=["status"])
    record("campaigns.approved", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


def _reaches_nobody(campaign: Campaign) -> InvalidInput:
    path, message = (
        "/segment",
        _("Nobody would receive this message: widen the segment or the senders."),
    )
    if campaign.is_to_chats:
        path, message = "/chat_ids", _("No chat would receive this message: choose others.")
    return InvalidInput(message, errors=(FieldProblem(path, "empty_audience", message),))


def _check_complete(campaign: Campaign) -> None:
    problems = []
    if campaign.is_to_chats:
        if not campaign.chat_ids:
            message = _("Choose at least one chat: the campaign has no audience.")
            problems.append(FieldProblem("/chat_ids", "required", message))
    elif campaign.segment is None and campaign.external_userids is None:
        message = _("Choose a segment or list customers: the campaign has no audience.")
        problems.append(FieldProblem("/segment", "required", message))
    if not campaign.content.strip() and not campaign.attachments:
        message = _("Write a text or add an attachment.")
        problems.append(FieldProblem("/content", "required", message))
    is_named = campaign.sender_policy == Campaign.SenderPolicy.NAMED
    if is_named and not campaign.is_to_chats and not campaign.senders.exists():
        message = _("Name at least one member of staff, or choose another sender policy.")
        problems.append(FieldProblem("/senders", "required", message))
    if problems:
        detail = " ".join(problem.message for problem in problems)
        raise InvalidInput(detail, errors=tuple(problems))
