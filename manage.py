#!/usr/bin/env python
"""Run Django's commands, on the embedded services when no others are given."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import django
from django.core.management import call_command, execute_from_command_line
from django.db import ProgrammingError, connection

from scrm import embedded

WITHOUT_DATABASE = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "help",
    "makemessages",
    "sandbox",
    "spectacular",
    "startapp",
    "version",
}


def needs_database(arguments: list[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    return arguments[0] not in WITHOUT_DATABASE


# They say themselves what happens to the tables.
OWN_TABLES = {
    "dbshell",
    "demo",
    "flush",
    "makemigrations",
    "migrate",
    "showmigrations",
    "test",
    "up",
}


def make_tables(arguments: list[str]) -> None:
    """On an embedded database that was just made, do what a first `migrate` does."""
    if not embedded.is_used() or arguments[0] in OWN_TABLES:
        return
    django.setup()
    if "django_migrations" not in connection.introspection.table_names():
        sys.stderr.write("preparing the new database ...\n")
        call_command("migrate", verbosity=0, interactive=False)


def run(arguments: list[str]) -> None:
    try:
        with embedded.running():
            make_tables(arguments)
            execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", "") != "42P01":  # undefined_table
            raise
        sys.exit("error: the database has no tables for this version: run manage.py migrate first")


def end_in_order(signal_number: int, _: FrameType | None) -> NoReturn:
    """Unwind, so that the embedded server is not left behind; once is enough."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + signal_number)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    signal.signal(signal.SIGTERM, end_in_order)
    # Under nohup it is ignored, and stays so.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, end_in_order)
    try:
        if needs_database(sys.argv[1:]):
            run(sys.argv[1:])
        else:
            execute_from_command_line(sys.argv)
    except embedded.EmbeddedError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
