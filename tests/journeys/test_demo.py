"""`manage.py demo --once --json`, as a stranger runs it; and that a false figure is noticed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--staff", "6", "--customers", "80", "--groups", "4"]

TOLD = {
    "campaign": ("not_friend", "quota"),
    "sop": ("enrolled", "done", "skipped", "missed"),
    "handover": ("planned", "succeeded", "rejected", "groups"),
    "risk": ("messages", "hits", "incidents", "blocked_sends"),
    "groups": ("chats", "members", "joined", "left"),
}

# The product is told a lie about one customer: delivered where the platform said quota.
FALSIFY = """
CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.status := 'delivered'; RETURN NEW; END $$;
CREATE TRIGGER falsify BEFORE UPDATE ON campaigns_recipient
FOR EACH ROW WHEN (NEW.status = 'quota') EXECUTE FUNCTION falsify();
"""


def play(data_dir: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCRM_", "DJANGO_", "PYTEST_"))
    }
    finished = subprocess.run(  # noqa: S603 — our own command
        [sys.executable, "manage.py", "demo", "--once", "--json", *arguments],
        cwd=ROOT,
        env=environment | {"SCRM_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = finished.stdout.strip().splitlines()
    return finished.returncode, json.loads(lines[-1]) if lines else {}, finished.stderr


@pytest.mark.slow
def test_the_story_ends_with_figures_that_agree_and_a_false_one_is_noticed(tmp_path: Path) -> None:
    code, figures, story = play(tmp_path, *SMALL)

    assert code == 0, story
    assert figures["ok"] is True
    for key in (
        "staff", "customers", "follows", "tags", "callbacks",
        "campaign", "sop", "handover", "risk", "groups",
    ):  # fmt: skip
        assert figures[key] == figures["sandbox"][key]
    assert figures["campaign"]["planned"] > figures["campaign"]["delivered"] > 0
    assert figures["callbacks"]["handled"] > 0
    # Each part of the story has something to tell.
    for part, words in TOLD.items():
        assert all(figures[part][word] > 0 for word in words), figures[part]

    falsify(tmp_path)
    code, figures, story = play(tmp_path, *SMALL)

    assert code != 0
    assert figures["ok"] is False
    assert "campaign.quota" in story


def falsify(data_dir: Path) -> None:
    script = (
        "from scrm import embedded\n"
        "import psycopg\n"
        "with embedded.running(), psycopg.connect(embedded.database_url()) as c:\n"
        f"    c.execute({FALSIFY!r})\n"
    )
    environment = {**os.environ, "SCRM_DATA_DIR": str(data_dir)}
    environment.pop("SCRM_DATABASE_URL", None)
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)  # noqa: S603
