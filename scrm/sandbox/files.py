"""Files that come in a multipart body, and bytes that go out instead of JSON."""

import io
import mimetypes
from dataclasses import dataclass
from urllib.parse import quote

from werkzeug.formparser import FormDataParser
from werkzeug.http import dump_options_header, parse_options_header

MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class UploadedFile:
    field: str
    filename: str
    content: bytes


@dataclass(frozen=True)
class Download:
    """An answer that is a file; `whole` is its size when only a part is answered."""

    filename: str
    content: bytes
    start: int = 0
    whole: int | None = None

    @property
    def mimetype(self) -> str:
        return mimetypes.guess_type(self.filename)[0] or "application/octet-stream"

    @property
    def disposition(self) -> str:
        """Return the header that names the file, in letters that every header can carry."""
        names = {"filename": self.filename.encode("ascii", "ignore").decode()}
        if not self.filename.isascii():
            names["filename*"] = f"UTF-8''{quote(self.filename)}"
        return dump_options_header("attachment", names)

    @property
    def content_range(self) -> str:
        """Return the header of a part; empty for the whole file."""
        if self.whole is None:
            return ""
        return f"bytes {self.start}-{self.start + len(self.content) - 1}/{self.whole}"


def read_files(content_type: str, body: bytes) -> dict[str, UploadedFile]:
    """Return the files of a multipart body by the names of their fields; none of any other."""
    mimetype, options = parse_options_header(content_type)
    if mimetype != MULTIPART:
        return {}
    parser = FormDataParser(stream_factory=_keep_in_memory)
    parsed = parser.parse(io.BytesIO(body), mimetype, len(body), options)
    return {
        name: UploadedFile(name, storage.filename or "", storage.stream.read())
        for name, storage in parsed[2].items()
    }


def _keep_in_memory(*_: object, **__: object) -> io.BytesIO:
    # The body is in memory already; a file on disk would only have to be closed.
    return io.BytesIO()
