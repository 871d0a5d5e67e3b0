"""The platform's front door: tokens, rates, parameters, and the form of every answer."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints import ENDPOINTS, Endpoint
from scrm.sandbox.errors import Refused, hint
from scrm.sandbox.faults import ConnectionCut, Faults, ServerBroken
from scrm.sandbox.rates import RateMeter
from scrm.sandbox.tokens import TokenDesk
from scrm.sandbox.world import World

WRONG_JSON = ". Warning: wrong json format. "


@dataclass(frozen=True)
class Request:
    """What the platform looks at in an HTTP request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    ip: str


class Gate:
    """Answers requests for the platform's endpoints."""

    def __init__(self, world: World, tokens: TokenDesk, faults: Faults) -> None:
        self._world = world
        self._tokens = tokens
        self._faults = faults
        self._rates = RateMeter(world)

    def knows(self, path: str) -> bool:
        return path in ENDPOINTS

    def answer(self, request: Request) -> dict[str, Any]:
        """Act on a request and return the JSON answer; faults ordered for the path strike."""
        self._strike_before(request.path)
        answer = self._answer(ENDPOINTS[request.path], request)
        self._world.ledger.count_call(request.path, answer["errcode"])
        if self._faults.take("lose_answer", request.path) is not None:
            raise ConnectionCut
        return answer

    def _strike_before(self, path: str) -> None:
        seconds = self._faults.take("delay", path)
        if seconds is not None:
            time.sleep(seconds)
        if self._faults.take("drop_request", path) is not None:
            raise ConnectionCut
        if self._faults.take("http_500", path) is not None:
            raise ServerBroken

    def _answer(self, endpoint: Endpoint, request: Request) -> dict[str, Any]:
        parameters, is_wrong_json = _read_parameters(endpoint, request)
        remark = WRONG_JSON if is_wrong_json else ""
        try:
            with self._world.lock:
                self._check_entry(endpoint, request)
                call = Call(self._world, self._tokens, endpoint.path, parameters)
                answer = endpoint.handler(call)
        except Refused as refusal:
            suffix = hint(refusal.errcode, at=self._world.now(), ip=request.ip)
            return {"errcode": refusal.errcode, "errmsg": f"{refusal}{remark}{suffix}"}
        return {"errcode": 0, "errmsg": f"ok{remark}"} | answer

    def _check_entry(self, endpoint: Endpoint, request: Request) -> None:
        if endpoint.needs_token:
            self._tokens.check(request.query.get("access_token", ""), endpoint.audience)
        if not self._rates.admits(endpoint.path):
            raise Refused(45009)
        errcode = self._faults.take("fail", endpoint.path)
        if errcode is not None:
            raise Refused(int(errcode))


def _read_parameters(endpoint: Endpoint, request: Request) -> tuple[dict[str, Any], bool]:
    """Return the parameters and whether the body was no JSON object.

    A POST endpoint called with GET simply finds no parameters, as on the platform.
    """
    if endpoint.method == "GET":
        return dict(request.query), False
    if not request.body:
        return {}, False
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}, True
    return (body, False) if isinstance(body, dict) else ({}, True)
