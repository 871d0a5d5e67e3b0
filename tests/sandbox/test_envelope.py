import base64
from typing import Any

import pytest
import xmltodict
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from wechatpy.work.crypto import WeChatCrypto

from scrm.sandbox.credentials import Credentials
from scrm.sandbox.envelope import seal, wrap
from scrm.sandbox.events import chat_event, contact_event

CREDENTIALS = Credentials.for_seed(1)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 31, 32, 100])
def test_pads_to_whole_blocks_of_32_bytes(length: int) -> None:
    encrypted = base64.b64decode(seal("x" * length, CREDENTIALS).encrypted)
    key = base64.b64decode(CREDENTIALS.callback_aes_key + "=")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()

    plain = decryptor.update(encrypted) + decryptor.finalize()

    assert len(plain) % 32 == 0
    assert 1 <= plain[-1] <= 32
    assert plain[16:20] == length.to_bytes(4, "big")
    content = plain[20 : len(plain) - plain[-1]]
    assert content == b"x" * length + CREDENTIALS.corp_id.encode()


def test_seals_what_the_products_library_opens() -> None:
    crypto = WeChatCrypto(
        CREDENTIALS.callback_token, CREDENTIALS.callback_aes_key, CREDENTIALS.corp_id
    )
    sealed = seal("<xml>糖糖妈咪🌸</xml>", CREDENTIALS)
    query = sealed.query

    opened = crypto.decrypt_message(
        wrap(sealed.encrypted, CREDENTIALS, agent_id="1"),
        query["msg_signature"],
        query["timestamp"],
        query["nonce"],
    )

    assert opened == "<xml>糖糖妈咪🌸</xml>"


def test_never_seals_the_same_twice() -> None:
    first, second = seal("x", CREDENTIALS), seal("x", CREDENTIALS)

    assert first.encrypted != second.encrypted
    assert first.query["nonce"] != second.query["nonce"]


def test_survives_text_that_looks_like_xml() -> None:
    event = contact_event("add_external_contact", "a", "wm", 1, State="<b>]]>&'\"")

    assert read(event.as_xml("ww1"))["State"] == "<b>]]>&'\""


def test_writes_numbers_bare_and_a_single_item_as_it_is() -> None:
    xml = chat_event("update", "wr1", 7, JoinScene=3, MemChangeList=["wm1"]).as_xml("ww1")

    assert "<CreateTime>7</CreateTime>" in xml
    assert "<JoinScene>3</JoinScene><MemChangeList><Item>wm1</Item></MemChangeList>" in xml
    assert "<ChatId><![CDATA[wr1]]></ChatId>" in xml


def read(xml: str) -> dict[str, Any]:
    fields: dict[str, Any] = xmltodict.parse(xml)["xml"]
    return fields
