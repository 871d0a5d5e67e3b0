"""Rules about what members must not write to customers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from scrm.sandbox.records import Member

if TYPE_CHECKING:
    from scrm.sandbox.world import World


class InterceptType(IntEnum):
    STOP = 1
    WARN = 2


class Meaning(IntEnum):
    """What a message can contain besides words."""

    PHONE = 1
    MAIL = 2
    RED_PACKET = 3


RED_PACKETS = {"redpacket", "external_redpacket"}
PATTERNS = {
    Meaning.PHONE: re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"),
    Meaning.MAIL: re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
}


@dataclass(slots=True)
class InterceptRule:
    rule_id: str
    name: str
    words: list[str]
    meanings: list[Meaning]
    type: InterceptType
    userids: list[str]
    department_ids: list[int]
    create_time: int
    is_deleted: bool = False

    def match(self, kind: str, text: str) -> str:
        """Return what of the rule a message hits, or nothing."""
        lowered = text.lower()
        for word in self.words:
            if word.lower() in lowered:
                return word
        for meaning in self.meanings:
            pattern = PATTERNS.get(meaning)
            if kind in RED_PACKETS if pattern is None else pattern.search(text):
                return meaning.name.lower()
        return ""


@dataclass(frozen=True)
class Hit:
    rule: InterceptRule
    what: str


@dataclass
class Interception:
    """All rules, deleted ones included."""

    rules: dict[str, InterceptRule] = field(default_factory=dict)

    def living(self) -> list[InterceptRule]:
        return [rule for rule in self.rules.values() if not rule.is_deleted]

    def find_name(self, name: str) -> InterceptRule | None:
        return next((rule for rule in self.living() if rule.name == name), None)

    def hits(self, world: "World", member: Member, body: Mapping[str, Any]) -> list[Hit]:
        """Return the rules for a member that what he writes hits, those that stop it first."""
        kind = str(body["msgtype"])
        text = "\n".join(_texts(body.get(kind, {})))
        found = (
            Hit(rule, rule.match(kind, text))
            for rule in self.living()
            if applies(world, rule, member)
        )
        return sorted((hit for hit in found if hit.what), key=lambda hit: hit.rule.type)


def applies(world: "World", rule: InterceptRule, member: Member) -> bool:
    if member.userid in rule.userids:
        return True
    return any(
        department.id in member.departments
        for department_id in rule.department_ids
        if department_id in world.departments
        for department in world.department_tree(department_id)
    )


def count_members(world: "World", rule: InterceptRule) -> int:
    return sum(1 for member in world.present_members() if applies(world, rule, member))


def _texts(value: object) -> Iterator[str]:
    """Yield every text in the body of a message."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
