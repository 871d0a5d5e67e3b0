"""The storm: whatever befalls the product, nothing is lost and nothing is asked twice."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900
ON_EMBEDDED, ON_SERVERS = 60, 120
# What each storm meets; how often is the dice's and the machine's doing.
KINDS = (
    "worker killed", "beat killed", "web killed", "broker emptied", "database restarted",
    "lose answer",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.concurrency
def test_nothing_is_lost_and_nothing_asked_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seconds = ON_SERVERS if os.environ.get("SCRM_DATABASE_URL") else ON_EMBEDDED
    # Another storm in every run; the line of figures says which, to be played again by hand.
    seed = random.randrange(1_000_000)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "PYTEST_"))
    }
    # Services of its own: the server that other tests share must not be restarted under them.
    environment |= {"SCRM_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "scrm.settings"}

    finished = subprocess.run(  # noqa: S603 — our own command
        [
            *(sys.executable, "-m", "tests.chaos.storm", "--json"),
            *("--seed", str(seed), "--seconds", str(seconds)),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert finished.stdout, f"storm {seed}: {finished.stderr[-8000:]}"
    outcome = json.loads(finished.stdout.splitlines()[-1])
    record_property("figures", outcome["line"])
    assert outcome["disagreements"] == []
    assert finished.returncode == 0
    assert [kind for kind in KINDS if not outcome["survived"].get(kind)] == []
    assert outcome["figures"]["campaigns"] > 0
    assert outcome["figures"]["customers handed over"] > 0
    assert outcome["figures"]["tag writes"] > 0
