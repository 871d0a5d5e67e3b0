"""Where the platform's tags and ours differ, and what is on its way."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from customers.actions.platform_catalogue import KINDS
from customers.models import Tag, TagKind
from scrm.channels.base import TagGroupRecord
from scrm.channels.models import Operation
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

_MOST_SHOWN = 200


@dataclass(frozen=True)
class Drift:
    """Names as «group / tag»: what only the platform has, only we have, and what differs."""

    only_there: list[str] = field(default_factory=list)
    only_here: list[str] = field(default_factory=list)
    different: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.only_there or self.only_here or self.different)


def compare(groups: list[TagGroupRecord], *, corp: Corp) -> Drift:
    """What the platform lists against what we keep; writes nothing."""
    theirs = {tag.wecom_id: f"{group.name} / {tag.name}" for group in groups for tag in group.tags}
    tags = Tag.objects.for_corp(corp).current().filter(kind=TagKind.WECOM)
    rows = tags.exclude(group__wecom_id="").values_list("wecom_id", "group__name", "name")
    ours = {wecom_id: f"{group} / {name}" for wecom_id, group, name in rows}
    return Drift(
        sorted(theirs[key] for key in theirs.keys() - ours.keys()),
        sorted(ours[key] for key in ours.keys() - theirs.keys()),
        sorted((ours[k], theirs[k]) for k in ours.keys() & theirs.keys() if ours[k] != theirs[k]),
    )


def last_read_at(corp: Corp) -> datetime | None:
    """When a sync has read the list of tags last."""
    done = Job.objects.for_corp(corp).filter(
        kind__in=("sync", "sync.tags", "reconcile"), finished_at__isnull=False
    )
    return done.order_by("-pk").values_list("finished_at", flat=True).first()


def waiting_changes(corp: Corp) -> list[dict[str, Any]]:
    """Changes of the list of tags that are not over, and those refused lately."""
    rows = Operation.objects.for_corp(corp).filter(kind__in=KINDS).order_by("-pk")
    open_ones = rows.exclude(status__in=("succeeded", "cancelled"))[:_MOST_SHOWN]
    fields = ("pk", "kind", "status", "payload", "error", "created_at")
    return list(open_ones.values(*fields))
