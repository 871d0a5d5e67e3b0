"""The demo's story on a PostgreSQL server, a broker and a cache of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
NAME = "scrm_services_test"
pytestmark = pytest.mark.services


@pytest.fixture
def database_url() -> Iterator[str]:
    server = urlsplit(os.environ["SCRM_DATABASE_URL"])
    with psycopg.connect(os.environ["SCRM_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
        yield urlunsplit(server._replace(path=f"/{NAME}"))
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def test_the_story_plays_on_real_servers(database_url: str, tmp_path: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "PYTEST_"))
    }
    environment |= {
        "SCRM_DATABASE_URL": database_url,
        "SCRM_DATA_DIR": str(tmp_path),
        "SCRM_SECRET_KEY": "services-test",
        "SCRM_FIELD_KEYS": Fernet.generate_key().decode(),
    }
    finished = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", "--json", "--customers", "300"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout.strip().splitlines()[-1])["ok"] is True
