"""Platform tokens: one per secret, shared by all processes through its row in the database."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db import transaction

from scrm.channels.errors import BackOff, ChannelError, Misconfigured, RetryLater, Unreachable
from scrm.channels.models import AccessToken
from scrm.channels.wecom.errcodes import MEANINGS, error_of
from scrm.tenancy.models import Corp

# Codes of gettoken that only a correction of the settings can end.
_WRONG_CREDENTIALS = frozenset({40001, 40013, 40091})
_WRONG_CREDENTIALS_FOR = timedelta(minutes=5)
# A trusted address, or an app that was enabled, takes effect within a minute.
_REFUSED_FOR = timedelta(minutes=1)
# So that everybody who waited for the lock does not wait for the same silence in turn.
_UNREACHABLE_FOR = timedelta(seconds=3)
# The time in which the one who tries a repeated token finds out that it is refused again.
_REPEATED_FOR = timedelta(seconds=5)
# Stands for all three codes that say "this token is no good".
_TOKEN_REFUSED = 40014
_CHANGING = ("token", "expires_at", "refused_until", "refusal", "refusal_errcode")


@dataclass(frozen=True)
class Grant:
    """A token as the platform hands it out."""

    token: str
    expires_in: int

    def usable_until(self, now: datetime) -> datetime:
        # The platform repeats a running token: near its end it would be fetched for every call
        # if a fixed margin were kept.
        return now + timedelta(seconds=max(self.expires_in - 60, self.expires_in / 2))


Fetch = Callable[[], Grant]


class TokenStore(Protocol):
    def current(self) -> str:
        """The token to use, or "" when one has to be fetched."""

    def renew(self, fetch: Fetch, *, refused: str = "") -> str:
        """A token other than `refused`; raises ChannelError."""

    def check(self, fetch: Fetch) -> None:
        """Fetch a token to prove the secret; raises ChannelError."""

    def distrust(self, token: str) -> ChannelError:
        """Give up a fresh token that the platform refused; returns the error to raise."""


class SharedTokens:
    """The token in the row of (corp, secret), fetched by one process for all."""

    def __init__(self, corp: Corp, secret: str) -> None:
        self._corp_pk = corp.pk
        identity = "\n".join([corp.base_url, corp.corp_id, secret])
        self._digest = hashlib.sha256(identity.encode()).hexdigest()

    def current(self) -> str:
        row = AccessToken.objects.filter(corp_id=self._corp_pk, secret_digest=self._digest).first()
        return row.token if row and _is_usable(row, _now()) else ""

    def renew(self, fetch: Fetch, *, refused: str = "") -> str:
        return self._fetch_once(fetch, is_wanted=lambda token: token != refused, refused=refused)

    def check(self, fetch: Fetch) -> None:
        self._fetch_once(fetch, is_wanted=lambda _: False)

    def distrust(self, token: str) -> ChannelError:
        error = _refused_although_fresh()
        with transaction.atomic(durable=True):
            row = self._locked_row()
            if row.token == token:
                row.token = ""
                _remember(row, error, now=_now())
                row.save(update_fields=_CHANGING)
        return error

    def _fetch_once(
        self, fetch: Fetch, *, is_wanted: Callable[[str], bool], refused: str = ""
    ) -> str:
        """Fetch a token under the row's lock; whoever waited for it takes what the first got.

        This is the one place that asks the network inside a transaction: the lock has to outlast
        the call, or N cold processes would make N calls, and the platform blocks an address that
        repeats a wrong secret. The call is bounded by CHANNEL_TIMEOUTS, and `durable` refuses to
        run inside a longer transaction, which would keep the lock until its own end.
        """
        ending: ChannelError | None = None
        with transaction.atomic(durable=True):
            row = self._locked_row()
            now = _now()
            if _is_usable(row, now) and is_wanted(row.token):
                return row.token
            if row.refused_until and row.refused_until > now:
                raise _remembered(row)
            try:
                grant = fetch()
            except ChannelError as error:
                # Raised after the commit, which has to keep the refusal.
                ending = error
                _remember(row, error, now=_now())
            else:
                row.token, row.expires_at = grant.token, grant.usable_until(_now())
                row.refused_until, row.refusal, row.refusal_errcode = None, "", None
                if refused and grant.token == refused:
                    # The platform repeats a running token. Whoever fetched it tries it once more;
                    # those who waited with the same refusal must not fetch it once each.
                    _remember(row, _refused_although_fresh(), now=_now())
                    row.refused_until = _now() + _REPEATED_FOR
            row.save(update_fields=_CHANGING)
        if ending:
            raise ending
        return row.token

    def _locked_row(self) -> AccessToken:
        key = {"corp_id": self._corp_pk, "secret_digest": self._digest}
        AccessToken.objects.bulk_create([AccessToken(**key)], ignore_conflicts=True)
        return AccessToken.objects.select_for_update().get(**key)


class OwnTokens:
    """The token of a corp that is not kept yet, while its settings are tried out."""

    def __init__(self) -> None:
        self._token = ""

    def current(self) -> str:
        return self._token

    def renew(self, fetch: Fetch, *, refused: str = "") -> str:
        self._token = fetch().token
        return self._token

    def check(self, fetch: Fetch) -> None:
        self.renew(fetch)

    def distrust(self, token: str) -> ChannelError:
        self._token = ""
        return _refused_although_fresh()


def _now() -> datetime:
    # Tokens live by the platform's clock, not by the time an action was started at.
    return datetime.now(tz=UTC)


def _is_usable(row: AccessToken, now: datetime) -> bool:
    return bool(row.token) and row.expires_at is not None and row.expires_at > now


def _remember(row: AccessToken, error: ChannelError, *, now: datetime) -> None:
    row.refusal, row.refusal_errcode = error.detail, error.errcode
    row.refused_until = now + _duration_of(error)


def _duration_of(error: ChannelError) -> timedelta:
    if error.errcode is None:
        return _UNREACHABLE_FOR
    if error.errcode in _WRONG_CREDENTIALS and isinstance(error, Misconfigured):
        return _WRONG_CREDENTIALS_FOR
    return error.delay if isinstance(error, RetryLater) else _REFUSED_FOR


def _remembered(row: AccessToken) -> ChannelError:
    if row.refusal_errcode is None:
        return Unreachable(row.refusal)
    if row.refusal_errcode == _TOKEN_REFUSED:
        return _refused_although_fresh()
    return error_of(row.refusal_errcode, "", "gettoken")


def _refused_although_fresh() -> ChannelError:
    sentence = MEANINGS[_TOKEN_REFUSED].sentence
    return BackOff(f"{sentence}", errcode=_TOKEN_REFUSED, delay=_REFUSED_FOR)
