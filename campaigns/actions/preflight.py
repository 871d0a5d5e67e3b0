"""Looking before a campaign leaves: how many, through whom, who is left out and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.actions.attaching import problems_of_references
from campaigns.actions.audience import audience_of, verdicts_sql
from campaigns.actions.content import bare_attachment, problems_of_message
from campaigns.actions.screening import Screened, screen_campaign
from campaigns.models import Campaign, Recipient
from risk.actions.screening import VerdictWord


@dataclass(frozen=True)
class Preflight:
    """What would happen now; `excluded` has a number for each reason that occurs."""

    planned: int
    excluded: dict[str, int]
    senders: int
    warnings: tuple[str, ...]
    screening: Screened

    @property
    def said(self) -> str:
        """What screening found, in a sentence; empty when a person need not look."""
        if self.screening.is_blocked:
            return _("This must not be sent: %(reasons)s.") % {"reasons": self.screening.words}
        if self.screening.word == VerdictWord.WARN:
            words = _("Look at this before it goes: %(reasons)s.")
            return words % {"reasons": self.screening.words}
        return ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "planned": self.planned,
            "excluded": self.excluded,
            "senders": self.senders,
            "warnings": [*self.warnings, *([self.said] if self.said else [])],
            "screening": self.screening.as_dict(),
        }


def preflight_campaign(campaign: Campaign, *, now: datetime) -> Preflight:
    """Count the verdicts on today's audience; nothing is kept and nobody is asked."""
    verdicts = verdicts_sql(campaign, audience_of(campaign, now=now))
    sql = f"""
        SELECT reason, count(*), count(DISTINCT staff_id)
        FROM ({verdicts.sql}) AS verdicts GROUP BY reason"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, verdicts.params)
        rows = cursor.fetchall()
    planned, senders = next(((count, staff) for reason, count, staff in rows if not reason), (0, 0))
    excluded = {reason: count for reason, count, _staff in rows if reason}
    warnings = tuple(_warnings(campaign, planned=planned, excluded=excluded))
    return Preflight(planned, excluded, senders, warnings, screen_campaign(campaign))


def _warnings(campaign: Campaign, *, planned: int, excluded: dict[str, int]) -> list[str]:
    attachments = [
        bare_attachment(each) if "kind" in each else each for each in campaign.attachments
    ]
    problems = (
        *problems_of_message(campaign.content, attachments),
        *problems_of_references(campaign.attachments, corp=campaign.corp),
    )
    found = [problem.message for problem in problems]
    if not campaign.content.strip() and not campaign.attachments:
        found.append(_("There is neither a text nor an attachment."))
    if not planned:
        found.append(_("Nobody would receive this message."))
    inactive = sum(excluded.get(reason, 0) for reason in _SENDER_REASONS)
    if inactive and campaign.is_to_chats:
        found.append(_inactive_owners(inactive))
    elif inactive:
        found.append(_inactive_senders(inactive))
    return found


_SENDER_REASONS = (Recipient.Reason.SENDER_INACTIVE, Recipient.Reason.SENDER_LEAVING)


def _inactive_senders(count: int) -> str:
    words = ngettext(
        "%(count)d customer is left out because the sender is not active or is leaving.",
        "%(count)d customers are left out because their sender is not active or is leaving.",
        count,
    )
    return words % {"count": count}


def _inactive_owners(count: int) -> str:
    words = ngettext(
        "%(count)d chat is left out because its owner is not active or is leaving.",
        "%(count)d chats are left out because their owner is not active or is leaving.",
        count,
    )
    return words % {"count": count}
