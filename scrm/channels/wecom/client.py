"""wechatpy's client with its faults mended: addresses, time limits, tokens, replays, errors."""

import ipaddress
import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from requests import exceptions as http_errors
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from scrm.channels.errors import (
    AnswerLost,
    ChannelError,
    Misconfigured,
    RetryLater,
    Unreachable,
)
from scrm.channels.metering import admitted
from scrm.channels.wecom.errcodes import TOKEN_REFUSED, error_of
from scrm.channels.wecom.parsing import text
from scrm.channels.wecom.tokens import Grant, OwnTokens, SharedTokens, TokenStore
from scrm.tenancy.models import Corp

MAX_PICTURE_BYTES = 1_000_000
# More must be asked for in parts (830002), and is only what `upload_by_url` brought there.
MAX_FILE_BYTES = 20 * 1024 * 1024
_NEVER_CONNECTED = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
# What a call can end with besides an answer; numbers like 1e400 and endless nesting among them.
_UNREADABLE = (
    WeChatClientException,
    requests.RequestException,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
)
_BAD_ADDRESS = (
    http_errors.MissingSchema,
    http_errors.InvalidSchema,
    http_errors.InvalidURL,
    http_errors.InvalidHeader,
)


def client_of(corp: Corp, secret: str) -> "WeComClient":
    """The process's client for one secret of the corp, as its settings are now."""
    if not corp.pk:
        return WeComClient(corp, secret, tokens=OwnTokens())
    return _kept_client(corp.pk, corp.corp_id, corp.base_url, secret)


@lru_cache(maxsize=256)
def _kept_client(pk: int, corp_id: str, base_url: str, secret: str) -> "WeComClient":
    # Changed settings are another key: their client is made anew, the old one falls out.
    corp = Corp(pk=pk, corp_id=corp_id, base_url=base_url)
    return WeComClient(corp, secret, tokens=SharedTokens(corp, secret))


class WeComClient(WeChatClient):  # type: ignore[misc]
    """Calls the platform with one secret; raises `ChannelError`, never anything of `requests`.

    May be used by many threads: the token is shared, the HTTP session is each thread's own.
    """

    def __init__(self, corp: Corp, secret: str, *, tokens: TokenStore) -> None:
        self.API_BASE_URL = corp.base_url
        self._corp_pk = corp.pk
        self._tokens = tokens
        self._local = threading.local()
        super().__init__(corp.corp_id, secret, auto_retry=False)

    @property
    def access_token(self) -> str:
        return self._tokens.current() or self._tokens.renew(self._grant)

    def check_credentials(self) -> None:
        """Prove the secret by fetching a token, whether or not one is at hand."""
        self._tokens.check(self._grant)

    def fetch_picture(self, url: str) -> tuple[str, bytes]:
        """Get a picture the platform made; asked without a token, for its address is public."""
        try:
            answer = self._http.get(
                url, timeout=settings.CHANNEL_TIMEOUTS, allow_redirects=False, stream=True
            )
            with answer:
                content = answer.raw.read(MAX_PICTURE_BYTES + 1, decode_content=True)
        except (requests.RequestException, ValueError, HTTPError) as error:
            raise Unreachable(_("The picture could not be fetched.")) from error
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        is_picture = kind.startswith("image/") and 0 < len(content) <= MAX_PICTURE_BYTES
        if answer.status_code != requests.codes.ok or not is_picture:
            raise RetryLater(_("The platform's address of the picture does not give one."))
        return kind, content

    def fetch_file(self, path: str, params: dict[str, Any]) -> tuple[str, str, bytes]:
        """Get a file that the platform keeps: its name, its media type, its content."""
        file: tuple[str, str, bytes] = self._request("get", path, params=params, is_file=True)
        return file

    def post_openly(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a call that carries its credentials in its body instead of a token."""
        # A list of pairs, because wechatpy adds a token to a dict of parameters.
        with self._admitted(urlsplit(address).path.strip("/")):
            answer: dict[str, Any] = self._exchange("post", address, params=[], data=body)
            return answer

    def fetch_access_token(self) -> dict[str, Any]:
        # Not counted: the token's row lets one process at a time ask, a few times in two hours.
        # A list of pairs, because wechatpy adds a token to a dict of parameters.
        who = [("corpid", self.corp_id), ("corpsecret", self.secret)]
        answer: dict[str, Any] = self._exchange("get", "gettoken", params=who)
        return answer

    def _grant(self) -> Grant:
        try:
            answer = self.fetch_access_token()
        except AnswerLost as error:
            # The call that needs the token was not made: nothing can have happened.
            raise Unreachable(error.detail) from None
        token, seconds = answer.get("access_token"), answer.get("expires_in", 7200)
        if not isinstance(token, str) or not token or not str(seconds).isdecimal():
            raise Misconfigured(_not_the_platform(self.API_BASE_URL, "200"))
        return Grant(token, int(seconds))

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> Any:
        """Make one call, replayed once with a new token when the platform refuses the old one."""
        started = time.monotonic()
        token = self.access_token
        try:
            return self._send(method, url_or_endpoint, token, started=started, **kwargs)
        except ChannelError as error:
            if error.errcode not in TOKEN_REFUSED:
                raise
        token = self._tokens.renew(self._grant, refused=token)
        try:
            return self._send(method, url_or_endpoint, token, started=started, **kwargs)
        except ChannelError as error:
            if error.errcode not in TOKEN_REFUSED:
                raise
            raise self._tokens.distrust(token) from None

    def _send(self, method: str, path: str, token: str, *, started: float, **kwargs: Any) -> Any:
        # A request that leaves late could land after its operation's lease, when the platform
        # has been asked already whether it did.
        patience = settings.OUTBOX_LEASE.total_seconds() - sum(settings.CHANNEL_TIMEOUTS)
        if time.monotonic() - started > patience:
            raise RetryLater(_("Fetching a token took too long."))
        params = {**kwargs.pop("params", {}), "access_token": token}
        with self._admitted(path, kwargs.get("data")):
            return self._exchange(method, path, params=params, **kwargs)

    def _admitted(self, path: str, body: Any = None) -> AbstractContextManager[None]:
        """Within the limits all processes share; raises HeldBack before anything has left.

        A corp that is not kept yet, whose settings are tried out, makes a call or two.
        """
        given = body if isinstance(body, dict) else None
        return admitted(self._corp_pk, path, given) if self._corp_pk else nullcontext()

    def _exchange(self, method: str, path: str, **kwargs: Any) -> Any:
        if kwargs.pop("is_file", False):
            return self._receive(path, kwargs["params"])
        kwargs |= {"timeout": settings.CHANNEL_TIMEOUTS, "allow_redirects": False}
        try:
            answer = super()._request(method, path, **kwargs)
        except _UNREADABLE as error:
            # `from None`: the exceptions of `requests` quote the address with secret and token.
            raise self._error_of(error, path) from None
        if isinstance(answer, dict):
            return answer
        raise self._error_of_status(getattr(answer, "status_code", 0))

    def _receive(self, path: str, params: dict[str, Any]) -> tuple[str, str, bytes]:
        """A file comes as bytes with a name; anything else is an answer like others [doc 90254]."""
        try:
            answer = self._http.get(
                self.API_BASE_URL + path,
                params=params,
                timeout=settings.CHANNEL_TIMEOUTS,
                allow_redirects=False,
                stream=True,
            )
            with answer:
                content = answer.raw.read(MAX_FILE_BYTES + 1, decode_content=True)
        except (*_UNREADABLE, HTTPError) as error:
            raise self._error_of(error, path) from None
        disposition = answer.headers.get("Content-Disposition", "")
        if answer.status_code != requests.codes.ok or not disposition:
            raise self._refusal_in(content, path, answer.status_code)
        return _whole(disposition, answer.headers.get("Content-Type", ""), content)

    def _refusal_in(self, content: bytes, path: str, status: int) -> ChannelError:
        """What came instead of a file."""
        try:
            said = json.loads(content)
            errcode, errmsg = int(said["errcode"]), said.get("errmsg")
        except (*_UNREADABLE, LookupError):
            return self._error_of_status(status)
        return error_of(errcode, text(errmsg), path) if errcode else self._error_of_status(status)

    def _error_of(self, error: Exception, path: str) -> ChannelError:
        if isinstance(error, WeChatClientException):
            if error.errcode is None:
                return self._error_of_status(error.response.status_code)
            return error_of(int(error.errcode), text(error.errmsg), path)
        if isinstance(error, _BAD_ADDRESS):
            return Misconfigured(unreachable_sentence(self.API_BASE_URL))
        if any(isinstance(cause, _NEVER_CONNECTED) for cause in _causes_of(error)):
            return Unreachable(unreachable_sentence(self.API_BASE_URL))
        if isinstance(error, requests.RequestException):
            sentence = _("%(address)s was asked, but its answer was lost.")
            return AnswerLost(sentence % {"address": self.API_BASE_URL})
        return AnswerLost(_not_the_platform(self.API_BASE_URL, "200"))

    def _error_of_status(self, status: int) -> ChannelError:
        detail = _not_the_platform(self.API_BASE_URL, str(status))
        if status == requests.codes.too_many_requests:
            return error_of(45009, f"HTTP {status}", "")
        if 300 <= status < 500:
            return Misconfigured(detail)
        return AnswerLost(detail)

    @property
    def _http(self) -> requests.Session:
        # A session shared with a forked parent would mix two processes' answers on one socket.
        if getattr(self._local, "pid", None) != os.getpid():
            self._local.pid = os.getpid()
            self._local.session = requests.Session()
            # A proxy of the environment is for the outer world.
            self._local.session.trust_env = not is_loopback(self.API_BASE_URL)
        session: requests.Session = self._local.session
        return session

    @_http.setter
    def _http(self, session: requests.Session) -> None:
        """wechatpy's constructor brings one session for all threads; it is not used."""


def _whole(disposition: str, media_type: str, content: bytes) -> tuple[str, str, bytes]:
    if len(content) > MAX_FILE_BYTES:
        raise ChannelError(_("The platform's file is larger than 20 MB."))
    header = Message()
    header["Content-Disposition"] = disposition
    params: list[tuple[str, Any]] = header.get_params([], "Content-Disposition")
    named = [value for key, value in params if key.lower() == "filename"]
    # A name that is not plain comes as `filename*` (RFC 6266), beside a mutilated plain one.
    whole = next((value for value in named if isinstance(value, tuple)), "")
    name = text(collapse_rfc2231_value(whole or (named[0] if named else "")))
    return name, media_type.partition(";")[0].strip(), content


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    cause: object = error
    while isinstance(cause, BaseException):
        yield cause
        wrapped = getattr(cause, "reason", None) or getattr(cause, "original_error", None)
        cause = wrapped or (cause.args[0] if cause.args else None)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unreachable_sentence(address: str) -> str:
    sentence = _("%(address)s cannot be reached: check the platform address (base URL) and this server's network.")  # fmt: skip
    return sentence % {"address": address}


def _not_the_platform(address: str, status: str) -> str:
    sentence = _("%(address)s does not answer as the platform does (HTTP %(status)s): check the platform address (base URL).")  # fmt: skip
    return sentence % {"address": address, "status": status}
