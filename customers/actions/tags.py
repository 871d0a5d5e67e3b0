"""Our own tags and their groups; the platform's are changed on the platform."""

from datetime import datetime
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.actions.tag_catalogue import forget_tags
from customers.models import Tag, TagAssignment, TagGroup, TagKind
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

NAME_LENGTH = 64
LONGEST_DAYS = 3650
T_ = TypeVar("T_", Tag, TagGroup)


class PlatformTagRefused(DomainError):
    code = "platform_tag"


class SeveralCarried(DomainError):
    code = "several_carried"


@transaction.atomic
def create_tag_group(
    name: str, *, corp: Corp, actor: Actor, now: datetime, kind: TagKind = TagKind.SYSTEM
) -> TagGroup:
    """Make a group for our own tags."""
    if kind == TagKind.WECOM:
        raise _refused()
    group = TagGroup(corp=corp, name=_checked(name), kind=kind)
    _keep(group)
    record("tags.group_created", actor=actor, corp=corp, subject=group, now=now)
    return group


@transaction.atomic
def rename_tag_group(group: TagGroup, *, name: str, actor: Actor, now: datetime) -> TagGroup:
    """Give one of our groups another name."""
    before = _own(group).name
    group.name = _checked(name)
    _keep(group)
    data = {"before": before, "after": group.name}
    record("tags.group_renamed", actor=actor, corp=group.corp, subject=group, now=now, data=data)
    return group


@transaction.atomic
def delete_tag_group(group: TagGroup, *, actor: Actor, now: datetime) -> int:
    """Delete one of our groups with its tags; return how many tags went with it."""
    _own(group)
    TagGroup.objects.filter(pk=group.pk, deleted_at__isnull=True).update(deleted_at=now)
    tags = list(group.tags.filter(deleted_at__isnull=True).values_list("pk", flat=True))
    forget_tags(tags, corp=group.corp, now=now)
    record(
        "tags.group_deleted",
        actor=actor,
        corp=group.corp,
        subject=group,
        now=now,
        data={"name": group.name, "tags": tags},
    )
    return len(tags)


@transaction.atomic
def set_exclusive(group: TagGroup, *, is_exclusive: bool, actor: Actor, now: datetime) -> TagGroup:
    """Have who is given one tag of the group lose the others, or not; the platform's groups too.

    Raises SeveralCarried while somebody carries two of them: which one stays is nobody's guess.
    """
    if group.is_exclusive == is_exclusive:
        return group
    if is_exclusive and (count := count_several(group)):
        raise SeveralCarried(
            ngettext(
                "%(count)d customer carries several tags of this group: take the others first.",
                "%(count)d customers carry several tags of this group: take the others first.",
                count,
            )
            % {"count": count}
        )
    group.is_exclusive = is_exclusive
    group.save(update_fields=["is_exclusive"])
    data = {"exclusive": is_exclusive}
    record("tags.group_ruled", actor=actor, corp=group.corp, subject=group, now=now, data=data)
    return group


def count_several(group: TagGroup) -> int:
    """Customers who carry more than one tag of the group, on one relation or as persons."""
    carried = TagAssignment.objects.filter(tag__group=group, tag__deleted_at__isnull=True)
    several = carried.order_by().values("customer", "follow").annotate(number=Count("pk"))
    return several.filter(number__gt=1).values("customer").distinct().count()


@transaction.atomic
def set_lasting(tag: Tag, *, lasts_days: int | None, actor: Actor, now: datetime) -> Tag:
    """Have the tag end so many days after it is given, or never; the platform's too.

    Who carries it already keeps it as it was given.
    """
    _check_lasting(lasts_days)
    if tag.lasts_days != lasts_days:
        data = {"before": tag.lasts_days, "after": lasts_days}
        tag.lasts_days = lasts_days
        tag.save(update_fields=["lasts_days"])
        record("tags.lasting_set", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)
    return tag


def _check_lasting(lasts_days: int | None) -> None:
    if lasts_days is not None and not 0 < lasts_days <= LONGEST_DAYS:
        message = _("A tag lasts 1 to %(limit)s days.") % {"limit": LONGEST_DAYS}
        raise InvalidInput(message, errors=(FieldProblem("/lasts_days", "invalid", message),))


@transaction.atomic
def create_tag(
    name: str,
    *,
    group: TagGroup,
    actor: Actor,
    now: datetime,
    lasts_days: int | None = None,
) -> Tag:
    """Make a tag in one of our groups."""
    _check_lasting(lasts_days)
    _own(group)
    if group.deleted_at:
        message = _("This group of tags has been deleted: choose another one.")
        raise InvalidInput(message, errors=(FieldProblem("/group", "deleted", message),))
    fields = {"kind": group.kind, "name": _checked(name), "lasts_days": lasts_days}
    tag = Tag(corp=group.corp, group=group, **fields)
    _keep(tag)
    record("tags.created", actor=actor, corp=tag.corp, subject=tag, now=now)
    return tag


@transaction.atomic
def rename_tag(tag: Tag, *, name: str, actor: Actor, now: datetime) -> Tag:
    """Give one of our tags another name; who carries it keeps it."""
    before = _own(tag).name
    tag.name = _checked(name)
    _keep(tag)
    data = {"before": before, "after": tag.name}
    record("tags.renamed", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)
    return tag


@transaction.atomic
def delete_tag(tag: Tag, *, actor: Actor, now: datetime) -> None:
    """Delete one of our tags and take it from everybody who carries it."""
    _own(tag)
    if forget_tags([tag.pk], corp=tag.corp, now=now):
        data = {"name": tag.name}
        record("tags.deleted", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)


def _own(thing: T_) -> T_:
    if thing.kind == TagKind.WECOM:
        raise _refused()
    return thing


def _refused() -> PlatformTagRefused:
    return PlatformTagRefused(
        _("Platform tags are created, renamed and deleted in the console of WeCom; then sync.")
    )


def _checked(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem("/name", "invalid", message),))
    return bare


def _keep(thing: Tag | TagGroup) -> None:
    try:
        with transaction.atomic():
            thing.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": thing.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None
