"""A piece of a customer's page: which tags she carries and carried, from whom, why, until when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.actions.timeline_words import find_names, tell_entry
from customers.models import Customer, PastTagAssignment, Tag, TagAssignment, TimelineEntry

_MOST = 200


@dataclass(frozen=True)
class TagSpan:
    """One line: `until` is when it will end, `ended_at` when it did; the reasons are sentences."""

    tag: Tag
    since: datetime
    source: str
    why: str
    until: datetime | None = None
    ended_at: datetime | None = None
    ended_source: str = ""
    ended_why: str = ""


def tag_spans_of(customer: Customer) -> list[TagSpan]:
    """The present first, then the past, newest first; four queries whatever the number."""
    now_carried = TagAssignment.objects.filter(customer=customer, tag__deleted_at=None)
    present = list(now_carried.select_related("tag__group").order_by("-since", "-pk")[:_MOST])
    was_carried = PastTagAssignment.objects.filter(customer=customer).select_related("tag__group")
    past = list(was_carried.order_by("-ended_at", "-pk")[:_MOST])
    told = _Reasons(customer, present, past)
    spans = [
        TagSpan(row.tag, row.since, _word(row.source), told.of(row.source, row.why), row.until)
        for row in present
    ]
    spans += [
        TagSpan(
            row.tag,
            row.since,
            _word(row.source),
            told.of(row.source, row.why),
            ended_at=row.ended_at,
            ended_source=_word(row.ended_source),
            ended_why=told.of(row.ended_source, row.ended_why),
        )
        for row in past
    ]
    return spans


class _Reasons:
    """The words of the timeline, for the same reasons."""

    def __init__(self, customer: Customer, *rows: list[Any]) -> None:
        reasons = [
            (source, why)
            for row in [each for part in rows for each in part]
            for source, why in [
                (row.source, row.why),
                (getattr(row, "ended_source", ""), getattr(row, "ended_why", {})),
            ]
        ]
        facts = [_fact(source, why) for source, why in reasons if source]
        self._names = find_names(facts, corp=customer.corp)

    def of(self, source: str, why: dict[str, Any]) -> str:
        return tell_entry(_fact(source, why), self._names)[1]


def _fact(source: str, why: dict[str, Any]) -> TimelineEntry:
    return TimelineEntry(type=TimelineEntry.Type.TAG_ADDED, source=source, data=why)


def _word(source: str) -> str:
    return str(dict(TimelineEntry.Source.choices).get(source, source))
