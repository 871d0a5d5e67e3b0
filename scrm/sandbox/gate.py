"""The platform's front door: tokens, rates, parameters, and the form of every answer."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.door import Door
from scrm.sandbox.endpoints import ENDPOINTS, Endpoint
from scrm.sandbox.errors import Refused, hint
from scrm.sandbox.faults import ConnectionCut, Faults, ServerBroken
from scrm.sandbox.files import Download, read_files
from scrm.sandbox.garbling import garble
from scrm.sandbox.rates import RateMeter
from scrm.sandbox.tokens import TokenDesk
from scrm.sandbox.traffic import Traffic
from scrm.sandbox.world import World

WRONG_JSON = ". Warning: wrong json format. "
WRONG_SECRET = 40001
# What counts as the JSON answer of a call that answers a file.
GOOD: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}

# path → whether a call is not counted against the limits
UNCOUNTED: dict[str, Callable[[World, Mapping[str, Any]], bool]] = {
    "auth/getuserinfo": lambda world, query: world.oauth.is_good(str(query.get("code", ""))),
}


@dataclass(frozen=True)
class Request:
    """What the platform looks at in an HTTP request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    ip: str
    content_type: str = ""
    byte_range: str = ""


class Gate:
    """Answers requests for the platform's endpoints."""

    def __init__(self, world: World, tokens: TokenDesk, faults: Faults) -> None:
        self._world = world
        self._tokens = tokens
        self._faults = faults
        self._rates = RateMeter(world)
        self._door = Door(world)
        self._traffic = Traffic(world.options)

    def knows(self, path: str) -> bool:
        return path in ENDPOINTS

    def answer(self, request: Request) -> dict[str, Any] | Download:
        """Act on a request and return the answer, JSON or a file; faults ordered for the path strike."""
        endpoint = ENDPOINTS[request.path]
        longest = self._world.options.body_bytes
        parameters, is_wrong_json = _read_parameters(endpoint, request, longest)
        with self._traffic.enter(endpoint.path, parameters) as clash:
            self._strike_before(request.path)
            time.sleep(self._world.options.work_seconds)
            remark = WRONG_JSON if is_wrong_json else ""
            answer = self._answer(endpoint, request, parameters, clash=clash, remark=remark)
        told = GOOD if isinstance(answer, Download) else answer
        self._world.ledger.count_call(request.path, told["errcode"])
        self._strike_after(request.path, told)
        return answer

    def _strike_before(self, path: str) -> None:
        seconds = self._faults.take("delay", path)
        if seconds is not None:
            time.sleep(float(seconds))
        if self._faults.take("drop_request", path) is not None:
            raise ConnectionCut
        if self._faults.take("reset_connection", path) is not None:
            raise ConnectionCut(reset=True)
        status = self._faults.take("http_500", path)
        if status is not None:
            raise ServerBroken(int(status))

    def _strike_after(self, path: str, answer: dict[str, Any]) -> None:
        if self._faults.take("lose_answer", path) is not None:
            raise ConnectionCut
        form = self._faults.take("garble", path)
        if form is not None:
            raise garble(answer, str(form))

    def _answer(
        self,
        endpoint: Endpoint,
        request: Request,
        parameters: dict[str, Any],
        *,
        clash: int,
        remark: str,
    ) -> dict[str, Any] | Download:
        try:
            with self._world.lock:
                self._check_entry(endpoint, request, parameters, clash)
                call = Call(self._world, self._tokens, endpoint.path, parameters)
                call.byte_range = request.byte_range
                if endpoint.takes_file:
                    call.files = read_files(request.content_type, request.body)
                answer = endpoint.handler(call)
        except Refused as refusal:
            if refusal.errcode == WRONG_SECRET:
                with self._world.lock:
                    self._door.note_wrong_secret(request.ip)
            suffix = hint(refusal.errcode, at=self._world.now(), ip=request.ip)
            return {"errcode": refusal.errcode, "errmsg": f"{refusal}{remark}{suffix}"}
        if isinstance(answer, Download):
            return answer
        return {"errcode": 0, "errmsg": f"ok{remark}"} | answer

    def _check_entry(
        self, endpoint: Endpoint, request: Request, parameters: dict[str, Any], clash: int
    ) -> None:
        self._door.check_blocked(request.ip)
        self._door.check_open()
        if endpoint.needs_token:
            self._check_token(endpoint.path, request.query.get("access_token", ""))
        self._door.check_trusted(endpoint.path, endpoint.audience, request.ip)
        if endpoint.needs_token:
            self._tokens.check_audience(request.query["access_token"], endpoint.audience)
        self._door.check_granted(endpoint.path)
        self._door.check_debugging(request.query)
        judge = UNCOUNTED.get(endpoint.path)
        is_uncounted = judge is not None and judge(self._world, parameters)
        if not is_uncounted and not self._rates.admits(endpoint.path, request.ip):
            raise Refused(45009)
        if clash:
            raise Refused(clash)
        if not endpoint.takes_file and len(request.body) > self._world.options.body_bytes:
            raise Refused(40206)
        errcode = self._faults.take("fail", endpoint.path)
        if errcode is not None:
            raise Refused(int(errcode))

    def _check_token(self, path: str, token: str) -> None:
        self._tokens.check(token)
        if self._faults.take("reject_tokens", path) is not None:
            raise Refused(40014)


def _read_parameters(
    endpoint: Endpoint, request: Request, longest: int
) -> tuple[dict[str, Any], bool]:
    """Return the parameters and whether the body was no JSON object.

    A POST endpoint called with GET simply finds no parameters, as on the platform; one that takes
    a file has its parameters in the query. A body that is too long is not read.
    """
    if endpoint.method == "GET" or endpoint.takes_file:
        return dict(request.query), False
    if not request.body or len(request.body) > longest:
        return {}, False
    try:
        body = _parse(request.body)
    except (ValueError, RecursionError):
        # Too deeply nested is as unreadable as malformed.
        return {}, True
    return (body, False) if isinstance(body, dict) else ({}, True)


def _parse(text: bytes) -> Any:
    """Read JSON; half a character, which JSON can spell and no answer could repeat, becomes "?"."""
    body = json.loads(text)
    if b"\\ud" not in text.lower():
        return body
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
