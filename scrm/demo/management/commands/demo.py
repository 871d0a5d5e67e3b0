"""`manage.py demo`: the whole story on a made-up brand, checked against what truly happened."""

import json
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from campaigns.models import Campaign
from scrm.common.errors import DomainError
from scrm.demo.figures import disagreements, our_figures, true_figures
from scrm.demo.stage import USERNAME, Population, Stage, set_stage
from scrm.demo.story import Story, StoryStuck
from scrm.processes import SupervisorError


class Command(BaseCommand):
    help = "Play the main job on a made-up brand with a sandbox of the WeCom API, and serve it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Play, check, and stop.")
        parser.add_argument("--json", action="store_true", help="Figures as the last line.")
        parser.add_argument("--port", type=int, default=None, help="Default 8000; --once: any.")
        for name, number in vars(Population()).items():
            parser.add_argument(f"--{name}", type=int, default=number)

    def handle(self, *_: Any, **options: Any) -> None:
        self.started = time.monotonic()
        population = Population(**{name: options[name] for name in vars(Population())})
        port = options["port"] or (0 if options["once"] else 8000)
        # Stopped as with Ctrl-C: everything that was started ends with it.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with set_stage(population, port=port, tell=self.tell) as stage:
                if not options["once"]:
                    self._announce(stage)
                campaign = Story(stage.corp, stage.sandbox, self.tell).play()
                figures = self._check(stage, campaign)
                if not options["once"]:
                    self._report(figures, as_json=options["json"])
                    self._serve(stage, campaign)
        except (StoryStuck, SupervisorError, DomainError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.tell("stopped")
            return
        # After everything has ended, so that the figures are the last line whoever reads.
        self._report(figures, as_json=options["json"])
        if not figures["ok"]:
            sys.exit(1)

    def tell(self, line: str) -> None:
        elapsed = time.monotonic() - self.started
        self.stderr.write(f"[{elapsed:5.1f} s] {line}")

    def _check(self, stage: Stage, campaign: Campaign) -> dict[str, Any]:
        ours = our_figures(stage.corp, campaign)
        truth = true_figures(stage.sandbox, campaign)
        differences = disagreements(ours, truth)
        for line in differences:
            self.tell(f"DISAGREES — {line}")
        seconds = round(time.monotonic() - self.started, 1)
        return {"ok": not differences, **ours, "sandbox": truth, "seconds": seconds}

    def _report(self, figures: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(figures, ensure_ascii=False))
            return
        for name, value in figures["campaign"].items():
            self.tell(f"  {name:<12}{value:>6}   platform: {figures['sandbox']['campaign'][name]}")
        verdict = "every figure equals the platform's" if figures["ok"] else "figures disagree"
        self.tell(verdict)

    def _announce(self, stage: Stage) -> None:
        url = stage.supervisor.url
        self.stdout.write(
            f"\n  Admin     {url}/admin/   log in as {USERNAME} / {stage.password}"
            f"\n  API       {url}/api/docs/"
            f"\n  Platform  {stage.platform_url}   (what truly happens)\n"
        )
        self.stdout.flush()

    def _serve(self, stage: Stage, campaign: Campaign) -> None:
        page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
        result = f"{stage.supervisor.url}{page}"
        self.stdout.write(f"\n  Result    {result}\n\n  Ctrl-C stops everything.\n")
        self.stdout.flush()
        stage.supervisor.wait()
