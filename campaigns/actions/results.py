"""What became of a campaign, in figures that can each be traced to rows."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from campaigns.actions.polling import poll_task
from campaigns.models import Campaign, Recipient, Task
from scrm.jobs.actions.running import Outcome, note_progress, start_job
from scrm.jobs.models import Job

REFRESH = "campaigns.refresh"
FIGURES = (
    "planned", "asked", "confirmed", "delivered", "not_friend", "quota", "unsent", "failed",
    "cancelled",
)  # fmt: skip


def results_of(campaign: Campaign) -> dict[str, Any]:
    """`{figure: customers or chats, …, "excluded": {reason: how many}}`.

    Before a campaign is planned nothing is known: every figure is None.
    """
    if campaign.planned_at is None:
        return dict.fromkeys(FIGURES) | {"excluded": {}}
    rows = campaign.recipients.values_list("status", "reason").annotate(Count("pk"))
    counts: dict[str, int] = {}
    excluded: dict[str, int] = {}
    for status, reason, count in rows.order_by():
        counts[status] = counts.get(status, 0) + count
        if status == Recipient.Status.EXCLUDED:
            excluded[reason] = excluded.get(reason, 0) + count
    figures = {
        word: sum(counts.get(status, 0) for status in Recipient.COUNTED_AS[word])
        for word in FIGURES
    }
    return {**figures, "excluded": excluded}


def results_by_staff(campaign: Campaign) -> QuerySet[Task, Task]:
    """The tasks with `asked`, `delivered`, `not_friend`, `quota`, `unsent` of each."""
    figures = {
        word: Count("recipients", filter=Q(recipients__status__in=Recipient.COUNTED_AS[word]))
        for word in FIGURES
    }
    tasks = campaign.tasks.select_related("staff", "operation").defer("operation__payload")
    return tasks.annotate(**figures).order_by("staff__name", "part")


def refresh_campaign(campaign: Campaign, *, now: datetime) -> Job:
    """Read the platform now, in a job; a second click finds the first job."""
    return start_job(REFRESH, corp=campaign.corp, subject_id=str(campaign.pk), now=now)


def run_refresh(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Look at every task of the campaign the platform knows, settled or not."""
    tasks = Task.objects.for_corp(job.corp).asked().filter(campaign=int(job.subject_id))
    rest = tasks.filter(pk__gt=job.state.get("after", 0))
    total = tasks.count()
    for task in rest.select_related("corp", "staff", "campaign").order_by("pk"):
        poll_task(task, now=clock())
        note_progress(job, now=clock(), done=job.done + 1, total=total, state={"after": task.pk})
    problems = tasks.exclude(problem="").values_list("staff__userid", "problem")
    errors = tuple({"staff": userid, "message": problem} for userid, problem in problems)
    return Outcome({"tasks": total}, errors)
