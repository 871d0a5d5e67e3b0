"""Files that go to the platform and come from it [doc 90253, 90254, 90256, 95098]."""

from scrm.channels.base import AttachmentUse, Download
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.client import WeComClient


class WeComMedia:
    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._platform = Asker(client)

    def upload(self, kind: str, name: str, content: bytes) -> str:
        answer = self._platform.upload("media/upload", {"type": kind}, name, content)
        return parsing.required_text(answer, "media_id")

    def upload_attachment(self, kind: str, name: str, content: bytes, *, use: AttachmentUse) -> str:
        params = {"media_type": kind, "attachment_type": int(use)}
        answer = self._platform.upload("media/upload_attachment", params, name, content)
        return parsing.required_text(answer, "media_id")

    def upload_picture(self, name: str, content: bytes) -> str:
        answer = self._platform.upload("media/uploadimg", {}, name, content)
        return parsing.required_text(answer, "url")

    def download(self, media_id: str) -> Download:
        return Download(*self._client.fetch_file("media/get", {"media_id": media_id}))

    def picture(self, url: str) -> tuple[str, bytes]:
        return self._client.fetch_picture(url)
