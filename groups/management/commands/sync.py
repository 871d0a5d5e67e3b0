"""Compare a corp with the platform and repair what differs, while the command waits."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.actions.sync_run import told
from groups.actions.sync import PARTS, start_sync
from scrm.common.errors import DomainError
from scrm.jobs.actions.running import claim_job, run_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp


class Command(BaseCommand):
    help = "Compare staff, tags, customers and groups with the platform and repair what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp", required=True, metavar="ww…", help="the corp's id")
        parser.add_argument(
            "--only", default="", metavar=",".join(PARTS), help="some parts instead of all"
        )

    def handle(self, *args: Any, corp: str, only: str, **options: Any) -> None:
        found = Corp.objects.filter(corp_id=corp).first()
        if found is None:
            known = ", ".join(Corp.objects.order_by("pk").values_list("corp_id", flat=True))
            message = _("There is no corp %(id)s; there are: %(known)s.")
            raise CommandError(message % {"id": corp, "known": known or "—"})
        parts = [part.strip() for part in only.split(",") if part.strip()]
        try:
            job = start_sync(found, now=timezone.now(), only=parts)
        except DomainError as error:
            raise CommandError(error.detail) from None
        self._tell(self._finish(job))

    def _finish(self, job: Job) -> Job:
        """Run the job, or watch the worker that was quicker; take it over when that one dies."""
        shown = -1
        while not job.is_finished:
            if claimed := claim_job(now=timezone.now(), pk=job.pk):
                with told(self.stdout.write):
                    job = run_job(claimed, clock=timezone.now)
                continue
            time.sleep(0.5)
            job.refresh_from_db()
            if job.done != shown:
                shown = job.done
                self.stdout.write(f"{job.get_status_display()}: {job.done}/{job.total or '?'}")
        return job

    def _tell(self, job: Job) -> None:
        for kind, counts in job.report.items():
            sign = "=" if counts["platform"] == counts["local"] else "≠"
            line = _(
                "%(kind)s: platform %(platform)s %(sign)s local %(local)s"
                " (created %(created)s, updated %(updated)s, ended %(ended)s)"
            )
            self.stdout.write(line % {"kind": kind, "sign": sign, **counts})
        for error in job.errors:
            self.stderr.write(f"{error.get('chat_id', '')} {error['message']}".strip())
        if job.status != Job.Status.SUCCEEDED:
            raise CommandError(job.errors[0]["message"] if job.errors else job.status)
