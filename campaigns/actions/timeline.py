"""What campaigns and SOPs tell of a customer, on her timeline and when somebody asks why."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.actions.audience import audience_of
from campaigns.models import Campaign, Recipient, StepRun
from customers.actions.explaining import register_explainer
from customers.actions.segments import explain
from customers.actions.timeline import FactSource, Told, register_source
from customers.models import Customer, TimelineEntry
from scrm.tenancy.models import Scope, Staff


def register_sources() -> None:
    """Called once, when the app is ready."""
    register_source(FactSource("campaign.delivered", _deliveries, "settled_at", _tell_delivery))
    register_source(FactSource("sop.step", _steps, "settled_at", _tell_step))
    register_explainer("campaign", explain_campaign)


def explain_campaign(customer: Customer, campaign_id: int, now: datetime) -> dict[str, Any] | None:
    """How far the campaign came with the customer; before it is planned, whether it means her."""
    campaign = Campaign.objects.for_corp(customer.corp).filter(pk=campaign_id).first()
    if campaign is None:
        return None
    recipient = campaign.recipients.filter(customer=customer).first()
    if recipient is not None:
        return {
            "matched": recipient.status != Recipient.Status.EXCLUDED,
            "status": recipient.status,
            "reason": recipient.reason,
        }
    rule = campaign.rule or (campaign.segment.rule if campaign.segment else None)
    told: dict[str, Any] = {"status": "", "reason": ""}
    if rule is not None and campaign.external_userids is None:
        return told | explain(rule, customer, now=now)
    is_meant = not campaign.is_to_chats and audience_of(campaign, now=now).filter(pk=customer.pk)
    return told | {"matched": bool(is_meant)}


def _deliveries(customer: Customer, scope: Scope | None) -> QuerySet[Recipient]:
    """What reached her; the messages of SOPs are told as steps."""
    delivered = Recipient.objects.filter(
        customer=customer,
        status=Recipient.Status.DELIVERED,
        settled_at__isnull=False,
        campaign__sop_step__isnull=True,
    )
    if scope is not None and not scope.everything:
        delivered = delivered.filter(staff__in=Staff.objects.in_scope(scope).values("pk"))
    return delivered.select_related("campaign", "staff")


def _tell_delivery(recipient: Recipient) -> Told:
    words = {"campaign": recipient.campaign.name, "staff": str(recipient.staff or "—")}
    data = {
        "campaign": recipient.campaign_id,
        "staff": recipient.staff and recipient.staff.userid,
    }
    title = _("Got the campaign «%(campaign)s» from %(staff)s") % words
    return Told(title, data, TimelineEntry.Source.SYSTEM)


def _steps(customer: Customer, scope: Scope | None) -> QuerySet[StepRun]:
    """Steps that were settled, also those that were not done: the reason is worth knowing."""
    settled = StepRun.objects.filter(
        enrolment__customer=customer, enrolment__corp=customer.corp_id, settled_at__isnull=False
    ).exclude(status=StepRun.Status.PENDING)
    return settled.select_related("enrolment__sop", "step")


def _tell_step(run: StepRun) -> Told:
    words = {
        "sop": run.enrolment.sop.name,
        "step": run.step.position + 1,
        "status": run.get_status_display(),
    }
    if run.status == StepRun.Status.DONE:
        title = _("SOP «%(sop)s», step %(step)s done") % words
    else:
        title = _("SOP «%(sop)s», step %(step)s: %(status)s") % words
    data = {
        "sop": run.enrolment.sop_id,
        "enrolment": run.enrolment_id,
        "step": run.step_id,
        "status": run.status,
        "reason": run.reason,
        "campaign": run.campaign_id,
    }
    reasons = dict(StepRun.Reason.choices)
    why = str(reasons.get(run.reason, run.reason))
    return Told(title, data, TimelineEntry.Source.SOP, why)
