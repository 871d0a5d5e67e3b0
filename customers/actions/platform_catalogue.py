"""The platform's tags made, renamed, ordered and deleted from here, by asking it."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.tag_catalogue import add_listed_groups, forget_tags
from customers.models import Tag, TagGroup, TagKind
from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.outbox import enqueue_operation
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import TagGroupRecord, TagRecord
from scrm.channels.models import Operation, Refresh
from scrm.channels.tag_operations import (
    ADD_TAGS,
    DELETE_TAGS,
    EDIT_TAG,
    TAG_CATALOGUE_SERIAL_KEY,
)
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

# [doc 92117] a name has 1 to 30 characters, a corp 10 000 tags (40126), an order 32 bits.
NAME_LENGTH = 30
MOST_TAGS = 10_000
LARGEST_ORDER = 2**32 - 1
_MADE_BY_ANOTHER_APP = 81011
KINDS = (ADD_TAGS, EDIT_TAG, DELETE_TAGS)


class NotOurs(DomainError):
    """Only the app that made a platform tag may change it."""

    code = "made_by_another_app"


class TooManyTags(DomainError):
    code = "too_many_tags"


@dataclass(frozen=True)
class NewTags:
    """Tags for a group of the platform's that exists, or for one of that name."""

    names: Sequence[str]
    group: TagGroup | None = None
    group_name: str = ""


@transaction.atomic
def ask_for_tags(wish: NewTags, *, corp: Corp, actor: Actor, now: datetime) -> Operation:
    """Ask the platform to make tags; they are here when it has."""
    names = _checked_names(wish, corp=corp)
    kept = Tag.objects.for_corp(corp).current().filter(kind=TagKind.WECOM).count()
    if kept + len(names) > MOST_TAGS:
        raise TooManyTags(
            _("The platform keeps at most %(limit)s tags: delete some.") % {"limit": MOST_TAGS}
        )
    payload: dict[str, Any] = {"names": names}
    if wish.group:
        payload["group_id"] = wish.group.wecom_id
    else:
        payload["group_name"] = _checked(wish.group_name, "/group_name")
    data = {"names": names, "group": wish.group.name if wish.group else payload["group_name"]}
    record("tags.platform_asked", actor=actor, corp=corp, subject=corp, now=now, data=data)
    return _ask(ADD_TAGS, payload, corp=corp, now=now)


@transaction.atomic
def ask_to_edit(
    thing: Tag | TagGroup,
    *,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    order: int | None = None,
) -> Operation:
    """Ask the platform to rename a tag or group, or to place it; larger orders come first."""
    _own_app(thing)
    payload: dict[str, Any] = {"id": thing.wecom_id}
    if name is not None:
        payload["name"] = _checked(name, "/name")
    if order is not None:
        if not 0 <= order <= LARGEST_ORDER:
            message = _("An order is a whole number from 0 to %(limit)s.")
            message %= {"limit": LARGEST_ORDER}
            raise InvalidInput(message, errors=(FieldProblem("/order", "invalid", message),))
        payload["order"] = order
    data = {"before": thing.name} | {key: payload[key] for key in payload if key != "id"}
    record("tags.platform_asked", actor=actor, corp=thing.corp, subject=thing, now=now, data=data)
    return _ask(EDIT_TAG, payload, corp=thing.corp, now=now)


@transaction.atomic
def ask_to_delete(thing: Tag | TagGroup, *, actor: Actor, now: datetime) -> Operation:
    """Ask the platform to delete a tag, or a group with its tags; then everybody loses them."""
    _own_app(thing)
    name = "tag_ids" if isinstance(thing, Tag) else "group_ids"
    payload = {name: [thing.wecom_id]}
    data = {"deleted": thing.name}
    record("tags.platform_asked", actor=actor, corp=thing.corp, subject=thing, now=now, data=data)
    return _ask(DELETE_TAGS, payload, corp=thing.corp, now=now)


@transaction.atomic
def apply_catalogue_outcome(operation: Operation, now: datetime) -> None:
    """Follow what the platform did; after a refusal look at what it has instead."""
    corp, asked = operation.corp, operation.payload
    if operation.status == Operation.Status.FAILED:
        if operation.errcode == _MADE_BY_ANOTHER_APP:
            ids = [asked.get("id"), *asked.get("tag_ids", ()), *asked.get("group_ids", ())]
            for model in (Tag, TagGroup):
                model.objects.for_corp(corp).filter(wecom_id__in=ids).update(is_foreign=True)
        request_refresh(Refresh.Kind.TAGS, corp=corp, now=now)
    elif operation.status == Operation.Status.SUCCEEDED:
        _APPLY[operation.kind](operation, corp, now)


def _apply_added(operation: Operation, corp: Corp, now: datetime) -> None:
    made = operation.result
    tags = tuple(TagRecord(**tag) for tag in made["tags"])
    group = TagGroupRecord(made["wecom_id"], made["name"], made["order"], tags)
    add_listed_groups([group], corp=corp)


def _apply_edited(operation: Operation, corp: Corp, now: datetime) -> None:
    asked = operation.payload
    changed = {key: asked[key] for key in ("name", "order") if key in asked}
    for model in (Tag, TagGroup):
        model.objects.for_corp(corp).filter(wecom_id=asked["id"]).update(**changed)


def _apply_deleted(operation: Operation, corp: Corp, now: datetime) -> None:
    asked = operation.payload
    tags = Tag.objects.for_corp(corp).current().filter(kind=TagKind.WECOM)
    gone = tags.filter(wecom_id__in=asked.get("tag_ids", ()))
    gone |= tags.filter(group__wecom_id__in=asked.get("group_ids", ()))
    groups = set(gone.values_list("group", flat=True))
    forget_tags(list(gone.values_list("pk", flat=True)), corp=corp, now=now)
    # The platform keeps no empty groups.
    filled = tags.filter(group__in=groups).values_list("group", flat=True)
    TagGroup.objects.filter(pk__in=groups - set(filled)).update(deleted_at=now)


_APPLY = {ADD_TAGS: _apply_added, EDIT_TAG: _apply_edited, DELETE_TAGS: _apply_deleted}


def _ask(kind: str, payload: dict[str, Any], *, corp: Corp, now: datetime) -> Operation:
    return enqueue_operation(
        kind,
        corp=corp,
        key=f"{kind}:{uuid.uuid4().hex}",
        payload=payload,
        now=now,
        serial_key=TAG_CATALOGUE_SERIAL_KEY,
        priority=Operation.Priority.CLICK,
    )


def _own_app(thing: Tag | TagGroup) -> None:
    if thing.is_foreign:
        raise NotOurs(_("Another app made it: the platform lets only that one change it."))
    if not thing.wecom_id:
        raise NotOurs(_("It belongs to a rule group of the platform and is changed there."))


def _checked_names(wish: NewTags, *, corp: Corp) -> list[str]:
    names = list(dict.fromkeys(_checked(name, "/names") for name in wish.names))
    if not names:
        message = _("Give at least one name.")
        raise InvalidInput(message, errors=(FieldProblem("/names", "empty", message),))
    group = {"group": wish.group} if wish.group else {"group__name": wish.group_name.strip()}
    tags = Tag.objects.for_corp(corp).current().filter(kind=TagKind.WECOM, **group)
    taken = set(tags.filter(name__in=names).values_list("name", flat=True))
    problems = list(_taken(names, taken))
    if problems:
        raise InvalidInput(problems[0].message, errors=tuple(problems))
    return names


def _taken(names: Iterable[str], taken: set[str]) -> Iterable[FieldProblem]:
    for name in names:
        if name in taken:
            message = _("The name %(name)s is taken: choose another one.") % {"name": name}
            yield FieldProblem("/names", "taken", message)


def _checked(name: str, path: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem(path, "invalid", message),))
    return bare
