import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scrm.sandbox.remote import SandboxRemote

ROOT = Path(__file__).parents[2]
SIZE = ["--port", "0", "--staff", "3", "--customers", "20", "--groups", "1"]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.sandbox.bare_settings"}
    command = [sys.executable, "-m", "django", "sandbox", *SIZE, *arguments]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_announces_itself_as_json_and_stops_within_a_second() -> None:
    with running("--json", "--behave", "--days-ago", "2.5") as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        remote = SandboxRemote(facts["control_url"])
        assert remote.summary()["staff"] == 3
        assert remote.state()["options"]["behave"] is True
        assert facts["create_corp"] == remote.credentials.create_corp_command(facts["base_url"])
        assert facts["archive_secret"] == remote.credentials.archive_secret
        assert facts["archive_keys"] == {"1": remote.archive_keys()[1]}
        assert time.time() - remote.clock.now() == pytest.approx(2.5 * 24 * 3600, abs=30)
        remote.close()

        started = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=5) == 0
        assert time.monotonic() - started < 1


@pytest.mark.slow
def test_tells_people_how_to_connect() -> None:
    with running() as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(13)]

        assert "3 staff, 20 customers and 1 groups" in lines[0]
        assert any("create_corp --corp-id ww" in line for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
