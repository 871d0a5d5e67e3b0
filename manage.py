#!/usr/bin/env python
"""Run Django's commands, on the embedded services when no others are given."""

import os
import signal
import sys
from contextlib import nullcontext
from types import FrameType
from typing import NoReturn

from django.core.management import execute_from_command_line

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
        with embedded.running() if needs_database(sys.argv[1:]) else nullcontext():
            execute_from_command_line(sys.argv)
    except embedded.EmbeddedError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
