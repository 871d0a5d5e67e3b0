"""Rule groups of customer contact (规则组), and the tags that belong to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scrm.sandbox.records import RuleTag

# What every administrator of a rule group may do; nobody can take it from him.
BASIC = frozenset(
    {"view_customer_list", "view_customer_data", "view_room_list", "contact_me", "join_room"}
)
PRIVILEGES = (
    "view_customer_list",
    "view_customer_data",
    "view_room_list",
    "contact_me",
    "join_room",
    "share_customer",
    "oper_resign_customer",
    "oper_resign_group",
    "send_customer_msg",
    "edit_welcome_msg",
    "view_behavior_data",
    "view_room_data",
    "send_group_msg",
    "room_deduplication",
    "rapid_reply",
    "onjob_customer_transfer",
    "edit_anti_spam_rule",
    "export_customer_list",
    "export_customer_data",
    "export_customer_group_list",
    "manage_customer_tag",
)


class Node(NamedTuple):
    """A part of a range: a member (1) or a department (2)."""

    type: int
    id: str

    def as_dict(self) -> dict[str, Any]:
        if self.type == 1:
            return {"type": 1, "userid": self.id}
        return {"type": 2, "partyid": int(self.id)}


@dataclass(slots=True)
class Strategy:
    id: int
    parent_id: int
    name: str
    create_time: int
    admins: list[str]
    privileges: dict[str, bool]
    range: dict[Node, None]
    made_by_app: bool = True


@dataclass(slots=True)
class StrategyTag:
    id: str
    name: str
    group_id: str
    create_time: int
    order: int = 0
    is_deleted: bool = False


@dataclass(slots=True)
class StrategyTagGroup:
    id: str
    strategy_id: int
    name: str
    create_time: int
    order: int = 0
    made_by_app: bool = True
    is_deleted: bool = False
    tag_ids: list[str] = field(default_factory=list)


class StrategyBook:
    """All rule groups and their tags; living tags are also in the corp's book of rule tags."""

    def __init__(self, rule_tags: dict[str, RuleTag]) -> None:
        self._rule_tags = rule_tags
        self._last_id = 0
        self.strategies: dict[int, Strategy] = {}
        self.groups: dict[str, StrategyTagGroup] = {}
        self.tags: dict[str, StrategyTag] = {}

    def add(self, strategy: Strategy) -> Strategy:
        self.strategies[strategy.id] = strategy
        return strategy

    def next_id(self) -> int:
        """Return a number that no rule group ever had."""
        self._last_id += 1
        return self._last_id

    def level(self, strategy: Strategy) -> int:
        """Return how deep it lies; the first level is 1."""
        parent = self.strategies.get(strategy.parent_id)
        return 1 if parent is None else self.level(parent) + 1

    def children(self, strategy: Strategy) -> list[Strategy]:
        return [each for each in self.strategies.values() if each.parent_id == strategy.id]

    def delete(self, strategy: Strategy) -> None:
        """Delete a rule group with its tags."""
        del self.strategies[strategy.id]
        for group in self.living_groups(strategy.id):
            self.delete_group(group)

    def living_groups(self, strategy_id: int = 0) -> list[StrategyTagGroup]:
        """Return the tag groups of one rule group, or all."""
        return [
            group
            for group in self.groups.values()
            if not group.is_deleted and strategy_id in {0, group.strategy_id}
        ]

    def find_group(self, group_id: str) -> StrategyTagGroup | None:
        group = self.groups.get(group_id)
        return None if group is None or group.is_deleted else group

    def find_group_named(self, strategy_id: int, name: str) -> StrategyTagGroup | None:
        return next((g for g in self.living_groups(strategy_id) if g.name == name), None)

    def find_tag(self, tag_id: str) -> StrategyTag | None:
        tag = self.tags.get(tag_id)
        return None if tag is None or tag.is_deleted else tag

    def tags_in(self, group: StrategyTagGroup) -> list[StrategyTag]:
        return [t for t in (self.tags[i] for i in group.tag_ids) if not t.is_deleted]

    def has_name(self, group: StrategyTagGroup, name: str) -> bool:
        return any(tag.name == name for tag in self.tags_in(group))

    def add_tag(self, tag: StrategyTag) -> StrategyTag:
        self.tags[tag.id] = tag
        group = self.groups[tag.group_id]
        group.tag_ids.append(tag.id)
        self._rule_tags[tag.id] = RuleTag(tag.id, tag.name, group.name)
        return tag

    def rename_tag(self, tag: StrategyTag, name: str) -> None:
        tag.name = self._rule_tags[tag.id].name = name

    def rename_group(self, group: StrategyTagGroup, name: str) -> None:
        group.name = name
        for tag in self.tags_in(group):
            self._rule_tags[tag.id].group_name = name

    def delete_group(self, group: StrategyTagGroup) -> None:
        for tag in self.tags_in(group):
            self._forget(tag)
        group.is_deleted = True

    def delete_tag(self, tag: StrategyTag) -> None:
        """Delete a tag, and its group with the last one."""
        self._forget(tag)
        group = self.groups[tag.group_id]
        group.is_deleted = not self.tags_in(group)

    def _forget(self, tag: StrategyTag) -> None:
        tag.is_deleted = True
        del self._rule_tags[tag.id]


def choose_privileges(given: Mapping[str, bool], parent: Strategy | None) -> dict[str, bool]:
    """Return what administrators may do: all that is not refused and that the parent's may."""
    return {
        name: name in BASIC
        or (given.get(name, True) and (parent is None or parent.privileges[name]))
        for name in PRIVILEGES
    }


def as_range(nodes: Iterable[Node]) -> dict[Node, None]:
    return dict.fromkeys(nodes)
