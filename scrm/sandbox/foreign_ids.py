"""Ids under which others know our customers: service providers, and who is not a customer yet."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrm.sandbox.dice import draw_id, draw_text, make_dice

if TYPE_CHECKING:
    from scrm.sandbox.world import World


@dataclass(frozen=True, slots=True)
class ProviderId:
    external_userid: str
    agent_id: int


class ForeignIds:
    """What each provider calls whom; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._by_text: dict[str, ProviderId] = {}
        self._pending: dict[str, str] = {}

    def share(self, external_userid: str, agent_id: int) -> str:
        """Let the app of a provider know a customer; return what it calls him, always the same."""
        dice = make_dice("provider", self._world.seed, agent_id, external_userid)
        text = draw_id(dice, external_userid[:2])
        self._by_text[text] = ProviderId(external_userid, agent_id)
        return text

    def find(self, text: str) -> ProviderId | None:
        return self._by_text.get(text)

    def pending_id(self, unionid: str) -> str:
        """Return what stands for somebody who is no customer yet; asked again, the same."""
        dice = make_dice("pending", self._world.seed, unionid)
        return self._pending.setdefault(unionid, f"p{draw_text(dice, 40)}")
