"""Whose calls are heard at all: addresses that are trusted, blocked, or debug too much."""

from collections.abc import Mapping

from scrm.sandbox.errors import Refused
from scrm.sandbox.rates import LIBRARY_PREFIX, MINUTE, Meter
from scrm.sandbox.tokens import ARCHIVE
from scrm.sandbox.world import World


class Door:
    """Judges the address of a request; guarded by the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._meter = Meter(world.clock)
        self._wrong_secrets: dict[str, list[float]] = {}
        self._blocked_until: dict[str, float] = {}

    def check_blocked(self, ip: str) -> None:
        """Refuse an address that tried wrong secrets too often."""
        seconds = self._world.options.wrong_secret_block_seconds
        remaining = self._blocked_until.get(ip, 0) - self._world.clock.now()
        if 0 < remaining <= seconds:
            raise Refused(45009, f"{ip} is blocked after wrong secrets")

    def check_open(self) -> None:
        """Refuse everybody while the app is disabled, or the corp banned."""
        if self._world.options.closed_errcode:
            raise Refused(self._world.options.closed_errcode)

    def check_granted(self, path: str) -> None:
        """Refuse an endpoint that the app was not granted in the console."""
        if path.startswith(tuple(self._world.options.withheld_paths)):
            raise Refused(48002, path)

    def check_trusted(self, path: str, audience: str, ip: str) -> None:
        """Refuse an address that is not on the app's list (or the archive's); no list trusts all."""
        options = self._world.options
        if audience == ARCHIVE or path.startswith(LIBRARY_PREFIX):
            trusted, errcode = options.archive_trusted_ips, 301042
        else:
            trusted, errcode = options.trusted_ips, 60020
        if trusted and ip not in trusted:
            raise Refused(errcode, ip)

    def check_debugging(self, query: Mapping[str, str]) -> None:
        """Refuse whoever asks for the debug mode too often."""
        times = self._world.options.debug_calls_per_minute
        if query.get("debug") == "1" and not self._meter.admits("debug", times, MINUTE):
            raise Refused(45009, "debug")

    def note_wrong_secret(self, ip: str) -> None:
        """Remember a wrong secret; so many in an hour close the door for a while."""
        now, options = self._world.clock.now(), self._world.options
        seconds = options.wrong_secret_block_seconds
        recent = [at for at in self._wrong_secrets.get(ip, ()) if 0 <= now - at < seconds]
        self._wrong_secrets[ip] = [*recent, now]
        if len(recent) + 1 >= options.wrong_secrets_before_block:
            self._wrong_secrets[ip] = []
            self._blocked_until[ip] = now + seconds
            self._world.ledger.append("door.blocked", ip=ip, seconds=seconds)
