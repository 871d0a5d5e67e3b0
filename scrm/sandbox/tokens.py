"""Access tokens: several may be valid at a time, each until its own hour and for one audience."""

import hmac

from scrm.sandbox.dice import draw_text, make_dice
from scrm.sandbox.errors import Refused
from scrm.sandbox.world import World

APP = "app"
ARCHIVE = "archive"
CONTACT_SYNC = "contact_sync"


class TokenDesk:
    """Issues and checks the tokens of every secret; guarded by the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = make_dice("tokens", world.seed)
        self._expiries: dict[str, float] = {}
        self._audiences: dict[str, str] = {}
        self._newest: dict[str, str] = {}

    def issue(self, corp_id: str, secret: str) -> tuple[str, int]:
        """Return the running token, or a new one near its end, with the seconds it has left."""
        if corp_id != self._world.credentials.corp_id:
            raise Refused(40013)
        audience = self._find_audience(secret)
        now, options = self._world.clock.now(), self._world.options
        token = self._newest.get(audience, "")
        remaining = self._expiries.get(token, 0) - now
        if remaining <= options.token_overlap_seconds:
            token = draw_text(self._dice, 64)
            remaining = options.token_seconds
            self._newest[audience], self._audiences[token] = token, audience
            self._expiries[token] = now + remaining
        return token, int(remaining)

    def check(self, token: str) -> None:
        """Refuse a token that is unknown or over."""
        if not token:
            raise Refused(41001)
        expires_at = self._expiries.get(token)
        if expires_at is None:
            raise Refused(40014)
        if expires_at <= self._world.clock.now():
            raise Refused(42001)

    def check_audience(self, token: str, audience: str) -> None:
        """Refuse a token that is meant for another audience ("" = for any)."""
        if audience not in {"", self._audiences[token]}:
            raise Refused(48002)

    def expire_all(self) -> None:
        self._expiries = dict.fromkeys(self._expiries, 0.0)

    def void_all(self) -> None:
        """Forget every token, so that the platform answers 40014."""
        self._expiries.clear()

    def _find_audience(self, secret: str) -> str:
        credentials = self._world.credentials
        for audience, right in (
            (APP, credentials.secret),
            (ARCHIVE, credentials.archive_secret),
            (CONTACT_SYNC, credentials.contact_sync_secret),
        ):
            if hmac.compare_digest(secret.encode(), right.encode()):
                return audience
        raise Refused(40001)
