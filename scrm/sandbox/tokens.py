"""Access tokens: several may be valid at a time, each until its own hour."""

import hmac

from scrm.sandbox.dice import draw_text, make_dice
from scrm.sandbox.errors import Refused
from scrm.sandbox.world import World


class TokenDesk:
    """Issues and checks the tokens of the one app; guarded by the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = make_dice("tokens", world.seed)
        self._expiries: dict[str, float] = {}
        self._newest = ""

    def issue(self, corp_id: str, secret: str) -> tuple[str, int]:
        """Return the running token, or a new one near its end, with the seconds it has left."""
        credentials = self._world.credentials
        if corp_id != credentials.corp_id:
            raise Refused(40013)
        if not hmac.compare_digest(secret.encode(), credentials.secret.encode()):
            raise Refused(40001)
        now, options = self._world.clock.now(), self._world.options
        remaining = self._expiries.get(self._newest, 0) - now
        if remaining <= options.token_overlap_seconds:
            self._newest = draw_text(self._dice, 64)
            remaining = options.token_seconds
            self._expiries[self._newest] = now + remaining
        return self._newest, int(remaining)

    def check(self, token: str) -> None:
        if not token:
            raise Refused(41001)
        expires_at = self._expiries.get(token)
        if expires_at is None:
            raise Refused(40014)
        if expires_at <= self._world.clock.now():
            raise Refused(42001)

    def expire_all(self) -> None:
        self._expiries = dict.fromkeys(self._expiries, 0.0)

    def void_all(self) -> None:
        """Forget every token, so that the platform answers 40014."""
        self._expiries.clear()
