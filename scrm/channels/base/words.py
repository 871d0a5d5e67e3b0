"""Words that the platform itself keeps staff from sending (敏感词) [doc 95097]."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol


class Meant(IntEnum):
    """What the platform recognises by its form."""

    PHONE_NUMBER = 1
    MAIL_ADDRESS = 2
    RED_PACKET = 3


@dataclass(frozen=True)
class InterceptRuleWish:
    """At most 300 words of at most 32 characters, for at most 1 000 staff and 1 000 departments.

    `name`, 1 to 20 characters, is used once. A rule that does not block warns.
    """

    name: str
    words: tuple[str, ...]
    userids: tuple[str, ...] = ()
    department_ids: tuple[int, ...] = ()
    meant: tuple[Meant, ...] = ()
    is_blocking: bool = True


@dataclass(frozen=True)
class InterceptRuleRecord:
    rule_id: str
    name: str
    words: tuple[str, ...]
    userids: tuple[str, ...]
    department_ids: tuple[int, ...]
    meant: tuple[int, ...]
    is_blocking: bool


@dataclass(frozen=True)
class InterceptRuleLine:
    rule_id: str
    name: str
    created_at: datetime


class Words(Protocol):
    def create(self, wish: InterceptRuleWish) -> str:
        """Return the rule's id; a corp has at most 100 rules (41069)."""

    def rules(self) -> Sequence[InterceptRuleLine]: ...
    def rule(self, rule_id: str) -> InterceptRuleRecord: ...
    def update(self, rule_id: str, wish: InterceptRuleWish) -> None:
        """Make the rule what is wished; asks first what it is, for a range is only added to."""

    def delete(self, rule_id: str) -> None: ...
