"""The message archive on the page of a corp: how far it is, or how it is set up."""

from datetime import datetime
from typing import Any

from risk.actions.archive_alarms import archive_alarms
from risk.admin.words import lag_badge
from risk.models import ArchiveCursor, ArchivedMessage
from scrm.channels.models import ArchiveKey
from scrm.tenancy.models import Corp


def archive_state_of(corp: Corp, *, now: datetime) -> dict[str, Any]:
    cursor = ArchiveCursor.objects.for_corp(corp).select_related("corp").first()
    messages = ArchivedMessage.objects.for_corp(corp)
    versions = ArchiveKey.objects.for_corp(corp).order_by("version")
    return {
        "is_set_up": bool(corp.archive_secret),
        "lag": lag_badge(cursor, now),
        "alarms": archive_alarms([cursor], now=now) if cursor else [],
        "problem": cursor.problem if cursor else "",
        "versions": list(versions.values_list("version", flat=True)),
        "unread": messages.filter(text_state=ArchivedMessage.TextState.UNREADABLE).count(),
    }
