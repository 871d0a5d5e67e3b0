"""Corp tags and the tags of rule groups [doc 92117, 92118, 94882]."""

from collections.abc import Sequence
from typing import Any

from scrm.channels.base import TagGroupRecord, TagGroupWish, TagWish
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker


class WeComTags:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def groups(self) -> Sequence[TagGroupRecord]:
        return _groups_in(self._contact.post("get_corp_tag_list", {}))

    def of_strategy(self, strategy_id: int) -> Sequence[TagGroupRecord]:
        body = {"strategy_id": strategy_id}
        return _groups_in(self._contact.post("get_strategy_tag_list", body))

    def create(self, wish: TagGroupWish) -> TagGroupRecord:
        body: dict[str, Any] = {"tag": [_body(tag) for tag in wish.tags]}
        if wish.wecom_id:
            body["group_id"] = wish.wecom_id
        else:
            body |= {"group_name": wish.name, "order": wish.order}
        answer = self._contact.post("add_corp_tag", body)
        return parsing.tag_group_of(parsing.part(answer, "tag_group"))

    def edit(self, wecom_id: str, *, name: str = "", order: int | None = None) -> None:
        body: dict[str, Any] = {"id": wecom_id}
        given = {"name": name or None, "order": order}
        body |= {field: value for field, value in given.items() if value is not None}
        self._contact.post("edit_corp_tag", body)

    def delete(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        given = {"tag_id": list(tag_ids), "group_id": list(group_ids)}
        self._contact.post("del_corp_tag", {name: ids for name, ids in given.items() if ids})

    def mark(
        self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]
    ) -> None:
        body: dict[str, Any] = {"userid": userid, "external_userid": external_userid}
        # An empty list is "tag count must be 1..1000" to some versions of the platform.
        lists = {"add_tag": list(add), "remove_tag": list(remove)}
        self._contact.post("mark_tag", body | {name: ids for name, ids in lists.items() if ids})


def _groups_in(answer: parsing.Json) -> list[TagGroupRecord]:
    groups = parsing.rows(answer, "tag_group")
    return [parsing.tag_group_of(group) for group in groups if not group.get("deleted")]


def _body(tag: TagWish) -> dict[str, Any]:
    return {"name": tag.name, "order": tag.order}
