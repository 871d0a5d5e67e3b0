"""Greetings: codes that are good for one, and the texts that groups greet newcomers with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scrm.sandbox.sending import Content


@dataclass(slots=True)
class WelcomeCode:
    code: str
    userid: str
    external_userid: str
    issued_at: float
    # Until when another app is busy with the greeting, if one is.
    rival_until: float | None = None
    spent_at: float | None = None


class WelcomeDesk:
    """The codes that were told, and which of them greeted somebody."""

    def __init__(self) -> None:
        self._codes: dict[str, WelcomeCode] = {}
        self._by_pair: dict[tuple[str, str], list[WelcomeCode]] = {}

    def add(self, code: WelcomeCode) -> WelcomeCode:
        self._codes[code.code] = code
        self._by_pair.setdefault((code.userid, code.external_userid), []).append(code)
        return code

    def find(self, code: str) -> WelcomeCode | None:
        return self._codes.get(code)

    def spend(self, code: WelcomeCode, at: float) -> None:
        """Use a code up, and with it whatever else the two were given for the same greeting."""
        for other in self._by_pair[code.userid, code.external_userid]:
            if other.spent_at is None:
                other.spent_at = at

    def has_greeted(self, userid: str, external_userid: str, *, since: float) -> bool:
        given = self._by_pair.get((userid, external_userid), ())
        return any(code.spent_at is not None and code.spent_at >= since for code in given)


@dataclass(slots=True)
class GroupWelcome:
    """What a group may greet newcomers with; `in_console` ones no app may change."""

    template_id: str
    content: "Content"
    in_console: bool = False


class GroupWelcomeBook:
    """Every text that was not deleted, and which group greets with which."""

    def __init__(self) -> None:
        self.templates: dict[str, GroupWelcome] = {}
        self._of_chat: dict[str, str] = {}

    def attach(self, chat_id: str, template_id: str) -> None:
        """Let a group greet with a text, or ("") with none."""
        self._of_chat[chat_id] = template_id

    def of_chat(self, chat_id: str) -> GroupWelcome | None:
        return self.templates.get(self._of_chat.get(chat_id, ""))
