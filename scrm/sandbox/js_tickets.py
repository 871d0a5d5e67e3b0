"""Tickets with which pages sign themselves for the client's JS-SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrm.sandbox.dice import draw_text, make_dice
from scrm.sandbox.rates import HOUR, Meter

if TYPE_CHECKING:
    from scrm.sandbox.world import World


@dataclass(frozen=True, slots=True)
class JsTicket:
    text: str
    expires_at: float


class TicketDesk:
    """One running ticket per kind, fetched so often an hour; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = make_dice("js_tickets", world.seed)
        self._meter = Meter(world.clock)
        self._running: dict[str, JsTicket] = {}

    def admits(self, kind: str) -> bool:
        """Count a fetch by the app and one by its corp."""
        options = self._world.options
        corp, app = options.tickets_per_hour_of_corp, options.tickets_per_hour
        return self._meter.admits((kind, "app"), app, HOUR) and self._meter.admits(
            (kind, "corp"), corp, HOUR
        )

    def issue(self, kind: str) -> tuple[str, int]:
        """Return the running ticket, or a new one near its end, with the seconds it has left."""
        now, options = self._world.clock.now(), self._world.options
        ticket = self._running.get(kind)
        if ticket is None or ticket.expires_at - now <= options.token_overlap_seconds:
            ticket = JsTicket(draw_text(self._dice, 86), now + options.ticket_seconds)
            self._running[kind] = ticket
        return ticket.text, int(ticket.expires_at - now)
