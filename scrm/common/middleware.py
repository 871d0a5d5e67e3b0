"""Request ids, and which language is spoken."""

import re
import uuid
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import translation

GetResponse = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"^[\w.:-]{1,128}$", re.ASCII)


def request_id(get_response: GetResponse) -> GetResponse:
    """Echo the caller's `X-Request-Id`, or make one; errors carry it as `request_id`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        identifier = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        request.META["REQUEST_ID"] = identifier
        response = get_response(request)
        response["X-Request-Id"] = identifier
        return response

    return middleware


def straight(get_response: GetResponse) -> GetResponse:
    """Answer machines without what people need: session, language, log-in, forgery token.

    For addresses below `settings.STRAIGHT_PATHS`, whose views check by themselves who is asking;
    the middleware that follows would be a third of the time of a callback.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(settings.STRAIGHT_PATHS):
            with suppress(Resolver404):
                match = resolve(request.path_info)
                answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
                return answer
        return get_response(request)

    return middleware


def language(get_response: GetResponse) -> GetResponse:
    """Speak what the person chose in the admin, or what the API client asks for; else Chinese.

    Not Django's LocaleMiddleware: an operator's browser set to English must not turn the admin
    of a Chinese brand English before she has asked for it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        chosen = _language_of(request)
        with translation.override(chosen):
            request.LANGUAGE_CODE = chosen
            response = get_response(request)
            response.headers.setdefault("Content-Language", chosen)
            return response

    return middleware


def _language_of(request: HttpRequest) -> str:
    if request.path.startswith("/api/"):
        return translation.get_language_from_request(request)
    code = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return code if code in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
