"""The WSGI application: the platform under /cgi-bin/ and /archive/, controls under /sandbox/, a page at /."""

import json
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request as HttpRequest
from werkzeug.wrappers import Response

from scrm.sandbox.control import Control
from scrm.sandbox.faults import ServerBroken
from scrm.sandbox.files import Download
from scrm.sandbox.formats import name_picture
from scrm.sandbox.garbling import Garbled
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
CONTACT_PREFIX = "/contact/"
LINK_PREFIX = "/ca/"
PICTURES_PREFIX = "/pictures/"
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
        if path == "/":
            return Response(render_page(self._server), mimetype="text/html")
        return self._show(request, path)

    def _show(self, request: HttpRequest, path: str) -> Response:
        """Answer what people look at: codes, links, pictures."""
        world = self._server.world
        if path.startswith(JOIN_PREFIX):
            return self._draw_code(path, JOIN_PREFIX, world.join_ways)
        if path.startswith(CONTACT_PREFIX):
            return self._draw_code(path, CONTACT_PREFIX, world.contact_ways.ways)
        if path.startswith(LINK_PREFIX):
            return self._show_link(path.removeprefix(LINK_PREFIX))
        if path.startswith(PICTURES_PREFIX):
            return self._show_picture(request, path.removeprefix(PICTURES_PREFIX))
        return _json_response({"error": "not found"}, 404)

    def _draw_code(self, path: str, prefix: str, ways: Container[str]) -> Response:
        config_id = path.removeprefix(prefix).removesuffix(".png")
        if config_id not in ways:
            return _json_response({"error": "not found"}, 404)
        code = draw_code(f"{self._server.root_url.rstrip('/')}{prefix}{config_id}")
        return Response(code, mimetype="image/png")

    def _show_link(self, link_id: str) -> Response:
        link = self._server.world.acquisition.links.get(link_id)
        if link is None:
            return _json_response({"error": "not found"}, 404)
        return Response(f"{link.name}\n", mimetype="text/plain")

    def _show_picture(self, request: HttpRequest, name: str) -> Response:
        picture = self._server.world.media.pictures.get(name)
        if picture is None:
            return _json_response({"error": "not found"}, 404)
        response = Response(picture.content, mimetype=f"image/{name_picture(picture.content)}")
        return response.make_conditional(
            request, accept_ranges=True, complete_length=len(picture.content)
        )

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
            content_type=request.content_type or "",
            byte_range=request.headers.get("Range", ""),
        )
        try:
            answer = gate.answer(asked)
            if isinstance(answer, Download):
                return _file_response(answer)
            return _json_response(answer, 200)
        except ServerBroken as broken:
            page = "<html>Internal Server Error</html>"
            return Response(page, broken.status, mimetype="text/html")
        except Garbled as garbled:
            return Response(garbled.body, content_type=garbled.mimetype)


def _file_response(file: Download) -> Response:
    response = Response(file.content, 206 if file.content_range else 200, mimetype=file.mimetype)
    response.headers["Content-Disposition"] = file.disposition
    if file.content_range:
        response.headers["Content-Range"] = file.content_range
    return response


def _json_response(answer: Any, status: int) -> Response:
    body = json.dumps(answer, ensure_ascii=False).encode()
    return Response(body, status, content_type="application/json; charset=UTF-8")
