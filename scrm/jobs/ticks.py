"""Beat ticks: a handful of wake-ups; what is due is decided in the database.

A tick is a Celery task that beat sends again and again. Each firing first claims its slot in the
table `Tick`, so that two beats, or one that is killed after firing and fires again, run it once.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from celery import Task, shared_task
from django.db import connection
from django.utils import timezone

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TickSpec:
    name: str
    task: str
    every: timedelta
    queue: str


REGISTRY: dict[str, TickSpec] = {}


def tick(
    name: str, *, every: timedelta, queue: str = "default"
) -> Callable[[Callable[..., object]], Task[Any, Any]]:
    """Make `function(now=…)` a task that beat fires at most once per `every`."""

    def decorate(function: Callable[..., object]) -> Task[Any, Any]:
        @wraps(function)
        def run(**_: Any) -> None:
            now = timezone.now()
            if not claim_slot(name, every=every, now=now):
                return
            started = time.monotonic()
            outcome = function(now=now)
            record_duration(name, seconds=time.monotonic() - started)
            if outcome:
                logger.info("tick %s: %s", name, outcome)

        task_name = f"{function.__module__}.{function.__name__}"
        REGISTRY[name] = TickSpec(name=name, task=task_name, every=every, queue=queue)
        # The queue is named by the beat row that fires it (scrm/jobs/actions/installing.py).
        return shared_task(name=task_name)(run)

    return decorate


def claim_slot(name: str, *, every: timedelta, now: datetime) -> bool:
    """Take the slot of `now` for this worker; False when it has been taken.

    "Another slot" rather than "a later slot": a clock that was set back must not silence a tick
    until it has caught up.
    """
    slot = int(now.timestamp() // every.total_seconds())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_tick (name, slot, fired_at, took_ms) VALUES (%s, %s, %s, 0)"
            " ON CONFLICT (name) DO UPDATE SET slot = excluded.slot, fired_at = excluded.fired_at"
            " WHERE jobs_tick.slot <> excluded.slot",
            [name, slot, now],
        )
        return bool(cursor.rowcount == 1)


def record_duration(name: str, *, seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_tick SET took_ms = %s WHERE name = %s", [round(seconds * 1000), name]
        )
