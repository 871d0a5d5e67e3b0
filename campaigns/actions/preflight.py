"""Looking before a campaign leaves: how many, through whom, who is left out and why."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.actions.audience import audience_of, verdicts_sql
from campaigns.actions.content import problems_of_message
from campaigns.models import Campaign, Recipient


@dataclass(frozen=True)
class Preflight:
    """What would happen now; `excluded` has a number for each reason that occurs."""

    planned: int
    excluded: dict[str, int]
    senders: int
    warnings: tuple[str, ...]


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
    return Preflight(planned=planned, excluded=excluded, senders=senders, warnings=warnings)


def _warnings(campaign: Campaign, *, planned: int, excluded: dict[str, int]) -> list[str]:
    problems = problems_of_message(campaign.content, campaign.attachments)
    found = [problem.message for problem in problems]
    if not campaign.content.strip() and not campaign.attachments:
        found.append(_("There is neither a text nor an attachment."))
    if not planned:
        found.append(_("Nobody would receive this message."))
    if inactive := excluded.get(Recipient.Reason.SENDER_INACTIVE, 0):
        found.append(
            ngettext(
                "%(count)d customer is left out because the sender is not active.",
                "%(count)d customers are left out because their sender is not active.",
                inactive,
            )
            % {"count": inactive}
        )
    return found
