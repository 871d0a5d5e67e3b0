"""Asking one client: paths below a prefix, and nothing but answers of the platform."""

from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.errors import AnswerLost
from scrm.channels.wecom.client import WeComClient

Json = dict[str, Any]
CONTACT = "externalcontact/"


class Asker:
    """One corp's client for the endpoints below `prefix`."""

    def __init__(self, client: WeComClient, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    def get(self, path: str, params: dict[str, Any] | None = None) -> Json:
        return _platforms(self._client.get(self._prefix + path, params=params or {}))

    def post(self, path: str, body: dict[str, Any]) -> Json:
        return _platforms(self._client.post(self._prefix + path, data=body))

    def upload(self, path: str, params: dict[str, Any], name: str, content: bytes) -> Json:
        files = {"media": (name, content)}
        return _platforms(self._client.post(self._prefix + path, params=params, files=files))


def _platforms(answer: Json) -> Json:
    # Every answer carries a code [doc 90313]. One without says nothing, and must not be read as
    # “there are no tags”.
    if "errcode" not in answer:
        raise AnswerLost(_("The answer is not one of the platform's: it carries no errcode."))
    return answer
