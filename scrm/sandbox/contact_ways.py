"""Codes through which customers add members, and the temporary chats some of them open."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scrm.sandbox.sending import Content

SINGLE, SEVERAL = 1, 2
DAY = 24 * 3600


@dataclass(slots=True)
class ContactWay:
    config_id: str
    kind: int
    scene: int
    created_at: float
    number: int
    is_temp: bool = False
    style: int = 1
    remark: str = ""
    skip_verify: bool = True
    state: str = ""
    userids: list[str] = field(default_factory=list)
    departments: list[int] = field(default_factory=list)
    is_exclusive: bool = False
    mark_source: bool = False
    expires_in: int = 7 * DAY
    chat_expires_in: int = DAY
    # Who alone may chat; "" is anybody.
    unionid: str = ""
    conclusion: "Content | None" = None
    # How many customers were led to each member, and to whom each customer was led last.
    led_to: Counter[str] = field(default_factory=Counter)
    last_led: dict[str, str] = field(default_factory=dict)

    def has_expired(self, at: float) -> bool:
        return self.is_temp and at >= self.created_at + self.expires_in

    def lead(self, external_userid: str, userid: str) -> None:
        self.led_to[userid] += 1
        self.last_led[external_userid] = userid


@dataclass(slots=True)
class TempChat:
    """A chat without friendship, which ends by itself."""

    userid: str
    external_userid: str
    config_id: str
    opened_at: float
    until: float
    closed_at: float | None = None


class ContactWayBook:
    """Every code that was not deleted, and every temporary chat there ever was."""

    def __init__(self) -> None:
        self.ways: dict[str, ContactWay] = {}
        self.temp_chats: list[TempChat] = []
        self.temp_made_at: list[float] = []

    def find_temp_chat(self, userid: str, external_userid: str) -> TempChat | None:
        """Return the open temporary chat of two, if there is one."""
        return next(
            (
                chat
                for chat in reversed(self.temp_chats)
                if chat.closed_at is None
                and (chat.userid, chat.external_userid) == (userid, external_userid)
            ),
            None,
        )

    def count_temp_since(self, moment: float) -> int:
        return sum(1 for made_at in self.temp_made_at if made_at >= moment)
