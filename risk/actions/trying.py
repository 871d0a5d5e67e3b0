"""The test bench: why a text would or would not pass, with drafts if wanted."""

from dataclasses import dataclass

from risk.actions.publishing import compile_rules, departments_above, published_rules
from risk.actions.screening import SEVERITY_WORDS, Direction, VerdictWord, worst
from risk.screening.engine import Found, plain_reading
from scrm.tenancy.models import Corp, Staff


@dataclass(frozen=True)
class Trial:
    """What the rules say about a text, and how they read it."""

    text: str
    word: VerdictWord
    found: tuple[Found, ...]
    reading: str
    version: int
    rule_count: int
    with_drafts: bool


def try_text(
    text: str,
    *,
    corp: Corp,
    direction: Direction | None = None,
    staff: Staff | None = None,
    with_drafts: bool = False,
) -> Trial:
    """Screen a text without leaving a trace; `Found.rule.key` names the lexicon or rule."""
    published = published_rules(corp)
    rules = compile_rules(corp, with_drafts=True) if with_drafts else published.rules
    departments = departments_above(staff) if staff and rules.knows_departments else None
    holding = rules.holding(direction, departments)
    found = tuple(rules.screen((text,), holding=holding)[0])
    word = worst(SEVERITY_WORDS[each.rule.severity] for each in found)
    return Trial(
        text, word, found, plain_reading(text), published.version, len(holding), with_drafts
    )
