"""The ids under which the platform knows the corp's media files at the moment of a call."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.base import FILE_FIELDS
from scrm.channels.errors import InputRefused, NotReady
from scrm.channels.models import MediaFile
from scrm.tenancy.models import Corp

_AT_LEAST = timedelta(minutes=10)
_NOTED_EVERY = timedelta(hours=6)


class MediaDesk:
    """Looks ids up and never uploads: a call to the platform must not wait for megabytes.

    What is not there is wished for (`upload_due_media` hears it) and NotReady is raised, so that
    whoever needs it comes again.
    """

    def __init__(self, corp: Corp) -> None:
        self._corp = corp

    def spelled(self, attachment: dict[str, Any]) -> dict[str, Any]:
        """Our attachment with the platform's ids; raises NotReady or InputRefused."""
        return {
            FILE_FIELDS.get(name, name): self._media_id(value) if name in FILE_FIELDS else value
            for name, value in attachment.items()
        }

    def forget(self, attachments: Iterable[dict[str, Any]]) -> bool:
        """Have the files of a message uploaded again: the platform does not know them any more."""
        files = [each[name] for each in attachments for name in FILE_FIELDS if name in each]
        rows = MediaFile.objects.for_corp(self._corp).filter(pk__in=files)
        return bool(rows.update(expires_at=None, next_upload_at=_now()))

    def _media_id(self, file: int) -> str:
        now = _now()
        rows = MediaFile.objects.for_corp(self._corp).filter(pk=file)
        media = rows.first()
        if media is None:
            raise InputRefused(_("The message names a file that does not exist."))
        if media.used_at is None or now - media.used_at > _NOTED_EVERY:
            rows.update(used_at=now)
        media_id = media.usable_id(now, at_least=_AT_LEAST)
        if media_id:
            return media_id
        # Unless it is on its way already, or put off after a failure.
        rows.filter(next_upload_at__isnull=True).update(next_upload_at=now)
        sentence = _("«%(name)s» is being given to the platform first.") % {"name": media.name}
        raise NotReady(f"{sentence} {media.problem}".strip())


def _now() -> datetime:
    return datetime.now(UTC)
