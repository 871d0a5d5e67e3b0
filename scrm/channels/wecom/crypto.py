"""Seals of callbacks: signature first, then AES-256-CBC [doc 90968].

Not wechatpy's: its comparison is not constant-time, and it checks neither padding nor length.
"""

import binascii
import hashlib
import hmac
import secrets
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

# PKCS#7 to 32 bytes, twice the cipher's own block.
_BLOCK = 32
_RANDOM = 16
_HEAD = _RANDOM + 4


class ForgedCallback(Exception):
    """The signature is not of the corp's token."""


class MalformedCallback(Exception):
    """The signature is right, or nothing is there to sign, but the content cannot be read."""


@dataclass(frozen=True)
class Seal:
    """The token and key that a corp shares with the platform; `receive_id` is its corp id."""

    token: str = field(repr=False)
    aes_key: str = field(repr=False)
    receive_id: str

    def open(self, encrypted: str, *, signature: str, timestamp: str, nonce: str) -> bytes:
        """The message inside; raises ForgedCallback or MalformedCallback."""
        expected = self.sign(encrypted, timestamp=timestamp, nonce=nonce)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise ForgedCallback
        return self._decrypt(encrypted)

    def sign(self, encrypted: str, *, timestamp: str, nonce: str) -> str:
        parts = sorted([self.token, timestamp, nonce, encrypted])
        # SHA-1 is the platform's choice; what it signs is sealed by AES as well.
        return hashlib.sha1("".join(parts).encode("utf-8", "replace")).hexdigest()  # noqa: S324

    def encrypt(self, message: bytes) -> str:
        """Seal a message as the platform does."""
        length = struct.pack(">I", len(message))
        plain = secrets.token_bytes(_RANDOM) + length + message + self.receive_id.encode()
        padding = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
        return b64encode(sealed).decode()

    def _decrypt(self, encrypted: str) -> bytes:
        try:
            decryptor = self._cipher().decryptor()
            plain = decryptor.update(b64decode(encrypted, validate=True)) + decryptor.finalize()
        except (binascii.Error, ValueError) as error:
            raise MalformedCallback("The message is not base64 of whole AES blocks.") from error
        content = _without_padding(plain)
        (length,) = struct.unpack(">I", content[_RANDOM:_HEAD])
        message, receive_id = content[_HEAD : _HEAD + length], content[_HEAD + length :]
        if len(message) != length:
            raise MalformedCallback("The message is shorter than it says.")
        if receive_id != self.receive_id.encode():
            raise MalformedCallback("The message is for another corp, or the AES key is wrong.")
        return message

    def _cipher(self) -> Cipher[CBC]:
        key = b64decode(f"{self.aes_key}=")
        return Cipher(AES(key), CBC(key[:16]))


def _without_padding(plain: bytes) -> bytes:
    padding = plain[-1] if plain else 0
    is_padded = 1 <= padding <= _BLOCK and plain.endswith(bytes([padding]) * padding)
    if not is_padded or len(plain) - padding < _HEAD:
        raise MalformedCallback("The message is badly padded: check the AES key.")
    return plain[:-padding]
