"""What every benchmark shares: data that is kept between runs, interleaved rounds, one JSON line.

Figures are medians of seconds; what counts are the ratios, because both sides were measured in the
same run on the same data.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Rows of its own: a demo or a real corp in `.scrm/` is neither slowed down nor touched.
os.environ.setdefault(
    "SCRM_DATA_DIR", str(Path(__file__).resolve().parents[1] / ".scrm/benchmarks")
)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")

Way = Callable[[], Any]


@dataclass
class Case:
    """One measurement: the barest way, ours, and (where it is bearable) the peer's way."""

    limit: Way
    ours: Way
    peer: Way | None = None
    # Brings the tables back to where every round starts; not measured.
    reset: Way = lambda: None
    # The peer's way is slow: it is measured on a part of the rows and scaled up.
    peer_scale: float = 1.0
    notes: dict[str, Any] = field(default_factory=dict)


def run(
    name: str,
    prepare: Callable[[int], Case],
    ratios: Callable[[float, float, float | None], dict[str, float]],
    *,
    size: int = 100_000,
) -> None:
    """Parse the command line, prepare the data, play the rounds and print the line."""
    parser = argparse.ArgumentParser(description=f"Benchmark {name}.")
    parser.add_argument("--customers", "--size", dest="customers", type=int, default=size)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    options = parser.parse_args()

    from scrm import embedded

    with embedded.running():
        import django

        django.setup()
        _migrate()
        case = prepare(options.customers)
        seconds = play(case, options.rounds)
    limit, ours = seconds["limit"], seconds["ours"]
    peer = seconds["peer"] * case.peer_scale if case.peer else None
    figures = {
        "name": name,
        "size": options.customers,
        "limit_s": round(limit, 4),
        "peer_s": round(peer, 4) if peer is not None else None,
        "ours_s": round(ours, 4),
        "ratios": {key: round(value, 2) for key, value in ratios(limit, ours, peer).items()},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "curve": [[options.customers, round(ours, 4)]],
        **case.notes,
    }
    if not options.json:
        sys.stderr.write(f"{name}: {figures['ratios']}\n")
    sys.stdout.write(json.dumps(figures) + "\n")


def play(case: Case, rounds: int) -> dict[str, float]:
    """Medians of seconds for each way, in interleaved rounds."""
    ways = {"limit": case.limit, "ours": case.ours} | ({"peer": case.peer} if case.peer else {})
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, act in ways.items():
            case.reset()
            started = time.perf_counter()
            act()
            taken[way].append(time.perf_counter() - started)
    case.reset()
    return {way: statistics.median(seconds) for way, seconds in taken.items()}


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def scale_corp(customers: int) -> Any:
    """The corp of `seed_scale`, made once and kept."""
    from django.utils import timezone

    from scrm.demo.scale import seed_scale
    from scrm.tenancy.models import Corp

    found = Corp.objects.filter(corp_id=f"scale-{customers}").first()
    return found or seed_scale(customers=customers, now=timezone.now())


def execute(sql: str, params: Any = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
