"""Every documented callback becomes a typed event, and the inbox does something about it or says why
not."""

from collections import Counter

import pytest
from django.test import Client

from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.models import InboundEvent
from scrm.channels.wecom.crypto import Seal
from scrm.channels.wecom.event_forms import FORMS
from scrm.channels.wecom.events import read_event
from scrm.tenancy.models import Corp
from tests.channels.conftest import post_body
from tests.conformance.documented import content, named, needs_fixtures, payload
from tests.factories import NOW, make_corp

pytestmark = needs_fixtures

EVENTS = named("event.*.xml")
VECTORS = payload("crypto_vectors.json") if named("crypto_vectors.json") else []
# Events of the app's menu are described, without a sample.
WITHOUT_SAMPLE = {
    "click",
    "enter_agent",
    "location",
    "LOCATION",
    "subscribe",
    "template_card_menu_event",
    "unsubscribe",
    "view",
}


def post_sealed(client: Client, corp: Corp, inner: bytes) -> int:
    seal = Seal(corp.callback_token, corp.callback_aes_key, corp.corp_id)
    encrypted = seal.encrypt(inner)
    query = {"timestamp": "1700000000", "nonce": "n"}
    query["msg_signature"] = seal.sign(encrypted, **query)
    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()
    status: int = post_body(client, corp.corp_id, body, **query).status_code
    return status


def test_there_is_a_sample_of_every_form() -> None:
    callbacks = [read_event(content(name), received_at=NOW) for name in EVENTS]
    forms = Counter((each.event, each.change_type) for each in callbacks)

    assert len(forms) >= 37
    assert {event for event, _ in FORMS.keys() - forms.keys()} <= WITHOUT_SAMPLE
    assert forms.keys() <= FORMS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_reads_the_documented_event(name: str) -> None:
    callback = read_event(content(name), received_at=NOW)

    assert callback.typed, callback.reason
    assert callback.happened_at != NOW
    said = content(name).decode()
    kept = {value for value in vars(callback.typed).values() if isinstance(value, str)}
    # What the event keeps is in the callback, spelled as it came.
    assert {value for value in kept if value not in said} == set()


@pytest.mark.parametrize("name", EVENTS)
def test_handles_the_documented_event_or_says_why_not(
    client: Client, corp: Corp, name: str
) -> None:
    assert post_sealed(client, corp, content(name)) == 200

    handle_due_events(now=InboundEvent.objects.get().received_at)

    event = InboundEvent.objects.get()
    assert event.status in {"handled", "ignored"}, event.error
    assert (event.status == "ignored") == bool(event.error)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_opens_the_documented_seal(client: Client, db: None, vector: dict[str, str]) -> None:
    corp = make_corp(
        corp_id=vector["receive_id"],
        callback_token=vector["token"],
        callback_aes_key=vector["encoding_aes_key"],
    )
    query = {name: vector[name] for name in ("msg_signature", "timestamp", "nonce")}

    if vector["kind"] == "echostr":
        query["echostr"] = vector["encrypt"]
        answer = client.get(f"/wecom/callback/{corp.corp_id}/", query_params=query)
        assert (answer.status_code, answer.content.decode()) == (200, vector["plaintext"])
    else:
        body = f"<xml><Encrypt><![CDATA[{vector['encrypt']}]]></Encrypt></xml>"
        assert post_body(client, corp.corp_id, body.encode(), **query).status_code == 200
        assert InboundEvent.objects.get().body == vector["plaintext"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_makes_the_documented_signature(vector: dict[str, str]) -> None:
    seal = Seal(vector["token"], vector["encoding_aes_key"], vector["receive_id"])

    signature = seal.sign(vector["encrypt"], timestamp=vector["timestamp"], nonce=vector["nonce"])

    assert signature == vector["msg_signature"]


def test_there_are_all_the_seals() -> None:
    assert len(VECTORS) == 8
