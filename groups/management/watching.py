"""What the commands about syncs share: whose corp it is, and waiting for a job to its end."""

import time
from collections.abc import Callable

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.actions.sync_run import told
from scrm.jobs.actions.running import claim_job, run_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp


def corp_called(corp_id: str) -> Corp:
    """The corp of that id; raises CommandError that names those there are."""
    found = Corp.objects.filter(corp_id=corp_id).first()
    if found is None:
        known = ", ".join(Corp.objects.order_by("pk").values_list("corp_id", flat=True))
        message = _("There is no corp %(id)s; there are: %(known)s.")
        raise CommandError(message % {"id": corp_id, "known": known or "—"})
    return found


def finish_job(job: Job, *, write: Callable[[str], None]) -> Job:
    """Run the job, or watch the worker that was quicker; take it over when that one dies."""
    shown = -1
    while not job.is_finished:
        if claimed := claim_job(now=timezone.now(), pk=job.pk):
            with told(write):
                job = run_job(claimed, clock=timezone.now)
            continue
        time.sleep(0.5)
        job.refresh_from_db()
        if job.done != shown:
            shown = job.done
            write(f"{job.get_status_display()}: {job.done}/{job.total or '?'}")
    return job
