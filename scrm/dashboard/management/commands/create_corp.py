"""Connect a corp from the command line."""

from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import DomainError
from scrm.dashboard.actions.connecting import callback_path, connect_corp
from scrm.tenancy.actions.corps import CorpSettings
from scrm.tenancy.models import Corp


class Command(BaseCommand):
    help = "Check the settings of a WeCom corp at the platform and keep them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--corp-id", required=True, help="ww… of «My enterprise»")
        parser.add_argument("--secret", required=True, help="of the self-built app")
        parser.add_argument("--agent-id", default="", help="of the self-built app")
        parser.add_argument("--callback-token", required=True)
        parser.add_argument("--callback-aes-key", required=True, help="EncodingAESKey")
        parser.add_argument("--base-url", default="", help="ends in /cgi-bin/; default: WeCom")
        parser.add_argument("--name", default="", help="of the brand; default: the corp id")
        parser.add_argument("--time-zone", default="Asia/Shanghai")
        parser.add_argument("--contact-secret", default="", help="if another app has the customers")
        parser.add_argument("--archive-secret", default="")
        parser.add_argument(
            "--quota-mode", default=Corp.QuotaMode.MONTH, help="month|week|day|legacy"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        typed = CorpSettings(**{each.name: options[each.name] for each in fields(CorpSettings)})
        try:
            corp = connect_corp(typed, actor=SYSTEM, now=timezone.now())
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(_("%(corp)s is connected.") % {"corp": corp})
        self.stdout.write(
            _("Callback address to enter in the console: https://<your address>%(path)s")
            % {"path": callback_path(corp)}
        )
        self.stdout.write(_("Next: manage.py sync --corp %(id)s") % {"id": corp.corp_id})
