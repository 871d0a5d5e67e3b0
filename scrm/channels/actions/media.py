"""Media: kept once by content, given to the platform when wanted, renewed before they expire."""

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import Actor, record
from scrm.channels.errors import ChannelError, RetryLater
from scrm.channels.models import MediaFile
from scrm.channels.opening import open_channel
from scrm.channels.pace import BUDGET, back_off, clock_from
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

MB = 1024 * 1024
KEPT_FOR = timedelta(days=3)  # [doc 90253]
# A message that is asked for at the last moment must still find it.
_RENEWED_BEFORE = timedelta(hours=12)
# What nobody has named for so long is uploaded again only when somebody does.
_IN_USE_FOR = timedelta(days=30)
_UPLOAD_LEASE = timedelta(minutes=5)
_SMALLEST = 6
_LONGEST_NAME = 128


@dataclass(frozen=True)
class Limits:
    """What the platform takes of one kind: bytes, and beginnings one knows its format by."""

    largest: int
    formats: str
    beginnings: tuple[tuple[int, bytes], ...] = ()


LIMITS: dict[str, Limits] = {
    MediaFile.Kind.IMAGE: Limits(10 * MB, "JPG, PNG", ((0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n"))),
    MediaFile.Kind.VOICE: Limits(2 * MB, "AMR", ((0, b"#!AMR"),)),
    MediaFile.Kind.VIDEO: Limits(10 * MB, "MP4", ((4, b"ftyp"),)),
    MediaFile.Kind.FILE: Limits(20 * MB, ""),
}


def keep_media(
    content: File[bytes], *, corp: Corp, kind: str, name: str, actor: Actor, now: datetime
) -> MediaFile:
    """Keep a file and have it given to the platform; the same content again is the same row.

    Raises InvalidInput for what the platform would refuse.
    """
    digest = _check(content, kind=kind, name=name)
    known = MediaFile.objects.for_corp(corp).filter(kind=kind, digest=digest).first()
    if known is not None:
        return known
    media = MediaFile(
        corp=corp,
        kind=kind,
        name=name,
        digest=digest,
        size=content.size,
        next_upload_at=now,
        created_by=actor.key,
        created_at=now,
    )
    # Before the row: a row without its content would be a promise that cannot be kept.
    if not default_storage.exists(media.path):
        content.seek(0)
        default_storage.save(media.path, content)
    with transaction.atomic():
        MediaFile.objects.bulk_create([media], ignore_conflicts=True)
        kept = MediaFile.objects.get(corp=corp, kind=kind, digest=digest)
        data = {"name": name, "kind": kind, "bytes": media.size}
        record("media.kept", actor=actor, corp=corp, subject=kept, now=now, data=data)
    return kept


def want_media(media: MediaFile, *, now: datetime) -> None:
    """Have it given to the platform now, whatever was planned; harmless while it is on its way."""
    MediaFile.objects.filter(pk=media.pk).update(next_upload_at=now, used_at=now, attempts=0)


def upload_due_media(*, now: datetime, limit: int = 50) -> Counter[str]:
    """Give the platform what it needs now; any number of workers may run it at a time."""
    clock = clock_from(now)
    counts: Counter[str] = Counter()
    for _file in range(limit):
        media = _claim(now=clock()) if clock() < now + BUDGET else None
        if media is None:
            break
        counts[_upload(media, now=clock())] += 1
    return counts


@transaction.atomic
def _claim(*, now: datetime) -> MediaFile | None:
    due = MediaFile.objects.due(now).select_for_update(of=["self"], skip_locked=True)
    media = due.select_related("corp").first()
    if media is None:
        return None
    if media.media_id and not _is_in_use(media, now):
        # Expiring, and nobody has asked for it for long.
        media.next_upload_at = None
        media.save(update_fields=["next_upload_at"])
        return _claim(now=now)
    media.next_upload_at, media.attempts = now + _UPLOAD_LEASE, media.attempts + 1
    media.save(update_fields=["next_upload_at", "attempts"])
    return media


def _is_in_use(media: MediaFile, now: datetime) -> bool:
    last = media.used_at or media.created_at
    return now - last < _IN_USE_FOR


def _upload(media: MediaFile, *, now: datetime) -> str:
    """Uploading twice does no harm: the platform gives it another id."""
    try:
        with default_storage.open(media.path) as content:
            channel = open_channel(media.corp)
            media_id = channel.media.upload(media.kind, media.name, content.read())
    except ChannelError as error:
        return _put_off(media, error.detail, error, now=now)
    except FileNotFoundError:
        logger.exception("The content of a media file is gone", extra={"media": media.pk})
        return _give_up(media, _("Its content is not in the storage any more: upload it again."))
    MediaFile.objects.filter(pk=media.pk).update(
        media_id=media_id,
        expires_at=now + KEPT_FOR,
        next_upload_at=now + KEPT_FOR - _RENEWED_BEFORE,
        attempts=0,
        problem="",
    )
    return "uploaded"


def _put_off(media: MediaFile, problem: str, error: ChannelError, *, now: datetime) -> str:
    """The platform may take it later; what it refuses for good waits until somebody wants it."""
    if not isinstance(error, RetryLater):
        return _give_up(media, problem)
    delay = max(error.delay, back_off(media.attempts))
    MediaFile.objects.filter(pk=media.pk).update(next_upload_at=now + delay, problem=problem)
    return "postponed"


def _give_up(media: MediaFile, problem: str) -> str:
    MediaFile.objects.filter(pk=media.pk).update(next_upload_at=None, problem=problem)
    return "refused"


def _check(content: File[bytes], *, kind: str, name: str) -> str:
    """The digest of a file that the platform takes; raises InvalidInput."""
    limits = LIMITS.get(kind)
    if limits is None:
        raise _refusal("/kind", "invalid", _("A file is one of %(kinds)s.") % {"kinds": ", ".join(LIMITS)})  # fmt: skip
    if not name.strip() or len(name.encode()) > _LONGEST_NAME:
        raise _refusal("/name", "invalid", _("The file's name has between 1 and %(most)d bytes.") % {"most": _LONGEST_NAME})  # fmt: skip
    if content.size < _SMALLEST:
        raise _refusal("/file", "too_small", _("The file is empty."))
    if content.size > limits.largest:
        sentence = _("The file has %(size)d MB; the platform takes at most %(most)d MB of this kind.")  # fmt: skip
        values = {"size": -(-content.size // MB), "most": limits.largest // MB}
        raise _refusal("/file", "too_large", sentence % values)
    content.seek(0)
    beginning = content.read(16)
    if limits.beginnings and not any(
        beginning[place : place + len(sign)] == sign for place, sign in limits.beginnings
    ):
        sentence = _("The file is none of %(formats)s.") % {"formats": limits.formats}
        raise _refusal("/file", "invalid", sentence)
    content.seek(0)
    return hashlib.file_digest(content.file, "sha256").hexdigest()  # type: ignore[arg-type]


def _refusal(path: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=(FieldProblem(path, code, message),))
