"""The table of endpoints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.tokens import APP

Answer = dict[str, Any]
Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    handler: Handler
    needs_token: bool = True
    # Whose token opens it: the app's, the archive's, or ("") any.
    audience: str = APP


ENDPOINTS: dict[str, Endpoint] = {}


def endpoint(
    method: str, path: str, *, needs_token: bool = True, audience: str = APP
) -> Callable[[Handler], Handler]:
    """Register a handler; it answers the documented fields besides errcode and errmsg."""

    def register(handler: Handler) -> Handler:
        ENDPOINTS[path] = Endpoint(method, path, handler, needs_token, audience)
        return handler

    return register
