"""`/healthz`: the process lives. `/readyz`: what it needs answers too."""

import logging
from collections.abc import Callable
from functools import cache

from celery import current_app
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

logger = logging.getLogger(__name__)

_BROKER_TIMEOUT = 2


class _Missing(Exception):
    """A part is not ready; the text is for the operator."""


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    parts = {name: _state_of(check) for name, check in CHECKS.items()}
    is_ready = all(state == "ok" for state in parts.values())
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "parts": parts},
        status=200 if is_ready else 503,
    )


def _state_of(check: Callable[[], None]) -> str:
    try:
        check()
    except _Missing as missing:
        return str(missing)
    except Exception:
        # Whatever it is, the part is not ready; addresses and passwords stay in the log.
        logger.exception("A part is not ready")
        return "unreachable"
    return "ok"


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@cache
def check_migrations() -> None:
    # Cached once it is well: what has been applied stays so for as long as this code runs.
    try:
        executor = MigrationExecutor(connection)
    except Error:
        raise _Missing("unknown: the database is unreachable") from None
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        raise _Missing(f"{len(waiting)} to apply: run `manage.py migrate`")


def check_broker(url: str | None = None) -> None:
    with current_app.connection_for_write(url, connect_timeout=_BROKER_TIMEOUT) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_TIMEOUT)


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
}
