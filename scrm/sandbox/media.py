"""What was uploaded: media that last some days, and pictures that stay."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from scrm.sandbox.errors import Refused

if TYPE_CHECKING:
    from scrm.sandbox.call import Call

DAY = 24 * 3600


class Scene(IntEnum):
    """What a medium was uploaded for."""

    ANYTHING = 0
    MOMENT = 1
    ALBUM = 2


@dataclass(slots=True)
class Medium:
    media_id: str
    kind: str
    filename: str
    content: bytes
    created_at: float
    scene: Scene = Scene.ANYTHING
    # Media that the platform itself shows, as those of moments, do not expire.
    is_kept: bool = False


class JobStatus(IntEnum):
    RUNNING = 1
    DONE = 2
    FAILED = 3


@dataclass(slots=True)
class UploadJob:
    """A file that the platform fetches from an address."""

    jobid: str
    kind: str
    filename: str
    url: str
    md5: str
    asked_at: float
    status: JobStatus = JobStatus.RUNNING
    errcode: int = 0
    medium: Medium | None = None


class MediaStore:
    def __init__(self) -> None:
        self.media: dict[str, Medium] = {}
        # name → picture, for addresses that stay
        self.pictures: dict[str, Medium] = {}
        self.jobs: dict[str, UploadJob] = {}

    def add(self, medium: Medium, *, days: float) -> Medium:
        """Keep a medium, and forget the bytes of what expired long before it."""
        for old in self.media.values():
            if not old.is_kept and medium.created_at - old.created_at > 2 * days * DAY:
                old.content = b""
        self.media[medium.media_id] = medium
        return medium


def find_medium(call: "Call", media_id: object) -> Medium:
    """Return what is kept under the id; 40007 when it never was, or expired, or is no id."""
    world = call.world
    medium = world.media.media.get(media_id) if isinstance(media_id, str) else None
    if medium is None:
        raise Refused(40007, str(media_id)[:64])
    seconds = world.options.media_days * DAY
    if not medium.is_kept and world.clock.now() - medium.created_at > seconds:
        raise Refused(world.options.expired_media_errcode, f"{media_id} expired")
    return medium


def check_medium(call: "Call", media_id: object, kind: str, *, scene: Scene | None = None) -> None:
    """Refuse the id of a medium that cannot be used: unknown, expired, or of another kind or scene.

    `scene` None takes media of every scene.
    """
    if not call.world.options.check_media:
        return
    medium = find_medium(call, media_id)
    if medium.kind != kind:
        raise Refused(40007, f"{media_id} is of kind {medium.kind}, not {kind}")
    if scene is not None and medium.scene != scene:
        raise Refused(40007, f"{media_id} was not uploaded for this")


def check_media_of(call: "Call", kind: str, body: dict[str, Any]) -> None:
    """Check every medium that a message of a kind names, in its own body or its articles'."""
    if "media_id" in body and kind in {"image", "voice", "video", "file"}:
        check_medium(call, body["media_id"], kind)
    # What stands beside the fields of another kind is not looked at.
    articles = body.get("articles") if kind in {"news", "mpnews"} else None
    for row in [body, *(articles or [])]:
        if row.get("thumb_media_id"):
            check_medium(call, row["thumb_media_id"], "image")


def check_picture(call: "Call", url: str) -> None:
    """Refuse the address of a picture that is not one of ours."""
    name = url.rpartition("/")[2]
    if call.world.options.check_media and name not in call.world.media.pictures:
        raise Refused(40058, f"{url} was not uploaded by media/uploadimg")
