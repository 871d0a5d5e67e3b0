"""Other processes that work on the test's database, as web and workers do in production."""

import os
import subprocess
import sys
from urllib.parse import quote

from django.conf import settings
from django.db import connection

# Seconds that a process may take; three that start at once on a busy machine need a minute.
PATIENCE = 180
_HEAD = """
import sys
from datetime import datetime
import django
django.setup()
from django.utils import timezone
from scrm.tenancy.models import Corp
arguments = sys.argv[1:]
"""


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run `code` with Django set up and the test's database; `arguments` is a list in it."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", _HEAD + code, *arguments],
        env=os.environ | _environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end; what it printed. Its traceback fails the test."""
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output


def _environment() -> dict[str, str]:
    database = connection.settings_dict
    host = database["HOST"] or database.get("OPTIONS", {}).get("host", "")
    port = database["PORT"] or database.get("OPTIONS", {}).get("port", "")
    account = quote(str(database["USER"]), safe="")
    if database["PASSWORD"]:
        account += ":" + quote(str(database["PASSWORD"]), safe="")
    query = f"host={quote(str(host), safe='')}&port={port}"
    return {
        "SCRM_DATABASE_URL": f"postgresql://{account}@/{database['NAME']}?{query}",
        "SCRM_BROKER_URL": "memory://",
        "SCRM_SECRET_KEY": str(settings.SECRET_KEY),
        "SCRM_FIELD_KEYS": ",".join(settings.FIELD_KEYS),
    }
