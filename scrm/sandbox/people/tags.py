"""An administrator changing corp tags in the console."""

from collections.abc import Sequence

from scrm.sandbox.events import tag_event
from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.records import CorpTag, CorpTagGroup


class TagActs(Actor):
    @act
    def tag_create_in_console(self, group_name: str, name: str) -> str:
        """Make a tag, and its group where there is none of that name; return the tag's id."""
        book, now = self.world.tags, self.world.now()
        group = book.find_group_named(group_name)
        if group is None:
            group = book.add_group(
                CorpTagGroup(self.world.mint_id("et"), group_name, now, made_by_app=False)
            )
            self._change("create", group.id, "tag_group")
        elif book.has_name(group, name):
            raise ActRefused(f"{name!r} exists in {group_name!r}")
        tag = book.add_tag(
            CorpTag(self.world.mint_id("et"), name, group.id, now, made_by_app=False)
        )
        self._change("create", tag.id, "tag")
        return tag.id

    @act
    def tag_rename_in_console(self, tag_or_group_id: str, name: str) -> None:
        target, kind = self._find(tag_or_group_id)
        target.name = name
        self._change("update", tag_or_group_id, kind)

    @act
    def tag_delete_in_console(self, tag_or_group_id: str) -> None:
        """Delete a tag or a group; a group's tags go without events, a last tag takes its group."""
        target, kind = self._find(tag_or_group_id)
        if isinstance(target, CorpTagGroup):
            self.world.tags.delete_group(target)
            self._change("delete", target.id, kind)
        elif self.world.tags.delete_tag(target):
            self._change("delete", target.id, kind)
            self._change("delete", target.group_id, "tag_group")
        else:
            self._change("delete", target.id, kind)

    @act
    def tag_shuffle_in_console(self, group_id: str, tag_ids: Sequence[str]) -> None:
        """Put the tags of a group in the given order, the first with the largest `order`."""
        group = self.world.tags.find_group(group_id)
        if group is None or set(tag_ids) != {t.id for t in self.world.tags.tags_in(group)}:
            raise ActRefused(f"these are not the tags of {group_id!r}")
        for order, tag_id in enumerate(reversed(tag_ids)):
            self.world.tags.tags[tag_id].order = order
        self._change("shuffle", group_id, "")

    def _find(self, any_id: str) -> tuple[CorpTag | CorpTagGroup, str]:
        tag, group = self.world.tags.find_tag(any_id), self.world.tags.find_group(any_id)
        if tag is not None:
            return tag, "tag"
        if group is not None:
            return group, "tag_group"
        raise ActRefused(f"no tag or tag group {any_id!r}")

    def _change(self, change: str, any_id: str, kind: str) -> None:
        self.world.ledger.append(f"tag.{change}", id=any_id, type=kind)
        self.emit(tag_event(change, any_id, kind, self.world.now()))
