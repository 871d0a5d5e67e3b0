"""`manage.py seed_scale`: rows for benchmarks and for EXPLAIN."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from scrm.demo.scale import seed_scale


class Command(BaseCommand):
    help = "Fill a corp of its own with made-up customers, follows and tags."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=1_000_000)

    def handle(self, *_: Any, **options: Any) -> None:
        started = time.monotonic()
        corp = seed_scale(customers=options["customers"], now=timezone.now())
        self.stdout.write(f"{corp.name}: made in {time.monotonic() - started:.1f} s")
