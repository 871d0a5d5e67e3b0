"""What staff are told through the app."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StaffText:
    """At most 2 048 bytes (the platform would cut the rest off unseen); may have `<a>`."""

    content: str


@dataclass(frozen=True)
class StaffMarkdown:
    """At most 2 048 bytes; shown inside WeCom only, not in WeChat."""

    content: str


@dataclass(frozen=True)
class StaffCard:
    """A card that opens an address: at most 128, 512 and 4 characters."""

    title: str
    description: str
    url: str
    button: str = ""


@dataclass(frozen=True)
class CardButton:
    """`key` comes back with the press; `style` 1 to 4 is the colour."""

    key: str
    text: str
    style: int = 1


@dataclass(frozen=True)
class StaffButtonCard:
    """A card with one to six buttons, of which one can be pressed once.

    `task_id` (1–128 of `0-9A-Za-z_-@`) is used once in the life of the app and comes back with
    the press. `facts` are at most six lines of a name and a value.
    """

    task_id: str
    title: str
    description: str
    buttons: tuple[CardButton, ...]
    facts: tuple[tuple[str, str], ...] = ()
    url: str = ""


StaffMessage = StaffText | StaffMarkdown | StaffCard | StaffButtonCard


@dataclass(frozen=True)
class SentStaffMessage:
    """`card_code` changes a card with buttons once, within 72 hours."""

    msgid: str
    unreached: tuple[str, ...]
    card_code: str = ""


class StaffMessages(Protocol):
    def send(self, userids: Sequence[str], message: StaffMessage) -> SentStaffMessage:
        """Tell at most 1 000 staff something [doc 90236].

        The same to the same people is shown once within half an hour. A member reads at most
        30 a minute; what is more is dropped unseen.
        """

    def update_card(self, userids: Sequence[str], card_code: str, *, button: str) -> Sequence[str]:
        """Have the buttons replaced by one grey word; returns the userids it did not reach."""

    def recall(self, msgid: str) -> None:
        """Take a message back within 24 hours (42052)."""
