"""The platform's tags made, changed and deleted; what is made or deleted is found in its list."""

from collections.abc import Container
from dataclasses import asdict
from typing import Any

from scrm.channels.base import Channel, TagGroupRecord, TagGroupWish, TagWish
from scrm.channels.errors import ChannelError, NotOurs
from scrm.channels.kinds import OperationKind, Reaction
from scrm.channels.models import Operation

ADD_TAGS = "add_tags"
EDIT_TAG = "edit_tag"
DELETE_TAGS = "delete_tags"

# All changes of a corp's tags are asked in their order: a tag is renamed after it was made.
TAG_CATALOGUE_SERIAL_KEY = "tag-catalogue"


def _add(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    wish = TagGroupWish(
        tags=tuple(TagWish(name) for name in payload["names"]),
        wecom_id=payload.get("group_id", ""),
        name=payload.get("group_name", ""),
        order=payload.get("order", 0),
    )
    return asdict(channel.tags.create(wish))


def _find_added(
    channel: Channel, operation: Operation, _known: Container[str]
) -> dict[str, Any] | None:
    wanted = operation.payload
    for group in channel.tags.groups():
        if _is_meant(group, wanted):
            tags = tuple(tag for tag in group.tags if tag.name in set(wanted["names"]))
            if {tag.name for tag in tags} == set(wanted["names"]):
                return asdict(TagGroupRecord(group.wecom_id, group.name, group.order, tags))
    return None


def _is_meant(group: TagGroupRecord, wanted: dict[str, Any]) -> bool:
    if wanted.get("group_id"):
        return group.wecom_id == str(wanted["group_id"])
    return group.name == str(wanted.get("group_name", ""))


def _edit(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.tags.edit(payload["id"], name=payload.get("name", ""), order=payload.get("order"))
    return {}


def _delete(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.tags.delete(tag_ids=payload.get("tag_ids", []), group_ids=payload.get("group_ids", []))
    return {}


def _find_deleted(
    channel: Channel, operation: Operation, _known: Container[str]
) -> dict[str, Any] | None:
    groups = channel.tags.groups()
    listed = {group.wecom_id for group in groups}
    listed |= {tag.wecom_id for group in groups for tag in group.tags}
    wanted = operation.payload
    meant = {*wanted.get("tag_ids", ()), *wanted.get("group_ids", ())}
    return None if meant & listed else {}


# No setting helps (81011), so nobody has to decide.
_REACTIONS: dict[type[ChannelError], Reaction] = {NotOurs: Reaction.FAIL}

TAG_KINDS = (
    OperationKind(
        ADD_TAGS,
        _add,
        endpoints=("externalcontact/add_corp_tag",),
        find=_find_added,
        reactions=_REACTIONS,
    ),
    OperationKind(
        EDIT_TAG, _edit, endpoints=("externalcontact/edit_corp_tag",), reactions=_REACTIONS
    ),
    OperationKind(
        DELETE_TAGS,
        _delete,
        endpoints=("externalcontact/del_corp_tag",),
        find=_find_deleted,
        reactions=_REACTIONS,
    ),
)
