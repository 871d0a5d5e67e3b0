"""What tests of the door share: the channel of the sandbox's corp, sealed callbacks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from scrm.channels.base import Channel
from scrm.channels.opening import open_channel
from scrm.channels.wecom.crypto import Seal
from scrm.tenancy.models import Corp

Post = Callable[..., Any]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def channel(brand: Corp) -> Channel:
    return open_channel(brand)


@pytest.fixture
def seal(corp: Corp) -> Seal:
    return Seal(corp.callback_token, corp.callback_aes_key, corp.corp_id)


@pytest.fixture
def post(corp: Corp, seal: Seal, client: Client) -> Post:
    """Send an inner XML to the corp's callback address, sealed as the platform does."""

    def send(inner: str | bytes, **changes: str) -> Any:
        content = inner if isinstance(inner, bytes) else inner.encode()
        encrypted = seal.encrypt(content)
        query = {"timestamp": "1700000000", "nonce": "n1"}
        query["msg_signature"] = seal.sign(encrypted, **query)
        body = f"<xml><ToUserName>{corp.corp_id}</ToUserName><Encrypt>{encrypted}</Encrypt></xml>"
        return post_body(client, corp.corp_id, body.encode(), **(query | changes))

    return send


def post_body(client: Client, corp_id: str, body: bytes, **query: str) -> Any:
    address = reverse("channels:callback", args=[corp_id])
    return client.post(address, body, content_type="text/xml", query_params=query)


def event_xml(event: str, change_type: str = "", /, **elements: str) -> str:
    fields = {"FromUserName": "sys", "CreateTime": "1700000000", "MsgType": "event"}
    fields |= {"Event": event, "ChangeType": change_type} | elements
    inner = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in fields.items())
    return f"<xml>{inner}</xml>"


def contact_xml(change_type: str, external_userid: str = "wm1", **elements: str) -> str:
    elements = {"UserID": "alice", "ExternalUserID": external_userid} | elements
    return event_xml("change_external_contact", change_type, **elements)
