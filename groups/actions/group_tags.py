"""Words that operators sort chats by; ours alone, the platform has none for chats."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from groups.models import GroupChat, GroupTag
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

NAME_LENGTH = 64
_ROWS_A_STATEMENT = 1000
_MOST_RECORDED = 100

Tagging = GroupChat.tags.through


@dataclass(frozen=True)
class Tagged:
    """How many pairs of a chat and a tag were made and ended."""

    added: int
    removed: int


@transaction.atomic
def create_group_tag(name: str, *, corp: Corp, actor: Actor, now: datetime) -> GroupTag:
    """Make a tag; its name is taken once in a corp."""
    tag = GroupTag(corp=corp, name=_checked(name))
    _keep(tag)
    data = {"name": tag.name}
    record("group_tags.created", actor=actor, corp=corp, subject=tag, now=now, data=data)
    return tag


@transaction.atomic
def rename_group_tag(tag: GroupTag, *, name: str, actor: Actor, now: datetime) -> GroupTag:
    """Give a tag another name; the chats keep it."""
    before, tag.name = tag.name, _checked(name)
    _keep(tag)
    data = {"before": before, "after": tag.name}
    record("group_tags.renamed", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)
    return tag


@transaction.atomic
def delete_group_tag(tag: GroupTag, *, actor: Actor, now: datetime) -> None:
    """Delete a tag and take it from every chat."""
    data = {"name": tag.name}
    record("group_tags.deleted", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)
    tag.delete()


@transaction.atomic
def tag_chats(
    chats: Iterable[GroupChat],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    add: Sequence[GroupTag] = (),
    remove: Sequence[GroupTag] = (),
) -> Tagged:
    """Give and take tags of many chats; what is so already is left as it is."""
    chosen = {chat.pk: chat.chat_id for chat in chats}
    tagged = Tagged(_add(chosen, add), _remove(chosen, remove))
    if tagged.added or tagged.removed:
        data = {
            "chats": len(chosen),
            "chat_ids": list(chosen.values())[:_MOST_RECORDED],
            "add": [tag.name for tag in add],
            "remove": [tag.name for tag in remove],
        }
        record("group_tags.changed", actor=actor, corp=corp, subject=corp, now=now, data=data)
    return tagged


def find_group_tags(
    wanted: Sequence[str | int], *, corp: Corp, path: str, actor: Actor, now: datetime, make: bool
) -> list[GroupTag]:
    """Tags by name or id; with `make` a name that nobody has used yet becomes a tag."""
    names = {name.strip() for name in wanted if isinstance(name, str)}
    ids = [number for number in wanted if isinstance(number, int)]
    known = GroupTag.objects.for_corp(corp)
    by_name = {tag.name: tag for tag in known.filter(name__in=names)}
    by_id = {tag.pk: tag for tag in known.filter(pk__in=ids)}
    if make:
        # Whoever gives a number means a tag that there is.
        _refuse_unknown(wanted, names | by_id.keys(), path=path)
    else:
        _refuse_unknown(wanted, by_name.keys() | by_id.keys(), path=path)
    found = []
    for each in wanted:
        tag = by_id.get(each) if isinstance(each, int) else by_name.get(each.strip())
        if tag is None:
            tag = create_group_tag(str(each), corp=corp, actor=actor, now=now)
            by_name[tag.name] = tag
        found.append(tag)
    return found


def _refuse_unknown(
    wanted: Sequence[str | int], known: AbstractSet[str | int], *, path: str
) -> None:
    problems = tuple(
        FieldProblem(
            f"{path}/{position}", "unknown", _("There is no group tag %(tag)s.") % {"tag": each}
        )
        for position, each in enumerate(wanted)
        if (each.strip() if isinstance(each, str) else each) not in known
    )
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)


def _add(chosen: dict[int, str], tags: Sequence[GroupTag]) -> int:
    pairs = [
        Tagging(groupchat_id=chat, grouptag_id=tag.pk) for tag in tags for chat in sorted(chosen)
    ]
    here = Tagging.objects.filter(groupchat__in=chosen, grouptag__in=tags)
    before = here.count()
    Tagging.objects.bulk_create(pairs, batch_size=_ROWS_A_STATEMENT, ignore_conflicts=True)
    return here.count() - before


def _remove(chosen: dict[int, str], tags: Sequence[GroupTag]) -> int:
    here = Tagging.objects.filter(groupchat__in=chosen, grouptag__in=tags)
    return here.delete()[0]


def _checked(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem("/name", "invalid", message),))
    return bare


def _keep(tag: GroupTag) -> None:
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": tag.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None
