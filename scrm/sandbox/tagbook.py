"""Corp tags and their groups, as members and apps may change them."""

from collections.abc import Iterable, Iterator

from scrm.sandbox.records import CorpTag, CorpTagGroup, RuleTag


class TagBook:
    """All corp tags, deleted ones included, and the rule-group tags customers carry."""

    def __init__(self) -> None:
        self.groups: dict[str, CorpTagGroup] = {}
        self.tags: dict[str, CorpTag] = {}
        self.rule_tags: dict[str, RuleTag] = {}

    def add_group(self, group: CorpTagGroup) -> CorpTagGroup:
        self.groups[group.id] = group
        return group

    def add_tag(self, tag: CorpTag) -> CorpTag:
        self.tags[tag.id] = tag
        self.groups[tag.group_id].tag_ids.append(tag.id)
        return tag

    def find_group(self, group_id: str) -> CorpTagGroup | None:
        group = self.groups.get(group_id)
        return None if group is None or group.is_deleted else group

    def find_group_named(self, name: str) -> CorpTagGroup | None:
        return next((g for g in self.groups.values() if g.name == name and not g.is_deleted), None)

    def find_tag(self, tag_id: str) -> CorpTag | None:
        tag = self.tags.get(tag_id)
        return None if tag is None or tag.is_deleted else tag

    def tags_in(self, group: CorpTagGroup) -> list[CorpTag]:
        """Return the living tags of a group."""
        return [t for t in (self.tags[i] for i in group.tag_ids) if not t.is_deleted]

    def has_name(self, group: CorpTagGroup, name: str) -> bool:
        return any(tag.name == name for tag in self.tags_in(group))

    def living_groups(self) -> list[CorpTagGroup]:
        return [group for group in self.groups.values() if not group.is_deleted]

    def living_tags(self) -> Iterator[CorpTag]:
        return (tag for tag in self.tags.values() if not tag.is_deleted)

    def size(self) -> int:
        """Return what counts against the corp's limit: corp tags and rule-group tags."""
        return sum(1 for _ in self.living_tags()) + len(self.rule_tags)

    def can_carry(self, tag_id: str) -> bool:
        return tag_id in self.rule_tags or self.find_tag(tag_id) is not None

    def delete_group(self, group: CorpTagGroup) -> None:
        for tag in self.tags_in(group):
            tag.is_deleted = True
        group.is_deleted = True

    def delete_tag(self, tag: CorpTag) -> bool:
        """Delete a tag; True when its group went with it, since no group may be empty."""
        tag.is_deleted = True
        group = self.groups[tag.group_id]
        group.is_deleted = not self.tags_in(group)
        return group.is_deleted

    def carried(self, tag_ids: Iterable[str]) -> list[str]:
        """Return the ids that still name a tag, in a fixed order."""
        return sorted(tag_id for tag_id in tag_ids if self.can_carry(tag_id))
