"""The WSGI application: the platform under /cgi-bin/ and /archive/, controls under /sandbox/, a page at /."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request as HttpRequest
from werkzeug.wrappers import Response

from scrm.sandbox.control import Control
from scrm.sandbox.faults import ServerBroken
from scrm.sandbox.gate import Request
from scrm.sandbox.page import render_page
from scrm.sandbox.pictures import draw_code

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from scrm.sandbox.server import SandboxServer

API_PREFIX = "/cgi-bin/"
# The archive is no documented HTTP API, so it lies beside the platform's.
ARCHIVE_PREFIX = "/archive/"
JOIN_PREFIX = "/join/"
CONTROL_PREFIX = "/sandbox/"


class SandboxApp:
    def __init__(self, server: "SandboxServer") -> None:
        self._server = server
        self._control = Control(server)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self._answer(HttpRequest(environ))(environ, start_response)

    def _answer(self, request: HttpRequest) -> Response:
        path = request.path
        if path.startswith(API_PREFIX):
            return self._answer_api(request, path.removeprefix(API_PREFIX))
        if path.startswith(ARCHIVE_PREFIX):
            return self._answer_api(request, path.removeprefix("/"))
        if path.startswith(CONTROL_PREFIX):
            status, answer = self._control.answer(request, path.removeprefix(CONTROL_PREFIX))
            return _json_response(answer, status)
        if path.startswith(JOIN_PREFIX):
            return self._draw_join_code(path.removeprefix(JOIN_PREFIX))
        if path == "/":
            return Response(render_page(self._server), mimetype="text/html")
        return _json_response({"error": "not found"}, 404)

    def _draw_join_code(self, name: str) -> Response:
        config_id = name.removesuffix(".png")
        if config_id not in self._server.world.join_ways:
            return _json_response({"error": "not found"}, 404)
        code = draw_code(f"{self._server.root_url}join/{config_id}")
        return Response(code, mimetype="image/png")

    def _answer_api(self, request: HttpRequest, path: str) -> Response:
        gate = self._server.gate
        is_archive = f"/{path}".startswith(ARCHIVE_PREFIX)
        if not gate.knows(path) or is_archive != request.path.startswith(ARCHIVE_PREFIX):
            return _json_response({"errcode": 404, "errmsg": f"invalid url: {path}"}, 404)
        # The body is read as bytes whatever its Content-Type says, for clients that send none.
        asked = Request(
            method=request.method,
            path=path,
            query=request.args.to_dict(),
            body=request.get_data(cache=False, parse_form_data=False),
            ip=request.remote_addr or "127.0.0.1",
        )
        try:
            return _json_response(gate.answer(asked), 200)
        except ServerBroken:
            return Response("<html>Internal Server Error</html>", 500, mimetype="text/html")


def _json_response(answer: Any, status: int) -> Response:
    body = json.dumps(answer, ensure_ascii=False).encode()
    return Response(body, status, content_type="application/json; charset=UTF-8")
