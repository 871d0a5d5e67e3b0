"""What a test run stands on: an embedded PostgreSQL of its own, or the services it is given.

Loaded with `-p`, because pytest-django reads the settings before any conftest is imported. The
workers of `pytest -n` inherit the environment and share the server; pytest-django gives each its
database. A running demo is not disturbed: files are kept in a directory of the run.

On given services (`SCRM_*_URL`) whatever else a server must be told is made up here, and each test
begins without the counts and cached values that another one left in Redis.
"""

import base64
import os
import secrets
import tempfile
from collections.abc import Generator
from contextlib import ExitStack

import pytest
import redis

# Of the limits of calls (scrm/channels/counters.py) and of Django's cache.
REDIS_KEYS = ("*scrm-limits*", ":1:*")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    if "PYTEST_XDIST_WORKER" in os.environ:
        yield
        return
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    os.environ["SCRM_DATA_DIR"] = stack.enter_context(_data_dir())
    if os.environ.get("SCRM_DATABASE_URL"):
        _make_up_keys()
    yield
    # Imported only now: importing the project names its own settings, before pytest-django does.
    from scrm import embedded  # noqa: PLC0415

    stack.callback(embedded.remove_data)
    stack.enter_context(embedded.running(fast=True))


@pytest.fixture(autouse=True)
def _clean_redis() -> None:
    forget_redis()


def forget_redis() -> None:
    """Let everything in a given Redis run out: counts, places, records, cached values."""
    if url := os.environ.get("SCRM_CACHE_URL"):
        with redis.Redis.from_url(url) as client:
            for pattern in REDIS_KEYS:
                for key in client.scan_iter(pattern, count=1000):
                    client.delete(key)


def _data_dir() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scrm-tests-", ignore_cleanup_errors=True)


def _make_up_keys() -> None:
    """A server keeps no keys in files; those of a test run need not outlive it."""
    os.environ.setdefault("SCRM_SECRET_KEY", secrets.token_urlsafe(48))
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    os.environ.setdefault("SCRM_FIELD_KEYS", key)
