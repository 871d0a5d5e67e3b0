"""Serve a made-up corp until told to stop."""

import gc
import json
import signal
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import DAY, build_world
from scrm.sandbox.options import Options
from scrm.sandbox.recorded import load_recorded
from scrm.sandbox.server import SandboxServer
from scrm.sandbox.world import World


class Command(BaseCommand):
    help = "Run a stand-alone look-alike of the WeCom API with people who act."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8100, help="0 takes a free one.")
        parser.add_argument("--staff", type=int, default=20)
        parser.add_argument("--customers", type=int, default=5000)
        parser.add_argument("--groups", type=int, default=60)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--days-ago", type=float, default=0, help="Start the clock so many days in the past."
        )
        parser.add_argument("--callback-url", default="", help="Where events are posted.")
        parser.add_argument("--recorded", help="Directory of recorded answers to start from.")
        parser.add_argument(
            "--behave", action="store_true", help="Let members confirm mass messages by themselves."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON line when ready.")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def stop_serving(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop_serving)
        try:
            server = SandboxServer(
                _make_world(options),
                options["port"],
                host=options["host"],
                callback=options["callback_url"] or None,
            )
        except OSError as error:
            raise CommandError(f"Cannot listen on port {options['port']}: {error}") from error
        # A large world would slow every collection, the last one before the process ends above all.
        gc.freeze()
        with server:
            self._announce(server, as_json=options["json"])
            stop.wait()

    def _announce(self, server: SandboxServer, *, as_json: bool) -> None:
        command = server.credentials.create_corp_command(server.base_url)
        if as_json:
            facts = server.credentials.as_dict() | {
                "base_url": server.base_url,
                "control_url": server.control_url,
                "create_corp": command,
                "archive_keys": server.archive_keys(),
            }
            self.stdout.write(json.dumps(facts))
        else:
            self._announce_to_people(server, command)
        self.stdout.flush()

    def _announce_to_people(self, server: SandboxServer, command: str) -> None:
        counts = server.summary()
        self.stdout.write(
            f"A corp with {counts['staff']} staff, {counts['customers']} customers"
            f" and {counts['groups']} groups is served at {server.root_url}"
        )
        for name, value in server.credentials.as_dict().items():
            self.stdout.write(f"  {name:<21}{value}")
        self.stdout.write(f"  {'base_url':<21}{server.base_url}")
        self.stdout.write(f"  {'control_url':<21}{server.control_url}")
        self.stdout.write(f"  {'archive_keys':<21}{server.control_url}archive_keys")
        self.stdout.write(f"Connect it with:\n  {command}\nStop with Ctrl-C.")


def _make_world(options: dict[str, Any]) -> World:
    tuned = Options(behave=options["behave"])
    clock = VirtualClock(start=time.time() - options["days_ago"] * DAY)
    recorded = options["recorded"]
    if recorded:
        if not Path(recorded).is_dir():
            raise CommandError(f"{recorded} is no directory of recorded answers.")
        return load_recorded(recorded, seed=options["seed"], clock=clock, options=tuned)
    return build_world(
        options["seed"],
        staff=options["staff"],
        customers=options["customers"],
        groups=options["groups"],
        clock=clock,
        options=tuned,
    )
