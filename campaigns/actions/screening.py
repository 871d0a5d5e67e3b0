"""Whether a message may go: its text and what its attachments say, by the corp's rules of risk."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from campaigns.actions.attaching import shown_attachments
from campaigns.models import Campaign
from risk.actions.incidents import Occasion, raise_incident
from risk.actions.screening import Direction, Hit, VerdictWord, screen_text
from risk.models import Incident, Severity
from scrm.common.errors import DomainError, FieldProblem
from scrm.tenancy.models import Corp

# What a customer reads of an attachment, or is led to.
_SAID = ("title", "desc", "url", "page")
_WORST_FIRST = (VerdictWord.BLOCK, VerdictWord.WARN)
_NAMED = 3


@dataclass(frozen=True)
class Found:
    """A hit, and in which part of the message it is: its offsets count from there."""

    path: str  # "/content", "/attachments/0/title"
    hit: Hit

    def as_dict(self) -> dict[str, Any]:
        return {"path": self.path, **self.hit.as_dict()}


@dataclass(frozen=True)
class Screened:
    word: VerdictWord
    found: tuple[Found, ...] = ()

    @property
    def is_blocked(self) -> bool:
        return self.word == VerdictWord.BLOCK

    @property
    def blocking(self) -> tuple[Found, ...]:
        return tuple(each for each in self.found if each.hit.severity == Severity.HIGH)

    @property
    def words(self) -> str:
        """The worst of it in one line."""
        worst = self.blocking or self.found
        told = dict.fromkeys(f"«{each.hit.text}» ({each.hit.category})" for each in worst)
        more = "…" if len(told) > _NAMED else ""
        return ", ".join([*list(told)[:_NAMED]]) + more

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": str(self.word), "hits": [each.as_dict() for each in self.found]}


class BlockedByRisk(DomainError):
    """The message says what must not be said; `screened` has each place."""

    code = "blocked_by_risk"
    status = 422

    def __init__(self, screened: Screened) -> None:
        self.screened = screened
        message = _("This must not be sent: %(reasons)s.") % {"reasons": screened.words}
        super().__init__(message, errors=tuple(_problems_of(screened)))


def screen_message(content: str, attachments: Sequence[dict[str, Any]], *, corp: Corp) -> Screened:
    """Screen every part of a message; the verdict is the worst of them."""
    words, found = set(), []
    for path, text in _parts_of(content, attachments):
        verdict = screen_text(text, corp=corp, direction=Direction.CAMPAIGN)
        words.add(verdict.word)
        found += [Found(path, hit) for hit in verdict.hits]
    worst = next((word for word in _WORST_FIRST if word in words), VerdictWord.PASS)
    return Screened(worst, tuple(found))


def screen_campaign(campaign: Campaign) -> Screened:
    """Screen a campaign as it would go now, with what stands in its materials."""
    attachments = shown_attachments(campaign.attachments, corp=campaign.corp)
    return screen_message(campaign.content, attachments, corp=campaign.corp)


def raise_stopped_send(screened: Screened, *, campaign: Campaign, now: datetime) -> Incident:
    """Have somebody look at what was stopped; the same words of a campaign are one incident."""
    said = json.dumps([campaign.content, campaign.attachments], sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    occasion = Occasion(
        kind=Incident.Kind.STOPPED_SEND,
        key=f"campaign:{campaign.pk}:{digest}",
        severity=Severity.HIGH,
        category=next((each.hit.category for each in screened.blocking), ""),
        happened_at=now,
        hits=[each.hit for each in screened.found],
        data={
            "campaign": campaign.pk,
            "name": campaign.name,
            "text": campaign.content,
            "paths": [each.path for each in screened.found],
        },
    )
    return raise_incident(occasion, corp=campaign.corp, now=now)


def _parts_of(content: str, attachments: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if content:
        yield "/content", content
    for position, attachment in enumerate(attachments):
        for name in _SAID:
            text = attachment.get(name)
            if isinstance(text, str) and text:
                yield f"/attachments/{position}/{name}", text


def _problems_of(screened: Screened) -> Iterator[FieldProblem]:
    for each in screened.blocking:
        hit = each.hit
        message = _("«%(text)s» (characters %(start)d to %(end)d): %(rule)s, %(category)s.") % {
            "text": hit.text,
            "start": hit.start,
            "end": hit.end,
            "rule": hit.rule,
            "category": hit.category,
        }
        yield FieldProblem(each.path, BlockedByRisk.code, message)
