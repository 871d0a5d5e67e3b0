"""`manage.py demo`: the whole story on a made-up brand, checked against what truly happened."""

import json
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from scrm.common.errors import DomainError
from scrm.demo.figures import disagreements, flat, our_figures, true_figures
from scrm.demo.scene import Scene, StoryStuck
from scrm.demo.stage import USERNAME, Population, Stage, set_stage
from scrm.demo.story import Story
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
                story = Story(Scene(stage.corp, stage.sandbox, self.tell))
                story.play()
                figures = self._check(story)
                if not options["once"]:
                    self._report(figures, as_json=options["json"])
                    self._serve(stage, story)
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

    def _check(self, story: Story) -> dict[str, Any]:
        ours, truth = our_figures(story), true_figures(story)
        differences = disagreements(ours, truth)
        for line in differences:
            self.tell(f"DISAGREES — {line}")
        seconds = round(time.monotonic() - self.started, 1)
        return {"ok": not differences, **ours, "sandbox": truth, "seconds": seconds}

    def _report(self, figures: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(figures, ensure_ascii=False))
            return
        for chapter in ("campaign", "sop", "handover", "risk", "groups"):
            self.tell(f"{chapter:<20}   here  platform")
            for name, value in flat(figures[chapter]).items():
                true = flat(figures["sandbox"][chapter])[name]
                self.tell(f"  {name:<18}{value:>7}{true:>10}")
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

    def _serve(self, stage: Stage, story: Story) -> None:
        page = reverse("admin:campaigns_campaign_change", args=[story.campaign.pk])
        result = f"{stage.supervisor.url}{page}"
        self.stdout.write(f"\n  Result    {result}\n\n  Ctrl-C stops everything.\n")
        self.stdout.flush()
        stage.supervisor.wait()
