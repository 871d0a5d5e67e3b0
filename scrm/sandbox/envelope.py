"""The callback encryption, written from the platform's page and not from the product's library."""

import base64
import hashlib
import secrets
import struct
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from scrm.sandbox.credentials import Credentials

BLOCK = 32


@dataclass(frozen=True)
class Envelope:
    """A signed and encrypted text, fresh at every call."""

    query: dict[str, str]
    encrypted: str


def seal(text: str, credentials: Credentials) -> Envelope:
    """Encrypt for the receiver; timestamps are real time, which is what he checks them against."""
    encrypted = _encrypt(text.encode(), credentials)
    timestamp, nonce = str(int(time.time())), secrets.token_hex(8)
    items = sorted([credentials.callback_token, timestamp, nonce, encrypted])
    signature = hashlib.sha1("".join(items).encode(), usedforsecurity=False).hexdigest()
    query = {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
    return Envelope(query, encrypted)


def wrap(encrypted: str, credentials: Credentials, *, agent_id: str) -> bytes:
    """Return the body of a callback; events that belong to no app carry no AgentID."""
    agent = f"<AgentID><![CDATA[{agent_id}]]></AgentID>" if agent_id else ""
    corp = f"<ToUserName><![CDATA[{credentials.corp_id}]]></ToUserName>"
    return f"<xml>{corp}{agent}<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


def _encrypt(message: bytes, credentials: Credentials) -> str:
    key = base64.b64decode(credentials.callback_aes_key + "=")
    length = struct.pack(">I", len(message))
    plain = secrets.token_bytes(16) + length + message + credentials.corp_id.encode()
    pad = BLOCK - len(plain) % BLOCK
    plain += bytes([pad]) * pad
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()
