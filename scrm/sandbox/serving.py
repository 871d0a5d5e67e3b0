"""HTTP/1.1 with kept connections, which werkzeug's own development server does not offer."""

import os
import socket
import struct
import threading
from io import BytesIO
from typing import Any

from werkzeug.serving import WSGIRequestHandler

from scrm.sandbox.faults import ConnectionCut


class OpenSockets:
    """The connections in use, so that a stopping server can cut them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connection)

    def discard(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)

    def cut(self) -> None:
        with self._lock:
            for connection in self._sockets:
                _shut(connection)


class KeepAliveHandler(WSGIRequestHandler):
    """Reads each body whole and writes each answer in one piece."""

    protocol_version = "HTTP/1.1"
    # Small answers on a kept connection must not wait for Nagle's algorithm.
    disable_nagle_algorithm = True
    open_sockets: OpenSockets

    @classmethod
    def tracking(cls, sockets: OpenSockets) -> type["KeepAliveHandler"]:
        """Return a handler class for one server, whose connections are kept in `sockets`."""
        return type("Handler", (cls,), {"open_sockets": sockets})

    def setup(self) -> None:
        super().setup()
        self.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.open_sockets.discard(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        body = environ["wsgi.input"].read(self._body_length(environ))
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        head: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            head.append((status, headers))

        try:
            answer = b"".join(self.server.app(environ, start_response))
        except ConnectionCut as cut:
            self.close_connection = True
            if cut.reset:
                _reset(self.connection)
            else:
                _shut(self.connection)
        else:
            self._write(*head[-1], answer)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet: the ledger counts calls."""

    def _body_length(self, environ: dict[str, Any]) -> int:
        if environ.get("wsgi.input_terminated"):
            return -1
        length = environ.get("CONTENT_LENGTH") or ""
        return int(length) if length.isdecimal() else 0

    def _write(self, status: str, headers: list[tuple[str, str]], answer: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self._headers_buffer.append(b"\r\n" + answer)
        self.flush_headers()


def _reset(connection: socket.socket) -> None:
    """End a connection with a reset instead of a farewell."""
    lingering = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    # The handler's files share the descriptor, so it is closed itself.
    os.close(connection.detach())


def _shut(connection: socket.socket) -> None:
    """End a connection at once; the peer sees it closed without an answer."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
