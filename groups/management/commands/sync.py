"""Compare a corp with the platform and repair what differs, while the command waits."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from groups.actions.sync import PARTS, start_sync
from groups.management.watching import corp_called, finish_job
from scrm.common.errors import DomainError
from scrm.jobs.models import Job


class Command(BaseCommand):
    help = "Compare staff, tags, customers and groups with the platform and repair what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp", required=True, metavar="ww…", help="the corp's id")
        parser.add_argument(
            "--only", default="", metavar=",".join(PARTS), help="some parts instead of all"
        )

    def handle(self, *args: Any, corp: str, only: str, **options: Any) -> None:
        found = corp_called(corp)
        parts = [part.strip() for part in only.split(",") if part.strip()]
        try:
            job = start_sync(found, now=timezone.now(), only=parts)
        except DomainError as error:
            raise CommandError(error.detail) from None
        self._tell(finish_job(job, write=self.stdout.write))

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
