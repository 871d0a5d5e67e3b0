"""Gives a test run an embedded PostgreSQL of its own, so that a running demo is not disturbed.

Loaded with `-p`, because pytest-django reads the settings before any conftest is imported. The
workers of `pytest -n` inherit the environment and share the server; pytest-django gives each its
database.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    if os.environ.get("SCRM_DATABASE_URL") or "PYTEST_XDIST_WORKER" in os.environ:
        yield
        return
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    os.environ["SCRM_DATA_DIR"] = stack.enter_context(_data_dir())
    yield
    # Imported only now: importing the project names its own settings, before pytest-django does.
    from scrm import embedded  # noqa: PLC0415

    stack.callback(embedded.remove_data)
    stack.enter_context(embedded.running(fast=True))


def _data_dir() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scrm-tests-", ignore_cleanup_errors=True)
