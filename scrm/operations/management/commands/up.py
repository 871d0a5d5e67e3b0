import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from scrm.processes import Supervisor, SupervisorError


class Command(BaseCommand):
    help = "Serve web, worker and beat in one foreground process until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--no-migrate", action="store_true", help="leave the database as it is")

    def handle(self, *, port: int, host: str, no_migrate: bool, **_: Any) -> None:
        supervisor = Supervisor(port=port, host=host, say=self._say)
        try:
            supervisor.make_room()
            if not no_migrate:
                call_command("migrate", verbosity=0)
            self._serve(supervisor)
        except SupervisorError as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            reason = str(error).splitlines()[0]
            raise CommandError(
                f"The database cannot be reached ({reason}): correct SCRM_DATABASE_URL, or unset "
                "it to use the embedded one."
            ) from None

    def _serve(self, supervisor: Supervisor) -> None:
        # A shell starts its background jobs with Ctrl-C ignored; `kill -INT` is still meant.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            supervisor.start()
            supervisor.wait_ready()
            self._say(f"ready  {supervisor.url}/admin/  (Ctrl-C ends everything)")
            supervisor.wait()
        except (KeyboardInterrupt, SystemExit):
            # An impatient second Ctrl-C would leave children behind; the end takes seconds only.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._say("stopping")
        finally:
            supervisor.stop()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
