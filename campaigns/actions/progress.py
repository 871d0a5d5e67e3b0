"""What a campaign as a whole has come to, read from its tasks."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.models import Campaign, Task
from scrm.channels.models import Operation


def update_progress(campaign: Campaign, *, now: datetime) -> None:
    """Set status and times of a running campaign from its tasks; call it after they changed.

    The caller holds the campaign's row lock, so that two outcomes that arrive together are
    counted one after the other.
    """
    if campaign.status not in {
        Campaign.Status.PLANNING,
        Campaign.Status.ASKED,
        Campaign.Status.PARTLY_CONFIRMED,
        Campaign.Status.DONE,
    }:
        return
    tasks = list(
        campaign.tasks.values_list("status", "is_settled", "asked_at", "operation__status")
    )
    campaign.status = _status_of(tasks)
    asked = [asked_at for _status, _settled, asked_at, _operation in tasks if asked_at]
    campaign.asked_at = min(asked, default=None)
    if campaign.status == Campaign.Status.FAILED:
        problems = campaign.tasks.exclude(problem="").values_list("problem", flat=True)
        campaign.problem = campaign.problem or problems.first() or ""
    is_over = campaign.status in {Campaign.Status.DONE, Campaign.Status.FAILED}
    campaign.finished_at = (campaign.finished_at or now) if is_over else None
    campaign.save(update_fields=["status", "asked_at", "finished_at", "problem"])


def _status_of(tasks: Sequence[tuple[str, bool, datetime | None, str | None]]) -> Campaign.Status:
    statuses = {status for status, _settled, _at, _operation in tasks}
    if statuses <= set(Task.DROPPED_STATUSES):
        return Campaign.Status.FAILED
    open_tasks = [task for task in tasks if task[0] not in Task.DROPPED_STATUSES and not task[1]]
    if not open_tasks:
        return Campaign.Status.DONE
    if Task.Status.CONFIRMED in statuses:
        return Campaign.Status.PARTLY_CONFIRMED
    # Requests still on their way; one that is parked waits for a person and holds nobody up.
    is_moving = any(
        status == Task.Status.PLANNED and operation != Operation.Status.PARKED
        for status, _settled, _at, operation in open_tasks
    )
    if is_moving or Task.Status.ASKED not in statuses:
        return Campaign.Status.PLANNING
    return Campaign.Status.ASKED
