"""Examine the set-up of a corp; says what is wrong and where to click."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from scrm.dashboard.doctor.examining import examine
from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.tenancy.models import Corp

_MARKS = {
    Verdict.OK: "✓",
    Verdict.WARNING: "!",
    Verdict.WRONG: "✗",
    Verdict.UNKNOWN: "—",
}


class Command(BaseCommand):
    help = "Examine the set-up of a corp; exits with 1 when something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp", required=True, help="corp id, ww…")
        parser.add_argument(
            "--url", default="", help="where the platform reaches this server, https://…"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        corp = Corp.objects.filter(corp_id=options["corp"]).first()
        if corp is None:
            known = ", ".join(Corp.objects.values_list("corp_id", flat=True)) or "none"
            raise CommandError(f"No corp {options['corp']}; connected: {known}.")
        findings = examine(corp, now=timezone.now(), public_url=options["url"])
        is_well = all(each.verdict != Verdict.WRONG for each in findings)
        if options["json"]:
            answer = {"ok": is_well, "findings": [each.as_json() for each in findings]}
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        else:
            for each in findings:
                self._show(each)
        if not is_well:
            sys.exit(1)

    def _show(self, finding: Finding) -> None:
        self.stdout.write(f"{_MARKS[finding.verdict]} {finding.title}: {finding.found}")
        if finding.remedy:
            self.stdout.write(f"    → {finding.remedy}")
