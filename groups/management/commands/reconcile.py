"""Compare everything of a corp with the platform, repair it, and prove that both agree."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from groups.actions.reconciling import Reconciled, reconciled_by
from groups.actions.sync import start_sync
from groups.management.watching import corp_called, finish_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

# What changes on the platform while it is read is seen by the second look.
_LOOKS = 2


class Command(BaseCommand):
    help = "Find and repair what callbacks did not tell; exits with 1 when both still differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp", required=True, metavar="ww…", help="the corp's id")
        parser.add_argument("--json", action="store_true", help="one JSON object as last line")

    def handle(self, *args: Any, corp: str, **options: Any) -> None:
        found = self._reconcile(corp_called(corp))
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json()))
        else:
            for kind, counts in found.kinds.items():
                sign = "=" if counts["platform"] == counts["local"] else "≠"
                line = _("%(kind)s: platform %(platform)s %(sign)s local %(local)s (%(repaired)s repaired)")  # fmt: skip
                self.stdout.write(line % {"kind": kind, "sign": sign, **counts})
        if not found.is_right:
            raise CommandError(_("The platform and our rows differ still; run it again."))

    def _reconcile(self, corp: Corp) -> Reconciled:
        found = Reconciled({})
        for _look in range(_LOOKS):
            job = finish_job(start_sync(corp, now=timezone.now()), write=self.stderr.write)
            if job.status not in {Job.Status.SUCCEEDED, Job.Status.PARTIAL}:
                raise CommandError(job.errors[0]["message"] if job.errors else job.status)
            found = found.after(reconciled_by(job))
            if found.is_right:
                break
        return found
