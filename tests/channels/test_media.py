"""Media files: kept once, given to the platform when wanted, renewed before they expire."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.actions.media import keep_media, upload_due_media
from scrm.channels.actions.outbox import enqueue_operation, run_due_operations
from scrm.channels.models import MediaFile, Operation
from scrm.channels.operations import ASK_MASS_MESSAGE
from scrm.common.errors import InvalidInput
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)
UPLOAD = "media/upload"
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time at which messages are asked; a list of one, to be set."""
    shown = [NOW]
    monkeypatch.setattr("scrm.channels.wecom.media._now", lambda: shown[0])
    return shown


def keep(corp: Corp, content: bytes = PICTURE, **fields: Any) -> MediaFile:
    given: dict[str, Any] = {
        "kind": "image",
        "name": "春.png",
        "actor": SYSTEM,
        "now": NOW,
    } | fields
    return keep_media(ContentFile(content), corp=corp, **given)


def ask(corp: Corp, sandbox: SandboxServer, media: MediaFile, *, now: datetime) -> Operation:
    sender = next(each.userid for each in sandbox.world.present_members() if each.can_follow)
    reached = [each.external_userid for each in sandbox.world.customers_of(sender)][:1]
    payload = {
        "sender": sender,
        "external_userids": reached,
        "content": "",
        "attachments": [{"kind": "image", "file": media.pk}],
    }
    return enqueue_operation(
        ASK_MASS_MESSAGE, corp=corp, key=f"k{Operation.objects.count()}", payload=payload, now=now
    )


def status_of(operation: Operation) -> str:
    operation.refresh_from_db()
    return operation.status


def test_the_same_content_is_kept_once(brand: Corp) -> None:
    first, again, video = keep(brand), keep(brand, name="x.png"), keep(brand, kind="file")

    assert first == again != video
    assert keep(make_corp()) != first
    entry = AuditEntry.objects.filter(corp=brand, action="media.kept").order_by("id")[0]
    assert entry.data == {"name": "春.png", "kind": "image", "bytes": len(PICTURE)}


def test_is_uploaded_once_and_renewed_while_it_is_in_use(
    brand: Corp, sandbox: SandboxServer
) -> None:
    media = keep(brand)
    assert upload_due_media(now=NOW) == {"uploaded": 1}
    assert upload_due_media(now=NOW + 2 * DAY) == {}
    media.refresh_from_db()
    first = media.media_id
    assert sandbox.world.media.media[first].content == PICTURE
    assert sandbox.world.media.media[first].filename == "春.png"

    assert upload_due_media(now=NOW + timedelta(days=2.6)) == {"uploaded": 1}
    media.refresh_from_db()
    assert media.media_id != first
    assert media.expires_at == NOW + timedelta(days=5.6)

    # Nobody has named it for a month: it is let go.
    assert upload_due_media(now=NOW + 40 * DAY) == {}
    media.refresh_from_db()
    assert media.next_upload_at is None


def test_a_message_waits_for_its_file(
    brand: Corp, sandbox: SandboxServer, clock: list[datetime]
) -> None:
    media = keep(brand)
    operation = ask(brand, sandbox, media, now=NOW)

    run_due_operations(now=NOW)
    assert status_of(operation) == "pending"
    assert "春.png" in operation.error
    assert sandbox.calls().get("externalcontact/add_msg_template", 0) == 0

    upload_due_media(now=NOW)
    run_due_operations(now=NOW + timedelta(minutes=1))
    assert status_of(operation) == "succeeded"
    media.refresh_from_db()
    assert media.used_at == NOW


def test_an_expired_file_is_wished_for_again(
    brand: Corp, sandbox: SandboxServer, clock: list[datetime]
) -> None:
    media = keep(brand)
    upload_due_media(now=NOW)
    upload_due_media(now=NOW + 40 * DAY)
    clock[0] = later = NOW + 41 * DAY
    operation = ask(brand, sandbox, media, now=later)

    run_due_operations(now=later)
    assert upload_due_media(now=later) == {"uploaded": 1}
    run_due_operations(now=later + timedelta(minutes=1))

    assert status_of(operation) == "succeeded"


def test_what_the_platform_forgot_early_is_uploaded_again(
    brand: Corp, sandbox: SandboxServer, clock: list[datetime]
) -> None:
    media = keep(brand)
    upload_due_media(now=NOW)
    sandbox.world.media.media.clear()
    operation = ask(brand, sandbox, media, now=NOW)

    run_due_operations(now=NOW)
    assert (status_of(operation), operation.errcode) == ("pending", 40007)
    clock[0] = NOW + timedelta(minutes=1)
    assert upload_due_media(now=clock[0]) == {"uploaded": 1}
    run_due_operations(now=clock[0])

    assert status_of(operation) == "succeeded"


def test_a_failed_upload_is_tried_again_and_a_refused_one_says_why(
    brand: Corp, sandbox: SandboxServer
) -> None:
    media = keep(brand)
    sandbox.faults.http_500(UPLOAD, times=1)
    assert upload_due_media(now=NOW) == {"postponed": 1}
    sandbox.faults.fail(UPLOAD, 40004, times=1)
    assert upload_due_media(now=NOW + timedelta(minutes=10)) == {"refused": 1}

    media.refresh_from_db()
    assert media.next_upload_at is None
    assert "40004" in media.problem


def test_a_message_with_a_file_that_is_no_ones(
    brand: Corp, sandbox: SandboxServer, clock: list[datetime]
) -> None:
    elsewhere = keep(make_corp())
    operation = ask(brand, sandbox, elsewhere, now=NOW)

    run_due_operations(now=NOW)

    assert status_of(operation) == "failed"


@pytest.mark.parametrize(
    ("content", "fields", "path"),
    [
        (b"", {}, "/file"),
        (b"GIF89a" + bytes(20), {}, "/file"),
        (PICTURE, {"kind": "song"}, "/kind"),
        (PICTURE, {"kind": "video"}, "/file"),
        (PICTURE, {"name": "x" * 129}, "/name"),
        (b"#!AMR" + bytes(2 * 1024 * 1024), {"kind": "voice"}, "/file"),
    ],
)
def test_refuses_what_the_platform_would(
    corp: Corp, content: bytes, fields: dict[str, str], path: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        keep(corp, content, **fields)

    assert [each.path for each in refusal.value.errors] == [path]
    assert not MediaFile.objects.exists()
