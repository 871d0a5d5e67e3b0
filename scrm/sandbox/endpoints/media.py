"""Pictures, sound, films and files: uploaded, fetched from an address, and read back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.http import parse_range_header

from scrm.sandbox.call import Call
from scrm.sandbox.dice import draw_text
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.files import Download, UploadedFile
from scrm.sandbox.formats import (
    is_film,
    is_picture,
    is_voice,
    measure_film,
    measure_picture,
    measure_voice,
)
from scrm.sandbox.media import JobStatus, Medium, Scene, UploadJob, find_medium

MB = 1024 * 1024
SMALLEST = 5
PICTURE_BYTES = 2 * MB
ATTACHMENT_BYTES = 10 * MB
PART_BYTES = 20 * MB
# Parts begin and end at multiples of this.
PART_UNIT = 16
VOICE_SECONDS = 60
FILM_SECONDS = 30
LONG_SIDE, SHORT_SIDE = 10_800, 1_080
GROUP_WELCOME = 1
FILENAME_BYTES, URL_BYTES, MD5_LENGTH = 128, 1024, 32
JOB_SECONDS = 3600


@dataclass(frozen=True)
class Kind:
    """How large a file of one kind may be, and how one knows it."""

    largest: int
    is_one: Callable[[bytes], bool] = lambda content: True


KINDS = {
    "image": Kind(10 * MB, is_picture),
    "voice": Kind(2 * MB, is_voice),
    "video": Kind(10 * MB, is_film),
    "file": Kind(20 * MB),
}
ATTACHMENT_KINDS = ("image", "video", "file")
FETCHED_KINDS = ("video", "file")


@endpoint("POST", "media/upload", takes_file=True)
def upload(call: Call) -> Answer:
    kind = call.optional_text("type")
    if kind not in KINDS:
        raise Refused(40005, kind)
    file = _read_file(call, "media")
    _check_size(call, file, KINDS[kind].largest)
    if not KINDS[kind].is_one(file.content):
        raise Refused(40004, f"{file.filename} is no {kind}")
    if kind == "voice" and measure_voice(file.content) > VOICE_SECONDS:
        raise Refused(45001, f"longer than {VOICE_SECONDS} s")
    medium = _keep(call, file, kind, Scene.ANYTHING)
    # A text here and a number below, as documented.
    return _describe(medium) | {"created_at": str(int(medium.created_at))}


@endpoint("POST", "media/upload_attachment", takes_file=True)
def upload_attachment(call: Call) -> Answer:
    kind, scene = call.optional_text("media_type"), call.integer("attachment_type")
    if kind not in ATTACHMENT_KINDS:
        raise Refused(40005, kind)
    if scene not in {Scene.MOMENT, Scene.ALBUM}:
        raise Refused(41072, str(scene))
    file = _read_file(call, "media")
    _check_size(call, file, ATTACHMENT_BYTES, too_large=41080)
    if not KINDS[kind].is_one(file.content):
        raise Refused(41090, f"{file.filename} is no {kind}")
    if scene == Scene.MOMENT:
        _check_for_moment(file, kind)
    return _describe(_keep(call, file, kind, Scene(scene)))


@endpoint("POST", "media/uploadimg", takes_file=True)
def upload_picture(call: Call) -> Answer:
    """Keep a picture for good; the field of the file may be called anything."""
    file = _read_file(call, next(iter(call.files), ""))
    _check_size(call, file, PICTURE_BYTES)
    if not is_picture(file.content):
        raise Refused(40004, f"{file.filename} is no picture")
    world = call.world
    name = draw_text(world.dice, 40, "0123456789abcdef")
    world.media.pictures[name] = Medium(
        name, "image", file.filename, file.content, world.clock.now(), is_kept=True
    )
    world.ledger.append("media.picture", name=name, bytes=len(file.content))
    return {"url": f"{world.root_url}pictures/{name}"}


@endpoint("GET", "media/get")
def read(call: Call) -> Download:
    medium = find_medium(call, call.text("media_id", missing=41006))
    size = len(medium.content)
    if not call.byte_range:
        if size > PART_BYTES:
            raise Refused(830002, f"more than {PART_BYTES} bytes: ask for parts")
        return Download(medium.filename, medium.content)
    start, end = _read_range(call.byte_range, size)
    return Download(medium.filename, medium.content[start:end], start, size)


@endpoint("POST", "media/upload_by_url")
def upload_by_url(call: Call) -> Answer:
    job = _read_job(call)
    call.world.media.jobs[job.jobid] = job
    call.world.ledger.append("media.job", jobid=job.jobid, url=job.url)
    for fetch in call.world.on_upload:
        fetch(job)
    return {"jobid": job.jobid}


@endpoint("POST", "media/get_upload_by_url_result")
def read_job(call: Call) -> Answer:
    job = call.world.media.jobs.get(call.text("jobid"))
    if job is None or call.world.clock.now() - job.asked_at > JOB_SECONDS:
        raise Refused(40058, "jobid")
    if job.status == JobStatus.RUNNING:
        return {"status": int(job.status)}
    detail: dict[str, Any] = {"errcode": job.errcode, "errmsg": str(Refused(job.errcode))}
    if job.medium is not None:
        detail["errmsg"] = "ok"
        detail["media_id"] = job.medium.media_id
        detail["created_at"] = str(int(job.medium.created_at))
    return {"status": int(job.status), "detail": detail}


def _read_file(call: Call, field: str) -> UploadedFile:
    file = call.files.get(field)
    if file is None or not file.filename or not file.content:
        raise Refused(44001, field or "no file")
    return file


def _check_size(call: Call, file: UploadedFile, largest: int, *, too_large: int = 0) -> None:
    if len(file.content) <= SMALLEST:
        raise Refused(40006, f"{SMALLEST} bytes or less")
    if len(file.content) > largest:
        raise Refused(
            too_large or call.world.options.large_media_errcode, f"more than {largest} bytes"
        )


def _check_for_moment(file: UploadedFile, kind: str) -> None:
    if kind == "video":
        # A film without a movie header does not tell its length.
        if (measure_film(file.content) or 0) > FILM_SECONDS:
            raise Refused(41082, f"longer than {FILM_SECONDS} s")
    elif kind == "image":
        size = measure_picture(file.content)
        if size is None:
            raise Refused(40123, file.filename)
        if max(size) > LONG_SIDE or min(size) > SHORT_SIDE:
            raise Refused(41081, f"{size[0]} x {size[1]}")


def _keep(call: Call, file: UploadedFile, kind: str, scene: Scene) -> Medium:
    world = call.world
    media_id = draw_text(world.dice, 44)
    medium = Medium(media_id, kind, file.filename, file.content, world.clock.now(), scene)
    world.ledger.append(
        "media.uploaded",
        media_id=media_id,
        media_type=kind,
        scene=int(scene),
        filename=file.filename,
        bytes=len(file.content),
    )
    return world.media.add(medium, days=world.options.media_days)


def _describe(medium: Medium) -> Answer:
    return {
        "type": medium.kind,
        "media_id": medium.media_id,
        "created_at": int(medium.created_at),
    }


def _read_range(header: str, size: int) -> tuple[int, int]:
    """Return where the part begins and ends; 830002 for what is no part of the file."""
    wanted = parse_range_header(header)
    part = wanted.range_for_length(size) if wanted is not None else None
    if part is None:
        raise Refused(830002, header)
    start, end = part
    is_aligned = start % PART_UNIT == 0 and (end % PART_UNIT == 0 or end == size)
    if not is_aligned or end - start > PART_BYTES:
        raise Refused(830002, header)
    return start, end


def _read_job(call: Call) -> UploadJob:
    if call.integer("scene") != GROUP_WELCOME:
        raise Refused(40058, "scene")
    kind, filename = call.text("type"), call.text("filename")
    url, md5 = call.text("url"), call.text("md5")
    if kind not in FETCHED_KINDS:
        raise Refused(40005, kind)
    if len(filename.encode()) > FILENAME_BYTES or len(md5) > MD5_LENGTH:
        raise Refused(40058, "filename or md5")
    if len(url.encode()) > URL_BYTES or not url.startswith(("http://", "https://")):
        raise Refused(830001, "url")
    jobid = f"jobid_{draw_text(call.world.dice, 43)}"
    return UploadJob(jobid, kind, filename, url, md5.lower(), call.world.clock.now())
