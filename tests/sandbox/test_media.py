import hashlib
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scrm.sandbox.formats import paint
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

UPLOAD = "media/upload"
ATTACH = "media/upload_attachment"
PICTURE = "media/uploadimg"
GET = "media/get"
BY_URL = "media/upload_by_url"
RESULT = "media/get_upload_by_url_result"
MB = 1024 * 1024
DAY = 24 * 3600
MOMENT = {"attachment_type": "1"}


def film(seconds: int = 10, *, size: int = 0, is_long: bool = False) -> bytes:
    """A film of which there is nothing but the headers."""
    times = struct.pack(">BxxxQQIQ", 1, 0, 0, 1000, seconds * 1000)
    if not is_long:
        times = struct.pack(">BxxxIIII", 0, 0, 0, 1000, seconds * 1000)
    head = b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00" + b"\x00\x00\x00\x6cmvhd" + times
    return head.ljust(max(size, 64), b"\x00")


def voice(seconds: int) -> bytes:
    return b"#!AMR\n" + (b"\x3c" + b"\x00" * 31) * (seconds * 50)


def jpeg(width: int, height: int) -> bytes:
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03"
    return b"\xff\xd8\xff\xe0\x00\x04ab" + frame + b"\x00" * 20


def read(api: Api, media_id: str, part: str = "") -> Any:
    query = {"access_token": api.token, "media_id": media_id}
    return api.call("GET", GET, params=query, headers={"Range": part} if part else {})


def test_keeps_a_file_and_gives_it_back(api: Api, sandbox: SandboxServer) -> None:
    answer = api.upload(UPLOAD, paint(4, 3), "喵.png", type="image")

    assert (answer["errcode"], answer["type"]) == (0, "image")
    assert isinstance(answer["created_at"], str)
    response = read(api, answer["media_id"])
    assert response.content == paint(4, 3)
    assert response.headers["Content-Type"] == "image/png"
    assert "filename*=UTF-8''%E5%96%B5.png" in response.headers["Content-Disposition"]
    assert sandbox.calls()[GET] == 1
    (entry,) = sandbox.entries("media.uploaded")
    assert entry.data["bytes"] == len(paint(4, 3))


@pytest.mark.parametrize(
    ("kind", "content", "errcode"),
    [
        ("image", jpeg(20, 10), 0),
        ("image", b"GIF89a" * 9, 40004),
        ("image", paint(1, 1).ljust(10 * MB, b"\x00"), 0),
        ("image", paint(1, 1).ljust(10 * MB + 1, b"\x00"), 45001),
        ("voice", voice(60), 0),
        ("voice", voice(61), 45001),
        ("voice", b"ID3" * 99, 40004),
        ("video", film(90), 0),
        ("video", b"RIFF" * 99, 40004),
        ("video", film(size=10 * MB + 1), 45001),
        ("file", b"12345", 40006),
        ("file", b"123456", 0),
        ("file", b"x" * (20 * MB + 1), 45001),
        ("file", b"", 44001),
        ("dance", b"123456", 40005),
    ],
)
def test_takes_the_documented_kinds_and_sizes(
    api: Api, sandbox: SandboxServer, kind: str, content: bytes, errcode: int
) -> None:
    assert api.upload(UPLOAD, content, "some.file", type=kind)["errcode"] == errcode
    assert sandbox.ledger.count("media.uploaded") == (not errcode)


def test_wants_a_file_in_the_field_called_media(api: Api) -> None:
    query = {"access_token": api.token, "type": "file"}

    other = api.call("POST", UPLOAD, params=query, files={"file": ("a.txt", b"123456")})
    none = api.call("POST", UPLOAD, params=query, json={"media": "123456"})

    assert [other.json()["errcode"], none.json()["errcode"]] == [44001, 44001]
    assert api.upload(UPLOAD, b"123456", "a.txt")["errcode"] == 40005


def test_checks_the_token_before_the_file(api: Api) -> None:
    answer = api.upload(UPLOAD, b"", "a.txt", access_token="x", type="file")

    assert answer["errcode"] == 40014


def test_forgets_media_after_three_days(api: Api, sandbox: SandboxServer) -> None:
    media_id = api.upload_picture()
    sandbox.clock.advance(3 * DAY - 60)
    api.token = api.fetch_token()["access_token"]
    assert read(api, media_id).content == paint(8, 6)

    sandbox.clock.advance(120)

    assert read(api, media_id).json()["errcode"] == 40007
    assert read(api, "unknown").json()["errcode"] == 40007
    assert read(api, "").json()["errcode"] == 41006
    sandbox.options.expired_media_errcode = 40145
    assert read(api, media_id).json()["errcode"] == 40145


def test_gives_parts_that_begin_and_end_at_multiples_of_sixteen(api: Api) -> None:
    content = bytes(range(100))
    media_id = api.upload(UPLOAD, content, "a.bin", type="file")["media_id"]

    part, rest = read(api, media_id, "bytes=16-47"), read(api, media_id, "bytes=64-")

    assert (part.status_code, part.content) == (206, content[16:48])
    assert part.headers["Content-Range"] == "bytes 16-47/100"
    assert rest.content == content[64:]
    for wrong in ("bytes=1-16", "bytes=0-9", "bytes=112-127", "apples=1-2"):
        answer = read(api, media_id, wrong)
        assert (answer.status_code, answer.json()["errcode"]) == (200, 830002)


def test_gives_large_files_in_parts_only(api: Api, sandbox: SandboxServer) -> None:
    media_id = api.upload(UPLOAD, b"123456", "a.bin", type="file")["media_id"]
    sandbox.world.media.media[media_id].content = bytes(20 * MB + 16)

    assert read(api, media_id).json()["errcode"] == 830002
    assert read(api, media_id, "bytes=0-").json()["errcode"] == 830002
    assert len(read(api, media_id, f"bytes=0-{20 * MB - 1}").content) == 20 * MB
    assert read(api, media_id, f"bytes={20 * MB}-").content == bytes(16)


@pytest.mark.parametrize(
    ("kind", "content", "errcode"),
    [
        ("image", paint(1080, 10_800), 0),
        ("image", jpeg(10_801, 100), 41081),
        ("image", jpeg(1081, 1081), 41081),
        ("image", paint(1, 1)[:20], 40123),
        ("image", b"GIF89a" * 9, 41090),
        ("image", paint(1, 1).ljust(10 * MB + 1, b"\x00"), 41080),
        ("video", film(30), 0),
        ("video", film(31), 41082),
        ("video", film(31, is_long=True), 41082),
        ("video", paint(1, 1), 41090),
        ("file", b"123456", 0),
        ("file", b"12345", 40006),
        ("voice", voice(1), 40005),
    ],
)
def test_takes_attachments_that_moments_can_show(
    api: Api, kind: str, content: bytes, errcode: int
) -> None:
    answer = api.upload(ATTACH, content, "a", media_type=kind, **MOMENT)

    assert answer["errcode"] == errcode
    if not errcode:
        assert isinstance(answer["created_at"], int)


def test_albums_are_less_particular_than_moments(api: Api) -> None:
    large = jpeg(9000, 9000)

    assert api.upload(ATTACH, large, "a", media_type="image", attachment_type="2")["errcode"] == 0
    other = api.upload(ATTACH, large, "a", media_type="image", attachment_type="3")
    assert other["errcode"] == 41072


def test_keeps_pictures_for_good(api: Api, sandbox: SandboxServer) -> None:
    query = {"access_token": api.token}
    files = {"whatever": ("a.jpg", jpeg(20, 10))}
    url = api.call("POST", PICTURE, params=query, files=files).json()["url"]

    sandbox.clock.advance(30 * DAY)

    response = api.session.get(url, timeout=5)
    assert response.content == jpeg(20, 10)
    assert response.headers["Content-Type"] == "image/jpeg"
    part = api.session.get(url, headers={"Range": "bytes=2-3"}, timeout=5)
    assert (part.status_code, part.content) == (206, jpeg(20, 10)[2:4])
    assert api.session.get(url + "0", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("content", "errcode"),
    [
        (paint(1, 1).ljust(2 * MB, b"\x00"), 0),
        (paint(1, 1).ljust(2 * MB + 1, b"\x00"), 45001),
        (b"tiny", 40006),
        (b"no picture at all", 40004),
        (b"", 44001),
    ],
)
def test_takes_pictures_up_to_two_megabytes(api: Api, content: bytes, errcode: int) -> None:
    assert api.upload(PICTURE, content)["errcode"] == errcode


def test_takes_so_many_pictures_a_day_and_a_month(api: Api, sandbox: SandboxServer) -> None:
    limits = sandbox.options
    assert limits.calls_per_day_by_path[PICTURE] == 1000
    assert limits.calls_per_month_by_path[PICTURE] == 3000
    limits.calls_per_day_by_path[PICTURE] = 2
    limits.calls_per_month_by_path[PICTURE] = 3

    assert [api.upload(PICTURE, paint(1, 1))["errcode"] for _ in range(3)] == [0, 0, 45009]
    sandbox.clock.advance(DAY)
    api.token = api.fetch_token()["access_token"]
    assert [api.upload(PICTURE, paint(1, 1))["errcode"] for _ in range(2)] == [0, 45009]


@pytest.fixture
def shelf() -> Iterator[str]:
    """A server of one film, in parts or whole or not at all."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/parts": 206, "/whole": 200}.get(self.path, 404)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(film())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def order(url: str, content: bytes = film(), kind: str = "video", **more: Any) -> dict[str, Any]:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return {"scene": 1, "type": kind, "filename": "a.mp4", "url": url, "md5": digest} | more


def fetch(api: Api, **body: Any) -> dict[str, Any]:
    """Order a file and return the result once the platform is through with it."""
    jobid = api.ok(BY_URL, **body)["jobid"]
    api.sandbox.clock.run_due()
    return api.ok(RESULT, jobid=jobid)


def test_fetches_a_file_and_tells_when_it_is_there(
    api: Api, sandbox: SandboxServer, receiver: Receiver, shelf: str
) -> None:
    sandbox.options.fetch_seconds = 60
    jobid = api.ok(BY_URL, **order(f"{shelf}/parts"))["jobid"]
    assert api.ok(RESULT, jobid=jobid)["status"] == 1
    assert "detail" not in api.ok(RESULT, jobid=jobid)

    sandbox.clock.advance(61)

    result = api.ok(RESULT, jobid=jobid)
    assert (result["status"], result["detail"]["errcode"]) == (2, 0)
    assert read(api, result["detail"]["media_id"]).content == film()
    assert sandbox.callbacks.drain()
    (event,) = receiver.events
    assert (event["Event"], event["JobId"]) == ("upload_media_job_finish", jobid)
    sandbox.clock.advance(3600)
    assert api.post(RESULT, jobid=jobid)["errcode"] == 40058
    assert api.post(RESULT, jobid="x")["errcode"] == 40058


def test_fetches_from_itself(api: Api) -> None:
    url = api.upload(PICTURE, paint(5, 5))["url"]

    assert fetch(api, **order(url, paint(5, 5), "file"))["status"] == 2


def test_tells_why_a_file_could_not_be_fetched(
    api: Api, sandbox: SandboxServer, shelf: str
) -> None:
    def errcode(path: str, **more: Any) -> Any:
        result = fetch(api, **order(path, **more))
        assert (result["status"] == 3) == bool(result["detail"]["errcode"])
        return result["detail"]["errcode"]

    assert errcode("https://films.example.com/a.mp4") == 830003
    assert errcode("http://127.0.0.1:9/a.mp4") == 830003
    assert errcode(f"{shelf}/nothing") == 830003
    assert errcode(f"{shelf}/whole") == 830003
    assert errcode(f"{shelf}/parts", md5="0" * 32) == 301019
    url = api.upload(PICTURE, paint(5, 5))["url"]
    assert errcode(url, content=paint(5, 5)) == 40004
    sandbox.options.fetched_bytes = 10
    assert errcode(f"{shelf}/parts") == 45001
    sandbox.options.fetched_bytes = 1000
    sandbox.options.fetch_needs_range = False
    assert errcode(f"{shelf}/whole") == 0


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"scene": 2}, 40058),
        ({"type": "image"}, 40005),
        ({"filename": ""}, 40063),
        ({"filename": "长" * 43}, 40058),
        ({"md5": "0" * 33}, 40058),
        ({"url": "ftp://127.0.0.1/a"}, 830001),
        ({"url": "http://127.0.0.1/" + "a" * 1024}, 830001),
    ],
)
def test_checks_what_is_to_be_fetched(api: Api, changes: dict[str, Any], errcode: int) -> None:
    body = order("http://127.0.0.1/a.mp4") | changes

    assert api.post(BY_URL, **body)["errcode"] == errcode


def test_messages_name_media_that_are_there(api: Api, sandbox: SandboxServer, seller: str) -> None:
    add = "externalcontact/add_msg_template"
    film_id = api.upload(UPLOAD, film(), "a.mp4", type="video")["media_id"]
    url = api.upload(PICTURE, paint(1, 1))["url"]
    page = {"title": "t", "appid": "a", "page": "p"}
    picture_id = api.upload_picture()

    def send(kind: str, **body: str) -> Any:
        return api.post(add, sender=seller, attachments=[{"msgtype": kind, kind: body}])["errcode"]

    assert send("image", media_id=picture_id) == 0
    assert send("image", pic_url=url) == 0
    assert send("video", media_id=film_id) == 0
    assert send("miniprogram", pic_media_id=picture_id, **page) == 0
    assert send("image", media_id=film_id) == 40007
    assert send("image", media_id="unknown") == 40007
    assert send("file", media_id="unknown") == 40007
    assert send("miniprogram", pic_media_id="unknown", **page) == 40007
    assert send("image", pic_url="https://elsewhere.example/a.png") == 40058
    sandbox.clock.advance(3 * DAY + 1)
    api.token = api.fetch_token()["access_token"]
    assert send("image", media_id=picture_id) == 40007
    sandbox.options.check_media = False
    assert send("image", media_id="unknown") == 0


def test_loses_the_answer_of_a_file_like_any_other(api: Api, sandbox: SandboxServer) -> None:
    media_id = api.upload_picture()
    sandbox.faults.lose_answer(GET)

    with pytest.raises(OSError, match="Connection"):
        read(api, media_id)

    sandbox.faults.fail(GET, -1)
    assert read(api, media_id).json()["errcode"] == -1
    assert read(api, media_id).content == paint(8, 6)
