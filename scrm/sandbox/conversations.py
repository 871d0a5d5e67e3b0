"""Who wrote to whom and when, who left which group, and the names groups have elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """One message between a member and a customer."""

    at: float
    userid: str
    external_userid: str
    by_customer: bool


@dataclass(frozen=True, slots=True)
class SaidInGroup:
    at: float
    chat_id: str
    sender: str


@dataclass(frozen=True, slots=True)
class Departure:
    """One stay in a group that is over."""

    chat_id: str
    member_id: str
    joined_at: float
    left_at: float


class Conversations:
    """All that was said since the world was made; what was said before nobody wrote down."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.said_in_groups: list[SaidInGroup] = []
        self.departures: list[Departure] = []
        # Names that mini-programs know groups by → chat_id
        self.opengids: dict[str, str] = {}
        self._last: dict[tuple[str, str], float] = {}

    def note(self, said: Said) -> None:
        self.said.append(said)
        self._last[said.userid, said.external_userid] = said.at

    def have_talked(self, userid: str, external_userid: str, *, since: float) -> bool:
        return self._last.get((userid, external_userid), float("-inf")) >= since
