"""Whether a text may be said: one pass of the corp's published rules over it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from risk.actions.publishing import departments_above, published_rules
from risk.models import Severity
from risk.screening.engine import Found, RuleSet
from scrm.tenancy.models import Corp, Staff


class Direction(StrEnum):
    """Who says it to whom; rules may hold for some of them only."""

    STAFF = "staff"  # a member of staff to a customer
    CUSTOMER = "customer"  # a customer to staff
    CAMPAIGN = "campaign"  # what the brand is about to have sent: campaigns, SOP steps, materials


class VerdictWord(StrEnum):
    PASS = "pass"  # noqa: S105
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class Hit:
    """A forbidden passage; `text == screened[start:end]`, in code points of the text as given."""

    rule: str
    category: str
    severity: str  # low, medium, high
    start: int
    end: int
    text: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """`low` passes and is recorded, `medium` warns, `high` blocks."""

    word: VerdictWord
    hits: tuple[Hit, ...]

    @property
    def is_blocked(self) -> bool:
        return self.word == VerdictWord.BLOCK

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": self.word.value, "hits": [hit.as_dict() for hit in self.hits]}


_CLEAN = Verdict(VerdictWord.PASS, ())
SEVERITY_WORDS = {
    Severity.LOW.value: VerdictWord.PASS,
    Severity.MEDIUM.value: VerdictWord.WARN,
    Severity.HIGH.value: VerdictWord.BLOCK,
}
_RANKS = (VerdictWord.PASS, VerdictWord.WARN, VerdictWord.BLOCK)


def worst(words: Iterable[VerdictWord]) -> VerdictWord:
    return max(words, key=_RANKS.index, default=VerdictWord.PASS)


def screen_text(
    text: str, *, corp: Corp, direction: Direction | None = None, staff: Staff | None = None
) -> Verdict:
    """Screen one text by what is published for the corp; no direction: by every rule.

    Without `staff`, rules that hold for some departments hold too: the stricter reading.
    """
    rules = published_rules(corp).rules
    passages = rules.screen((text,), holding=_holding(rules, direction, staff))[0]
    return _verdict(text, passages) if passages else _CLEAN


def screen_texts(
    texts: Sequence[str],
    *,
    corp: Corp,
    direction: Direction | None = None,
    staff: Staff | None = None,
) -> list[Verdict]:
    """The same for many texts in one pass, which is several times faster."""
    rules = published_rules(corp).rules
    found = rules.screen(texts, holding=_holding(rules, direction, staff))
    return [
        _verdict(text, passages) if passages else _CLEAN
        for text, passages in zip(texts, found, strict=True)
    ]


def screening_version(corp: Corp) -> int:
    """The publication by which this process screens; 0: nothing was ever published."""
    return published_rules(corp).version


def _holding(rules: RuleSet, direction: Direction | None, staff: Staff | None) -> frozenset[int]:
    departments = departments_above(staff) if staff and rules.knows_departments else None
    return rules.holding(direction, departments)


def _verdict(text: str, passages: Sequence[Found]) -> Verdict:
    hits = tuple(
        Hit(rule.name, rule.category, rule.severity, start, end, text[start:end])
        for rule, start, end in passages
    )
    return Verdict(worst(SEVERITY_WORDS[hit.severity] for hit in hits), hits)
