"""WeChat customer service (微信客服): accounts, sessions, what was said in them, and codes."""

import base64
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from scrm.sandbox.dice import draw_text, make_dice
from scrm.sandbox.rates import MINUTE, Meter

if TYPE_CHECKING:
    from scrm.sandbox.world import World

DAY = 24 * 3600
WELCOME_SECONDS = 20
QUEUE_SECONDS = 48 * 3600


class SessionState(IntEnum):
    UNTREATED = 0
    ASSISTANT = 1
    QUEUE = 2
    SERVICER = 3
    ENDED = 4


class Origin(IntEnum):
    """Who made a message; what the API sent is never read back."""

    API = 0
    CUSTOMER = 3
    SYSTEM = 4
    SERVICER = 5


@dataclass(slots=True)
class ServiceAccount:
    open_kfid: str
    name: str
    messages: list["ServiceMessage"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ServiceMessage:
    msgid: str
    at: float
    origin: Origin
    open_kfid: str
    external_userid: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Session:
    open_kfid: str
    external_userid: str
    state: SessionState = SessionState.UNTREATED
    servicer: str = ""
    written_at: float | None = None
    # What the API sent since the customer last wrote.
    answers: int = 0
    welcomed_at: float | None = None
    answered_at: float | None = None


@dataclass(slots=True)
class EventCode:
    """Lets the API say one thing about what happened; `state` is where that is still so."""

    session: Session
    at: float
    seconds: float
    kinds: tuple[str, ...]
    state: SessionState | None
    is_used: bool = False

    @property
    def is_welcome(self) -> bool:
        return self.state is None


class ServiceDesk:
    """Everything about customer service; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = make_dice("service", world.seed)
        self._meter = Meter(world.clock)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._sessions: dict[tuple[str, str], Session] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.codes: dict[str, EventCode] = {}
        self.messages: dict[str, ServiceMessage] = {}

    def open_account(self, name: str) -> ServiceAccount:
        account = ServiceAccount(f"wk{draw_text(self._dice, 30)}", name)
        self.accounts[account.open_kfid] = account
        return account

    def find_session(self, open_kfid: str, external_userid: str) -> Session | None:
        return self._sessions.get((open_kfid, external_userid))

    def open_session(self, open_kfid: str, external_userid: str) -> Session:
        """Return the running session of the two, or a new one; one that ended begins anew."""
        session = self._sessions.setdefault(
            (open_kfid, external_userid), Session(open_kfid, external_userid)
        )
        if session.state == SessionState.ENDED:
            session.state, session.servicer = SessionState.UNTREATED, ""
        return session

    def mint_msgid(self) -> str:
        return draw_text(self._dice, 32)

    def add(self, message: ServiceMessage) -> ServiceMessage:
        self.messages[message.msgid] = message
        self.accounts[message.open_kfid].messages.append(message)
        return message

    def mint_token(self, open_kfid: str) -> str:
        token = f"ENC{draw_text(self._dice, 45)}"
        self._tokens[token] = open_kfid, self._world.clock.now()
        return token

    def is_token_good(self, token: str, open_kfid: str) -> bool:
        owner, at = self._tokens.get(token, ("", 0.0))
        age = self._world.clock.now() - at
        return owner == open_kfid and 0 <= age < self._world.options.service_token_seconds

    def admits_without_token(self, open_kfid: str) -> bool:
        times = self._world.options.service_reads_without_token_per_minute
        return self._meter.admits(open_kfid, times, MINUTE)

    def is_kept(self, message: ServiceMessage) -> bool:
        age = self._world.clock.now() - message.at
        return age <= self._world.options.service_keep_days * DAY

    def is_in_window(self, session: Session) -> bool:
        """Whether the customer wrote lately enough to be answered."""
        if session.written_at is None:
            return False
        age = self._world.clock.now() - session.written_at
        return age < self._world.options.service_window_seconds

    def mint_welcome_code(self, session: Session) -> str:
        """Return a code for a customer who was neither greeted nor answered lately, or nothing."""
        now, window = self._world.clock.now(), self._world.options.service_window_seconds
        lately = [at for at in (session.welcomed_at, session.answered_at) if at is not None]
        if any(now - at < window for at in lately):
            return ""
        return self._mint_code(session, WELCOME_SECONDS, ("text", "msgmenu"), None)

    def mint_state_code(self, session: Session) -> str:
        """Return a code for the state that a session has come to; some states have none."""
        if session.state in {SessionState.QUEUE, SessionState.SERVICER}:
            return self._mint_code(session, QUEUE_SECONDS, ("text",), session.state)
        if session.state == SessionState.ENDED:
            kinds = ("text", "msgmenu")
            return self._mint_code(session, WELCOME_SECONDS, kinds, session.state)
        return ""

    def is_over(self, code: EventCode) -> bool:
        return not 0 <= self._world.clock.now() - code.at < code.seconds

    def _mint_code(
        self, session: Session, seconds: float, kinds: tuple[str, ...], state: SessionState | None
    ) -> str:
        text = draw_text(self._dice, 40)
        self.codes[text] = EventCode(session, self._world.clock.now(), seconds, kinds, state)
        return text


def make_service_cursor(open_kfid: str, place: int) -> str:
    """Return a cursor of at most 64 bytes that may be stored: it names a place in a list."""
    return base64.urlsafe_b64encode(f"{open_kfid[-8:]}.{place}".encode()).decode().rstrip("=")


def read_service_cursor(cursor: str, open_kfid: str) -> int | None:
    """Return the place; None when the cursor is not one of this account."""
    try:
        owner, _, place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).partition(
            b"."
        )
    except ValueError:
        return None
    return int(place) if owner == open_kfid[-8:].encode() and place.isdigit() else None
