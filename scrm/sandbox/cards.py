"""Template cards that the app sent: who sees what, and the codes that change a card once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scrm.sandbox.dice import draw_text, make_dice

if TYPE_CHECKING:
    from scrm.sandbox.world import World

# Kinds with something to press; the others only notify.
INTERACTIVE = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})


@dataclass(slots=True)
class Card:
    msgid: str
    content: dict[str, Any]
    receivers: tuple[str, ...]
    # userid → what replaced the card on his screen: a button's new name, or a whole card
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.content["card_type"])

    @property
    def task_id(self) -> str:
        return str(self.content.get("task_id", ""))


@dataclass(slots=True)
class ResponseCode:
    msgid: str
    at: float
    is_used: bool = False


class CardBook:
    """Cards by message, and response codes by their text; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = make_dice("cards", world.seed)
        self._codes: dict[str, ResponseCode] = {}
        self.cards: dict[str, Card] = {}

    def add(self, msgid: str, content: Mapping[str, Any], receivers: tuple[str, ...]) -> Card:
        card = self.cards[msgid] = Card(msgid, dict(content), receivers)
        return card

    def has_task(self, task_id: str) -> bool:
        return any(card.task_id == task_id for card in self.cards.values())

    def mint_code(self, card: Card) -> str:
        """Return a code that changes the card once."""
        text = draw_text(self._dice, 64)
        self._codes[text] = ResponseCode(card.msgid, self._world.clock.now())
        return text

    def redeem(self, text: str) -> Card | None:
        """Use a code up and return its card; None when it is unknown, used or too old."""
        code = self._codes.get(text)
        if code is None or code.is_used:
            return None
        if not 0 <= self._world.clock.now() - code.at < self._world.options.card_seconds:
            return None
        code.is_used = True
        return self.cards[code.msgid]
