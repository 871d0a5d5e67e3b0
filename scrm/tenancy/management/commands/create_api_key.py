import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from scrm.common.errors import DomainError
from scrm.tenancy.actions.api_keys import create_api_key
from scrm.tenancy.models import Corp


class Command(BaseCommand):
    help = "Make a key of the REST API; its text is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--corp", required=True, help="corp id (ww…)")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scopes",
            required=True,
            help='comma-separated, such as customers:read,campaigns:write; "*" is all, "" none',
        )
        parser.add_argument("--json", action="store_true", help="end with one JSON object")

    def handle(self, *, corp: str, name: str, scopes: str, **options: Any) -> None:
        owner = Corp.objects.filter(corp_id=corp).first()
        if owner is None:
            known = ", ".join(Corp.objects.order_by("corp_id").values_list("corp_id", flat=True))
            sentence = _("There is no corp %(corp)s. Known: %(known)s.")
            raise CommandError(sentence % {"corp": corp, "known": known or "—"})
        if not 0 < len(name.strip()) <= 128:
            raise CommandError(_("--name says in 1 to 128 characters what the key is for."))
        try:
            key, text = create_api_key(
                name.strip(), corp=owner, scopes=scopes.split(","), now=timezone.now()
            )
        except DomainError as error:
            raise CommandError(error.detail) from None
        if options["json"]:
            answer = {"id": key.pk, "name": key.name, "key": text, "scopes": key.scopes}
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(text)
        self.stderr.write("Keep it now: only a hash is stored. Send it as: Authorization: Bearer …")
