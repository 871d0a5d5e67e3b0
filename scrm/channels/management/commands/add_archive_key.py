"""Give a corp's message archive a private key from the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp


class Command(BaseCommand):
    help = "Keep the private RSA key of one version of the message archive's key pair."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version tells Django's version; here it is the key's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp", required=True, help="corp id, ww…")
        parser.add_argument("--version", required=True, type=int, help="as the console numbers it")
        parser.add_argument("--key-file", required=True, help="private key in PEM form")

    def handle(self, *args: Any, **options: Any) -> None:
        corp = Corp.objects.filter(corp_id=options["corp"]).first()
        if corp is None:
            known = ", ".join(Corp.objects.order_by("corp_id").values_list("corp_id", flat=True))
            sentence = _("There is no corp %(corp)s. Known: %(known)s.")
            raise CommandError(sentence % {"corp": options["corp"], "known": known or "—"})
        try:
            pem = Path(options["key_file"]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(
                _("%(file)s cannot be read.") % {"file": options["key_file"]}
            ) from error
        try:
            add_archive_key(
                corp, version=options["version"], private_key=pem, actor=SYSTEM, now=timezone.now()
            )
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            _("Version %(version)d of %(corp)s is kept.")
            % {"version": options["version"], "corp": corp}
        )
