"""The table of endpoints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from scrm.sandbox.call import Call
from scrm.sandbox.files import Download
from scrm.sandbox.tokens import APP

Answer = dict[str, Any]
Handler = Callable[[Call], Answer | Download]
HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    handler: Handler
    needs_token: bool = True
    # Whose token opens it: the app's, the archive's, that of contact sync, or ("") any.
    audience: str = APP
    # Whether the body is multipart with a file; parameters are in the query then.
    takes_file: bool = False


ENDPOINTS: dict[str, Endpoint] = {}


def endpoint(
    method: str,
    path: str,
    *,
    needs_token: bool = True,
    audience: str = APP,
    takes_file: bool = False,
) -> Callable[[HandlerT], HandlerT]:
    """Register a handler; it answers the documented fields besides errcode and errmsg."""

    def register(handler: HandlerT) -> HandlerT:
        ENDPOINTS[path] = Endpoint(method, path, handler, needs_token, audience, takes_file)
        return handler

    return register
