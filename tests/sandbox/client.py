"""A plain client of the platform and a plain receiver of its callbacks."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import requests
import xmltodict
from wechatpy.work.crypto import WeChatCrypto

from scrm.sandbox.credentials import Credentials
from scrm.sandbox.formats import paint
from scrm.sandbox.server import SandboxServer


class Api:
    """Calls endpoints with a token of the sandbox and returns the JSON answers."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = self.fetch_token()["access_token"]

    def fetch_token(self, **changes: str) -> dict[str, Any]:
        credentials = self.sandbox.credentials
        query = {"corpid": credentials.corp_id, "corpsecret": credentials.secret} | changes
        return read_json(self.call("GET", "gettoken", params=query))

    def get(self, path: str, /, **query: Any) -> dict[str, Any]:
        return read_json(self.call("GET", path, params={"access_token": self.token} | query))

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        query = {"access_token": self.token}
        return read_json(self.call("POST", path, params=query, json=body))

    def ok(self, path: str, /, **body: Any) -> dict[str, Any]:
        answer = self.post(path, **body)
        assert answer["errcode"] == 0, answer
        return answer

    def upload(
        self, path: str, content: bytes, filename: str = "图.png", /, **query: str
    ) -> dict[str, Any]:
        """Post a file as multipart."""
        parameters = {"access_token": self.token} | query
        files = {"media": (filename, content)}
        return read_json(self.call("POST", path, params=parameters, files=files))

    def upload_picture(self) -> str:
        """Return the media_id of a small picture for messages."""
        return str(self.upload("media/upload", paint(8, 6), type="image")["media_id"])

    def walk(self, path: str, rows: str, /, **body: Any) -> Iterator[list[Any]]:
        """Yield the pages of a cursor walk."""
        cursor = ""
        while True:
            answer = self.ok(path, cursor=cursor, **body)
            yield answer[rows]
            cursor = answer.get("next_cursor", "")
            if not cursor:
                return

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.sandbox.base_url + path, timeout=10, **more)

    def close(self) -> None:
        self.session.close()


def read_json(response: requests.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.json()
    return answer


class Receiver:
    """Decrypts what it gets with the library the product uses; answers as told."""

    def __init__(self, credentials: Credentials) -> None:
        self.crypto = WeChatCrypto(
            credentials.callback_token, credentials.callback_aes_key, credentials.corp_id
        )
        self.events: list[dict[str, Any]] = []
        self.envelopes: list[dict[str, Any]] = []
        self.nonces: list[str] = []
        self.statuses: list[int] = []
        self.echo_suffix = b""
        self.pause = threading.Event()
        self.pause_seconds = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                receiver.pause.wait(receiver.pause_seconds)
                self._answer(200, receiver.open_echo(_query(self.path)) + receiver.echo_suffix)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.pause.wait(receiver.pause_seconds)
                self._answer(receiver.take(_query(self.path), body), b"")

            def _answer(self, status: int, body: bytes) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    return

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/callback"

    def open_echo(self, query: dict[str, str]) -> bytes:
        echo = self.crypto.check_signature(
            query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]
        )
        return echo if isinstance(echo, bytes) else str(echo).encode()

    def take(self, query: dict[str, str], body: bytes) -> int:
        """Decrypt and keep one event; also usable as the in-process receiver."""
        xml = self.crypto.decrypt_message(
            body, query["msg_signature"], query["timestamp"], query["nonce"]
        )
        self.nonces.append(query["nonce"])
        self.envelopes.append(xmltodict.parse(body)["xml"])
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.events.append(xmltodict.parse(xml)["xml"])
        return status

    def discard(self) -> None:
        """Close a receiver that never listened."""
        self._http.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _query(path: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
