"""What a change of tags is made of: which tags, until when, who says so and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.utils.translation import gettext as _

from customers.models import Tag, TagKind, TagRule, TimelineEntry
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class Origin:
    """Who says so, and what else a fact of the timeline is to tell."""

    source: TimelineEntry.Source
    why: dict[str, Any]

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "Origin":
        """What was written into an operation when it was asked."""
        source = payload.get("source", TimelineEntry.Source.SYSTEM)
        return cls(TimelineEntry.Source(source), dict(payload.get("why", {})))

    def because(self, reason: str, **more: Any) -> "Origin":
        """The same, for something that follows from what was asked."""
        return Origin(self.source, self.why | {"reason": reason, **more})


class UsableTag(NamedTuple):
    """A tag as it is while the transaction lasts."""

    id: int
    kind: str
    wecom_id: str
    lasts_days: int | None
    group_id: int
    is_exclusive: bool


@dataclass(frozen=True)
class Change:
    """Tags to give and to take; `displaced` are the others of the exclusive groups given from.

    `until` holds for every tag given; without it each lasts as long as its own `lasts_days`.
    """

    corp: Corp
    origin: Origin
    now: datetime
    add: tuple[UsableTag, ...] = ()
    remove: tuple[UsableTag, ...] = ()
    displaced: tuple[UsableTag, ...] = field(default=())
    until: datetime | None = None

    def of(self, *, platform: bool) -> "Change":
        """The part that concerns the platform's tags, or ours."""

        def part(tags: tuple[UsableTag, ...]) -> tuple[UsableTag, ...]:
            return tuple(tag for tag in tags if (tag.kind == TagKind.WECOM) == platform)

        add, remove, displaced = part(self.add), part(self.remove), part(self.displaced)
        return Change(self.corp, self.origin, self.now, add, remove, displaced, self.until)

    def end_of(self, tag: UsableTag) -> datetime | None:
        if self.until is None and tag.lasts_days is not None:
            return self.now + timedelta(days=tag.lasts_days)
        return self.until

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def read_usable_tags(
    tag_ids: Iterable[int], *, corp: Corp, skip_locked: bool = False
) -> dict[int, UsableTag]:
    """Those that are not deleted, and will not be before the transaction ends.

    Whoever has locked customers already skips the locked ones: `forget_tags` locks in the other
    order, tags first, and each would wait for the other.
    """
    locking = "FOR SHARE OF t SKIP LOCKED" if skip_locked else "FOR SHARE OF t"
    with connection.cursor() as cursor:
        # FOR SHARE against `forget_tags`: nobody is given a tag that is being deleted.
        cursor.execute(
            "SELECT t.id, t.kind, t.wecom_id, t.lasts_days, t.group_id, g.is_exclusive"  # noqa: S608
            " FROM customers_tag t JOIN customers_taggroup g ON g.id = t.group_id"
            " WHERE t.corp_id = %s AND t.id = ANY(%s::int[]) AND t.deleted_at IS NULL"
            f" ORDER BY t.id {locking}",
            [corp.pk, sorted(set(tag_ids))],
        )
        return {row[0]: UsableTag(*row) for row in cursor.fetchall()}


def share_current_tags(tag_ids: Iterable[int], *, corp: Corp) -> set[int]:
    """The ids of those that are not deleted, and will not be before the transaction ends."""
    return set(read_usable_tags(tag_ids, corp=corp))


def read_rivals(tags: Iterable[UsableTag]) -> tuple[UsableTag, ...]:
    """The other tags of the exclusive groups among these; asked for after customers are locked.

    Who is given one of a group at the same time waits for the lock, and then sees its tags.
    """
    given = list(tags)
    groups = sorted({tag.group_id for tag in given if tag.is_exclusive})
    if not groups:
        return ()
    others = Tag.objects.filter(group__in=groups, deleted_at__isnull=True)
    rows = others.exclude(pk__in=[tag.id for tag in given]).order_by("pk")
    fields = ("pk", "kind", "wecom_id", "lasts_days", "group_id", "group__is_exclusive")
    return tuple(UsableTag(*row) for row in rows.values_list(*fields))


def second_of_a_group(tags: Sequence[UsableTag]) -> list[int]:
    """The places of tags whose exclusive group an earlier tag of the list has taken."""
    taken: dict[int, int] = {}
    places = []
    for place, tag in enumerate(tags):
        if tag.is_exclusive and taken.setdefault(tag.group_id, tag.id) != tag.id:
            places.append(place)
    return places


def drop_rivals(tags: Sequence[Tag], *, corp: Corp) -> list[Tag]:
    """The first of each exclusive group and all others: what a rule made before can still give."""
    if len(tags) < 2:
        return list(tags)
    usable = read_usable_tags((tag.pk for tag in tags), corp=corp)
    known = [tag for tag in tags if tag.pk in usable]
    late = set(second_of_a_group([usable[tag.pk] for tag in known]))
    return [tag for place, tag in enumerate(known) if place not in late]


def read_change(
    add: Sequence[Tag],
    remove: Sequence[Tag],
    *,
    until: datetime | None,
    corp: Corp,
    origin: Origin,
    now: datetime,
) -> Change:
    """Check what is asked for; raises InvalidInput with a place for each problem."""
    usable = read_usable_tags([tag.pk for tag in [*add, *remove]], corp=corp)
    problems = [*_unusable("add", add, remove, usable), *_unusable("remove", remove, add, usable)]
    problems += _rivalry(add, usable)
    problems += _owned("add", add, corp=corp)
    problems += _owned("remove", remove, corp=corp)
    if until is not None and until <= now:
        text = _("The tag would have ended before it is given: choose a later time.")
        problems.append(FieldProblem("/until", "past", text))
    if problems:
        raise InvalidInput(
            " ".join(dict.fromkeys(problem.message for problem in problems)),
            errors=tuple(problems),
        )
    added, removed = ({tag.pk for tag in tags} for tags in (add, remove))
    return Change(
        corp,
        origin,
        now,
        tuple(usable[pk] for pk in sorted(added)),
        tuple(usable[pk] for pk in sorted(removed)),
        until=until,
    )


def _unusable(
    name: str, tags: Sequence[Tag], others: Sequence[Tag], usable: Mapping[int, UsableTag]
) -> Iterable[FieldProblem]:
    twice = {tag.pk for tag in others}
    for index, tag in enumerate(tags):
        if tag.pk not in usable:
            text = _("Tag %(id)s does not exist or has been deleted.") % {"id": tag.pk}
            yield FieldProblem(f"/{name}/{index}", "unknown_id", text)
        elif tag.pk in twice:
            text = _("Tag %(id)s cannot be both added and removed.") % {"id": tag.pk}
            yield FieldProblem(f"/{name}/{index}", "conflict", text)


def _owned(name: str, tags: Sequence[Tag], *, corp: Corp) -> Iterable[FieldProblem]:
    """A tag that a rule owns is given and taken by nobody else."""
    automatic = [tag.pk for tag in tags if tag.kind == TagKind.AUTO]
    if not automatic:
        return
    owned = set(
        TagRule.objects.for_corp(corp).filter(tag__in=automatic).values_list("tag", flat=True)
    )
    for index, tag in enumerate(tags):
        if tag.pk in owned:
            text = _("Tag %(id)s is given and taken by its rule only.") % {"id": tag.pk}
            yield FieldProblem(f"/{name}/{index}", "owned_by_rule", text)


def _rivalry(add: Sequence[Tag], usable: Mapping[int, UsableTag]) -> Iterable[FieldProblem]:
    known = [(index, usable[tag.pk]) for index, tag in enumerate(add) if tag.pk in usable]
    for place in second_of_a_group([tag for _index, tag in known]):
        index, tag = known[place]
        text = _("Tag %(id)s excludes another one of the list: give one of them.") % {"id": tag.id}
        yield FieldProblem(f"/add/{index}", "exclusive", text)
