"""How often a key may call, counted in the database: one truth for all processes."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from scrm.tenancy.models import ApiKey, RateWindow

_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"(\d{1,9})/(\w+)", re.ASCII)


@dataclass(frozen=True)
class Rate:
    calls: int
    seconds: int


@dataclass(frozen=True)
class Allowance:
    """What a key may still do in this window; `reset` is in seconds from now."""

    limit: int
    remaining: int
    reset: int
    is_exceeded: bool


@lru_cache(maxsize=8)
def parse_rate(text: str) -> Rate:
    """Read "600/min"; the units are s, sec, min, hour and day."""
    match = _RATE.fullmatch(text.strip())
    if not match or int(match[1]) < 1 or match[2] not in _SECONDS:
        raise ImproperlyConfigured(f"SCRM_API_RATE must look like 600/min, not {text!r}.")
    return Rate(calls=int(match[1]), seconds=_SECONDS[match[2]])


def count_call(api_key: ApiKey, *, rate: Rate, now: datetime) -> Allowance:
    """Count one call; the upsert makes the count exact however many processes there are."""
    window, passed = divmod(int(now.timestamp()), rate.seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO tenancy_ratewindow AS r (api_key_id, "window", calls) VALUES (%s, %s, 1)'
            ' ON CONFLICT (api_key_id, "window") DO UPDATE SET calls = r.calls + 1'
            " RETURNING calls",
            [api_key.pk, window],
        )
        (calls,) = cursor.fetchone()
    if calls == 1:
        # The first call of a window clears away the key's earlier ones.
        RateWindow.objects.filter(api_key=api_key, window__lt=window).delete()
    return Allowance(
        limit=rate.calls,
        remaining=max(rate.calls - calls, 0),
        reset=rate.seconds - passed,
        is_exceeded=calls > rate.calls,
    )
