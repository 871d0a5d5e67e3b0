"""Where calls are counted for all processes: in Redis when there is one, else in the database.

Both are storages of the library `limits`. Redis holds the moment of each call; the row in the
database holds one moment, which is the same promise kept a little more evenly.
"""

import logging
import time
from collections.abc import Callable, Collection
from functools import cache
from math import ceil
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, connection
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.storage.base import MovingWindowSupport

logger = logging.getLogger(__name__)

T = TypeVar("T")

_REDIS = "django.core.cache.backends.redis.RedisCache"
# A Redis that is down is not tried again with each call: every try costs its time limit.
_AFTER_FAILURE = 10.0
_TIMEOUT = 1.0

_silent_until = 0.0


class DatabaseStorage(Storage, MovingWindowSupport):
    """A row per key, changed by one statement each time, so that no lock outlives it.

    Time is the database's, the same for all machines.
    """

    STORAGE_SCHEME = ("scrm-database",)  # type: ignore[assignment]  # the library's list

    @property
    def base_exceptions(self) -> type[Exception]:
        return DatabaseError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take `amount` calls, or none.

        A quarter of the limit may come at once, the rest evenly: `until` is when all that was taken
        is regained (GCRA). In no span of `expiry` seconds there are more than `limit`.
        """
        burst, pause = _pace(limit, expiry)
        if amount > burst:
            return False
        # The row's clock has to be asked after its lock was got: `statement_timestamp` is older.
        taken = {"key": key, "cost": amount * pause, "room": (burst - amount) * pause}
        return _execute(_ACQUIRE, taken) is not None

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest call leaves the window less its length, and what cannot be taken now."""
        burst, pause = _pace(limit, expiry)
        (debt,) = _execute(_DEBT, {"key": key}) or (0.0,)
        room = int(burst - debt / pause + 1e-6)
        wait = max(0.0, debt - (burst - 1) * pause)
        return time.time() + wait - expiry, limit - max(0, room)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return self.incr_all([key], expiry, amount)[key]

    def get(self, key: str) -> int:
        row = _execute(_READ, {"key": key})
        return int(row[0]) if row else 0

    def get_expiry(self, key: str) -> float:
        row = _execute(_READ, {"key": key})
        return time.time() + (float(row[1]) if row else 0.0)

    def incr_all(self, keys: list[str], expiry: float, amount: int = 1) -> dict[str, int]:
        """Count for each of the keys, in one statement."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, {"keys": keys, "expiry": expiry, "amount": amount})
            return dict(cursor.fetchall())

    def clear_all(self, keys: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM channels_apiwindow WHERE key = ANY(%s)", [keys])

    def check(self) -> bool:
        return _execute("SELECT 1", {}) is not None

    def reset(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM channels_apiwindow")
            return int(cursor.rowcount)

    def clear(self, key: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM channels_apiwindow WHERE key = %s", [key])


def occupy(keys: Collection[str], *, seconds: int) -> set[str]:
    """Take those of the keys that nobody holds, for at most so long."""

    def take(storage: Storage) -> dict[str, int]:
        if isinstance(storage, DatabaseStorage):
            return storage.incr_all([*keys], seconds)
        return {key: storage.incr(key, seconds) for key in keys}

    return {key for key, holders in count(take).items() if holders == 1} if keys else set()


def free(keys: Collection[str]) -> None:
    def give_back(storage: Storage) -> None:
        if isinstance(storage, DatabaseStorage):
            storage.clear_all([*keys])
        else:
            for key in keys:
                storage.clear(key)

    if keys:
        count(give_back)


def count(act: Callable[[Storage], T]) -> T:
    """Do it with the storage all processes share; with the database while Redis is silent."""
    global _silent_until  # noqa: PLW0603
    if (redis := _redis()) is not None and time.monotonic() >= _silent_until:
        try:
            return act(redis)
        except StorageError:
            logger.warning("Redis is silent: calls are counted in the database", exc_info=True)
            _silent_until = time.monotonic() + _AFTER_FAILURE
    return act(_DATABASE)


@cache
def _redis() -> Storage | None:
    cache_settings = settings.CACHES["default"]
    if cache_settings["BACKEND"] != _REDIS:
        return None
    times: dict[str, Any] = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
    url = cache_settings["LOCATION"]
    storage = storage_from_string(url, wrap_exceptions=True, key_prefix="scrm-limits", **times)
    return storage if isinstance(storage, Storage) else None


def _pace(limit: int, expiry: float) -> tuple[int, float]:
    """How many calls may come at once, and the seconds between those that follow."""
    burst = ceil(limit / 4)
    return burst, expiry / max(1, limit - burst)


def _execute(sql: str, params: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


_ACQUIRE = """
    INSERT INTO channels_apiwindow AS w (key, until, count)
    VALUES (%(key)s, clock_timestamp() + %(cost)s * interval '1 second', 0)
    ON CONFLICT (key) DO UPDATE
        SET until = greatest(w.until, clock_timestamp()) + %(cost)s * interval '1 second'
        WHERE w.until <= clock_timestamp() + %(room)s * interval '1 second'
    RETURNING 1"""
_DEBT = """
    SELECT greatest(0, extract(epoch FROM until - clock_timestamp()))::float
    FROM channels_apiwindow WHERE key = %(key)s"""
# In the order of the keys, so that two workers never wait for each other in a circle.
_COUNT = """
    INSERT INTO channels_apiwindow AS w (key, until, count)
    SELECT key, clock_timestamp() + %(expiry)s * interval '1 second', %(amount)s
    FROM unnest(%(keys)s::text[]) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN w.until <= clock_timestamp() THEN 0 ELSE w.count END + %(amount)s,
        until = CASE WHEN w.until <= clock_timestamp() THEN excluded.until ELSE w.until END
    RETURNING key, count"""
_READ = """
    SELECT count, extract(epoch FROM until - clock_timestamp())::float
    FROM channels_apiwindow WHERE key = %(key)s AND until > clock_timestamp()"""

_DATABASE = DatabaseStorage()
