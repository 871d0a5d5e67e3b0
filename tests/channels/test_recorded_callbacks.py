"""The platform's documented callbacks, when the folder with them stands beside the project."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.models import InboundEvent
from scrm.channels.wecom.crypto import Seal
from tests.channels.conftest import Post, post_body
from tests.factories import make_corp

FOLDER = Path(settings.BASE_DIR).parent / "shared" / "wecom" / "fixtures"
EVENTS = sorted(FOLDER.glob("event.*.xml"))
KNOWN = {
    "change_external_contact": {
        "add_external_contact",
        "add_half_external_contact",
        "edit_external_contact",
        "del_external_contact",
        "del_follow_user",
        "transfer_fail",
        "msg_audit_approved",
    },
    "change_external_chat": {"create", "update", "dismiss"},
    "change_external_tag": {"create", "update", "delete", "shuffle"},
    "change_contact": {
        "create_user",
        "update_user",
        "delete_user",
        "create_party",
        "update_party",
        "delete_party",
        "update_tag",
    },
    "msgaudit_notify": {""},
}

needs_folder = pytest.mark.skipif(
    not EVENTS,
    reason=f"NOT RUN: the documented samples are not at {FOLDER.name}/ beside the project",
)


def vectors() -> list[dict[str, Any]]:
    file = FOLDER / "crypto_vectors.json"
    return json.loads(file.read_text()) if file.exists() else []


@needs_folder
def test_has_samples_of_every_kind() -> None:
    assert len(EVENTS) > 40
    assert len(vectors()) == 8


@needs_folder
@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.name)
def test_takes_in_every_documented_event(post: Post, file: Path) -> None:
    assert post(file.read_bytes()).status_code == 200

    handle_due_events(now=InboundEvent.objects.get().received_at)

    event = InboundEvent.objects.get()
    is_known = event.change_type in KNOWN.get(event.event, set())
    assert (event.status, event.error) == ("handled" if is_known else "ignored", "")


@needs_folder
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_opens_every_documented_vector(client: Client, db: None, vector: dict[str, Any]) -> None:
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


@needs_folder
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_makes_the_documented_signatures(vector: dict[str, Any]) -> None:
    seal = Seal(vector["token"], vector["encoding_aes_key"], vector["receive_id"])

    signature = seal.sign(vector["encrypt"], timestamp=vector["timestamp"], nonce=vector["nonce"])

    assert signature == vector["msg_signature"]
