"""Files that people sent each other, as the archive keeps them."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrm.sandbox.dice import draw_text, make_dice

if TYPE_CHECKING:
    from scrm.sandbox.world import World

DAY = 24 * 3600
CHUNK = 512 * 1024
# What files of a kind begin with, for whoever looks at more than the name.
HEADS = {
    "image": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "voice": b"#!AMR\n",
    "video": b"\x00\x00\x00\x18ftypmp42",
    "emotion": b"GIF89a",
    "file": b"%PDF-1.7\n",
}


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A made-up file is drawn again whenever it is read, so that it costs no memory."""

    file_id: str
    at: float
    size: int
    head: bytes
    given: bytes | None = None

    def read(self) -> bytes:
        if self.given is not None:
            return self.given
        dice = make_dice("archived file", self.file_id)
        return (self.head + dice.randbytes(self.size - len(self.head)))[: self.size]


class FileShelf:
    """Files by their ids; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = make_dice("archived files", world.seed)
        self._files: dict[str, ArchivedFile] = {}

    def make(self, kind: str, size: int) -> dict[str, Any]:
        """Keep a made-up file; return the fields by which a message names it."""
        return self._keep(size, HEADS.get(kind, b""), None)

    def keep(self, content: bytes) -> dict[str, Any]:
        return self._keep(len(content), b"", content)

    def find(self, file_id: str) -> ArchivedFile | None:
        return self._files.get(file_id)

    def is_over(self, file: ArchivedFile) -> bool:
        return self._world.clock.now() - file.at > self._world.options.archive_keep_days * DAY

    def _keep(self, size: int, head: bytes, given: bytes | None) -> dict[str, Any]:
        file_id = f"Cs{draw_text(self._dice, 96)}"
        file = ArchivedFile(file_id, self._world.clock.now(), size, head, given)
        self._files[file_id] = file
        md5 = hashlib.md5(file.read(), usedforsecurity=False)
        return {"md5sum": md5.hexdigest(), "filesize": size, "sdkfileid": file_id}
