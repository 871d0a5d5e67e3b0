"""Where calls are counted for all processes: in Redis when there is one, else in the database.

Both are storages of the library `limits`, and keep the same promise: whatever moment a window is
counted from, there are no more calls in it. Redis holds the moment of each call, the row in the
database how many there were in each slot of a window.
"""

import logging
import time
from collections.abc import Callable, Collection
from functools import cache
from math import ceil
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, connection
from limits.storage import RedisStorage, Storage
from limits.storage.base import MovingWindowSupport
from redis import RedisError

from scrm.channels.limits import Window

logger = logging.getLogger(__name__)

T = TypeVar("T")

_REDIS = "django.core.cache.backends.redis.RedisCache"
# A Redis that is down is not tried again with each call: every try costs its time limit.
_AFTER_FAILURE = 10.0
_TIMEOUT = 1.0

# So finely windows are counted: up to one slot more than their length is.
_SLOTS = 120

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
        """Take `amount` calls, or none."""
        asked = {"key": key, "limit": limit, "amount": amount, "expiry": expiry}
        asked |= {"slot": expiry / _SLOTS, "slots": _SLOTS + 1}
        return amount <= limit and _execute(_ACQUIRE, asked) is not None

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest of the last `limit` calls was made (epoch seconds), and how many were."""
        used, leaves_in = 0, float(expiry)
        seconds, slots = _execute(_SLOTS_OF, {"key": key}) or (0.0, [])
        for number, calls in enumerate(slots):
            kept_for = seconds - number * expiry / _SLOTS
            if kept_for <= 0 or used >= limit:
                break
            if calls:
                used, leaves_in = used + calls, kept_for
        return time.time() + leaves_in - expiry, used

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


class SharedRedis(RedisStorage):
    """The library's, with what concerns many keys in one journey."""

    def incr_all(self, keys: list[str], expiry: float, amount: int = 1) -> dict[str, int]:
        # The library's type of a connection names only what the library calls.
        redis: Any = self.get_connection()
        with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                names, figures = [self.prefixed_key(key)], [ceil(expiry), amount]
                self.lua_incr_expire(names, figures, client=pipe)
            return dict(zip(keys, map(int, pipe.execute()), strict=True))

    def clear_all(self, keys: list[str]) -> None:
        self.get_connection().delete(*map(self.prefixed_key, keys))


def take(key: str, window: Window, wanted: int) -> tuple[int, float]:
    """Count up to `wanted` calls: how many may be made; when none, the seconds until one may.

    The same key may be taken of by windows of other sizes: whose is smaller leaves the rest.
    """

    def act(calls: MovingWindowSupport) -> tuple[int, float]:
        if calls.acquire_entry(key, window.calls, window.seconds, amount=wanted):
            return wanted, 0.0
        oldest, used = calls.get_moving_window(key, window.calls, window.seconds)
        left = window.calls - used
        if 0 < left < wanted and calls.acquire_entry(key, window.calls, window.seconds, left):
            return left, 0.0
        return 0, oldest + window.seconds - time.time()

    return count(act)


def occupy(keys: Collection[str], *, seconds: int) -> set[str]:
    """Take those of the keys that nobody holds, for at most so long."""

    if not keys:
        return set()
    holders = count(lambda storage: storage.incr_all([*keys], seconds))
    return {key for key, number in holders.items() if number == 1}


def free(keys: Collection[str]) -> None:
    if keys:
        count(lambda storage: storage.clear_all([*keys]))


def count(act: Callable[[DatabaseStorage | SharedRedis], T]) -> T:
    """Do it with the storage all processes share; with the database while Redis is silent."""
    global _silent_until  # noqa: PLW0603
    if (redis := _redis()) is not None and time.monotonic() >= _silent_until:
        try:
            return act(redis)
        except RedisError:
            logger.warning("Redis is silent: calls are counted in the database", exc_info=True)
            _silent_until = time.monotonic() + _AFTER_FAILURE
    return act(_DATABASE)


@cache
def _redis() -> SharedRedis | None:
    cache_settings = settings.CACHES["default"]
    if cache_settings["BACKEND"] != _REDIS:
        return None
    times: dict[str, Any] = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
    return SharedRedis(cache_settings["LOCATION"], key_prefix="scrm-limits", **times)


def _execute(sql: str, params: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


# The newest slot comes first and leaves the window at `until`, the others one by one before it.
# `passed` is how many slots have begun since; the clock is asked after the row's lock was got,
# which `statement_timestamp` is not.
_PASSED = """greatest(0, floor(
    (%(expiry)s + extract(epoch FROM clock_timestamp() - w.until)) / %(slot)s + 1))::int"""
_ACQUIRE = f"""
    INSERT INTO channels_apiwindow AS w (key, until, count, slots)
    VALUES (
        %(key)s, clock_timestamp() + (%(expiry)s + %(slot)s) * interval '1 second', 0,
        ARRAY[%(amount)s]::int[]
    )
    ON CONFLICT (key) DO UPDATE SET (until, slots) = (
        SELECT w.until + passed * %(slot)s * interval '1 second',
            ARRAY[CASE WHEN passed = 0 THEN w.slots[1] ELSE 0 END + %(amount)s]
            || array_fill(0, ARRAY[least(greatest(passed, 1), %(slots)s) - 1])
            || w.slots[CASE WHEN passed = 0 THEN 2 ELSE 1 END:%(slots)s - passed]
        FROM (SELECT {_PASSED} AS passed) AS since
    )
    WHERE %(limit)s >= %(amount)s + (
        SELECT coalesce(sum(calls), 0) FROM unnest(w.slots[:%(slots)s - {_PASSED}]) AS calls
    )
    RETURNING 1"""  # noqa: S608
_SLOTS_OF = """
    SELECT extract(epoch FROM until - clock_timestamp())::float, slots
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
