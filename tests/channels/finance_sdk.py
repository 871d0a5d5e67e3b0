"""Tencent's library as far as tests need it: a small one in C, compiled here, and what it serves."""

import atexit
import json
import secrets
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from tests.factories import NOW
from tests.risk.archive import private_key

_SOURCE = Path(__file__).with_name("finance_sdk.c")


@cache
def compiled_library() -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("NOT TESTED: the archive's library, for there is no C compiler to make one")
    directory = Path(tempfile.mkdtemp(prefix="finance-sdk-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    library = directory / "libWeWorkFinanceSdk_C.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Werror")
    subprocess.run([compiler, *flags, "-o", str(library), str(_SOURCE)], check=True)  # noqa: S603
    return library


def sealed_by_library(message: dict[str, Any], *, version: int) -> tuple[str, str]:
    """A key and a message as the library in C opens them."""
    key = secrets.token_hex(16).encode()
    plain = b"plain:" + json.dumps(message).encode()
    sealed = bytes(byte ^ key[place % len(key)] for place, byte in enumerate(plain))
    sealed_key = private_key(version).public_key().encrypt(key, PKCS1v15())
    return b64encode(sealed_key).decode(), sealed.hex()


class FinanceSdk:
    """What the library serves, and what it noted down."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.version = 1
        self._last = 0

    def say(self, sender: str, to: str, text: str = "", *, seq: int = 0, **fields: Any) -> str:
        """One message more; returns its id."""
        number = seq or self._last + 1
        kind = fields.pop("msgtype", "text")
        message = {
            "msgid": f"m{number}_external",
            "action": "send",
            "from": sender,
            "tolist": [to],
            "roomid": "",
            "msgtime": int(NOW.timestamp() * 1000) + number,
            "msgtype": kind,
        }
        message |= {"text": {"content": text}} if kind == "text" else {}
        return self.put(message | fields, seq=number)

    def put(self, message: dict[str, Any], *, seq: int = 0) -> str:
        self._last = seq or self._last + 1
        sealed_key, sealed = sealed_by_library(message, version=self.version)
        row = {
            "seq": self._last,
            "msgid": message["msgid"],
            "publickey_ver": self.version,
            "encrypt_random_key": sealed_key,
            "encrypt_chat_msg": sealed,
        }
        with (self.directory / "messages").open("a") as messages:
            messages.write(f"{self._last} {json.dumps(row)}\n")
        return str(message["msgid"])

    def trouble(self, function: str, *words: str | int) -> None:
        """What the next calls come to: "ok", "abort", "hang" or a code."""
        (self.directory / f"trouble.{function}").write_text("\n".join(map(str, words)))

    def keep(self, name: str, content: bytes | int) -> None:
        data = content if isinstance(content, bytes) else str(content).encode()
        (self.directory / name).write_bytes(data)

    def ledger(self, begin: str = "") -> list[str]:
        file = self.directory / "ledger"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(begin)]

    def kept(self) -> Counter[str]:
        """What was taken and not given back."""
        balance: Counter[str] = Counter()
        for line in self.ledger():
            if line[0] in "+-":
                balance[line[1:]] += 1 if line[0] == "+" else -1
        return +balance
