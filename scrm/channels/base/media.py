"""Files that go to the platform and come from it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class AttachmentUse(IntEnum):
    """What an attachment is uploaded for: its id is good for nothing else [doc 95098]."""

    MOMENT = 1
    PRODUCT = 2


@dataclass(frozen=True)
class Download:
    name: str
    media_type: str
    content: bytes


class Media(Protocol):
    def upload(self, kind: str, name: str, content: bytes) -> str:
        """Give the platform an image, voice, video or file; the id it knows it by for 3 days."""

    def upload_attachment(self, kind: str, name: str, content: bytes, *, use: AttachmentUse) -> str:
        """Give the platform an image, video or file of at most 10 MB; its id, good for 3 days."""

    def upload_picture(self, name: str, content: bytes) -> str:
        """Give the platform a picture (≤ 2 MB) for ever; its address, good inside WeCom only.

        A corp may do so 1 000 times a day and 3 000 times a month [doc 90256].
        """

    def download(self, media_id: str) -> Download:
        """A temporary file of at most 20 MB, within its three days [doc 90254]."""

    def picture(self, url: str) -> tuple[str, bytes]:
        """Fetch a picture the platform made (media type, content of at most 1 MB)."""
