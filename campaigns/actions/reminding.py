"""Reminding staff who have not confirmed, by the platform's own reminder."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.approval import WrongStatus
from campaigns.models import Campaign, Reminder
from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.outbox import enqueue_operation
from scrm.channels.models import Operation
from scrm.channels.operations import REMIND_MASS_MESSAGE
from scrm.common.errors import DomainError

# remind_groupmsg_send takes three calls in 24 hours per message (41094).
REMINDERS_PER_DAY = 3


class ReminderLimitReached(DomainError):
    code = "reminder_limit"


class NobodyToRemind(DomainError):
    code = "nobody_to_remind"


@transaction.atomic
def remind_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> int:
    """Remind everybody who has not confirmed; returns how many.

    Raises WrongStatus, NobodyToRemind or ReminderLimitReached.
    """
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status not in {Campaign.Status.ASKED, Campaign.Status.PARTLY_CONFIRMED}:
        raise WrongStatus(_("Staff can be reminded while a campaign waits for them, not now."))
    if not reminders_left(locked, now=now):
        raise ReminderLimitReached(
            _("Staff were reminded %(limit)d times in 24 hours; the platform allows no more.")
            % {"limit": REMINDERS_PER_DAY}
        )
    tasks = list(locked.tasks.unconfirmed().exclude(is_settled=True))
    if not tasks:
        raise NobodyToRemind(_("Everybody has confirmed: there is nobody to remind."))
    reminder = Reminder.objects.create(corp=locked.corp, campaign=locked, at=now, tasks=len(tasks))
    for task in tasks:
        enqueue_operation(
            REMIND_MASS_MESSAGE,
            corp=locked.corp,
            key=f"remind:{reminder.pk}:{task.pk}",
            payload={"msgid": task.msgid},
            priority=Operation.Priority.CLICK,
            now=now,
        )
    record("campaigns.reminded", actor=actor, corp=locked.corp, subject=locked, now=now)
    return len(tasks)


def reminders_left(campaign: Campaign, *, now: datetime) -> int:
    used = campaign.reminders.filter(at__gt=now - timedelta(hours=24)).count()
    return max(REMINDERS_PER_DAY - used, 0)
