"""How often the shipped packs are wrong on everyday text, and how much hiding they see through.

The figures stand in the summary of every run (tests/conftest.py). The everyday text is an optional
file beside the project.
"""

import csv
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from risk.actions.packs import packs
from risk.screening.engine import Rule, RuleSet
from tests.risk.disguises import NORMATIVE, OPTIONAL

FILE = Path(settings.BASE_DIR).parent / "shared" / "data" / "cold_dev.csv"
# Of a hundred everyday lines, how many a pack may mark: what is argued about in them is race,
# region and gender, in which nobody sells anything.
MOST_FALSE = {
    "abuse": 0.5,
    "absolute_claims": 0.5,
    "infant_formula": 0.1,
    "medical_promises": 0.2,
    "private_contact": 0.1,
    # One of each is in the lines, and is one.
    "email": 0.05,
    "link": 0.05,
}
SEED = 20261118
# How often each disguise is tried on each word of the packs.
TRIES = 2
Figures = Callable[[str], None]


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    return lambda line: record_property("figures", line)


def rule_of(key: str, *, options: tuple[str, ...] | None = None) -> Rule:
    draft = packs()[key].draft
    return Rule(
        name=key,
        category=draft.category,
        severity=draft.severity,
        words=draft.words,
        allow=draft.allow,
        options=tuple(draft.options) if options is None else options,
    )


@pytest.mark.skipif(
    not FILE.exists(),
    reason=f"NOT RUN: false positives; the everyday text {FILE.name} is not beside the project",
)
def test_everyday_text_is_rarely_marked(figures: Figures) -> None:
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        lines = [row["TEXT"] for row in csv.DictReader(file) if row["label"] == "0"]
    forms = [Rule(kind, "", "low", kind=kind) for kind in ("phone", "bank_card", "email", "link")]
    rules = RuleSet([*(rule_of(key) for key in packs()), *forms])

    marked: Counter[str] = Counter()
    seen: dict[str, Counter[str]] = {rule.name: Counter() for rule in rules.rules}
    for line, passages in zip(lines, rules.screen(lines), strict=True):
        marked.update({each.rule.name for each in passages})
        for each in passages:
            seen[each.rule.name][line[each.start : each.end]] += 1

    figures(f"false positives on {len(lines)} everyday lines")
    for key, passages_seen in seen.items():
        share = 100 * marked[key] / len(lines)
        words = ", ".join(f"{word} {count}" for word, count in passages_seen.most_common(6))
        figures(f"  {key:18} {marked[key]:4} = {share:.2f} %  {words}")
    shares = {key: 100 * marked[key] / len(lines) for key in seen}
    assert {key: share for key, share in shares.items() if share > MOST_FALSE.get(key, 0)} == {}


def test_no_normative_disguise_hides_a_word_of_the_packs(figures: Figures) -> None:
    dice = random.Random(SEED)  # noqa: S311
    missed: dict[str, list[str]] = {kind: [] for kind in NORMATIVE}
    tried: Counter[str] = Counter()
    for key, pack in packs().items():
        rules = RuleSet([rule_of(key, options=())])
        for kind, disguise in NORMATIVE.items():
            hidden = [disguise(word, dice) for word in pack.draft.words for _ in range(TRIES)]
            texts = [f"您好，{each}哦" for each in hidden]
            tried[kind] += len(hidden)
            found = rules.screen(texts)
            missed[kind] += [
                each
                for each, passages in zip(hidden, found, strict=True)
                if (3, 3 + len(each)) not in {(hit.start, hit.end) for hit in passages}
            ]

    figures("recall of normative disguises")
    for kind, count in tried.items():
        figures(f"  {kind:14} {1 - len(missed[kind]) / count:.4f} of {count}")
    assert {kind: hidden[:5] for kind, hidden in missed.items() if hidden} == {}


def test_optional_disguises_are_seen_through_where_asked(figures: Figures) -> None:
    dice = random.Random(SEED)  # noqa: S311
    words = packs()["private_contact"].draft.words
    plain = RuleSet([rule_of("private_contact", options=())])
    figures("recall of optional disguises (and without the option)")
    recall = {}
    for kind, disguise in OPTIONAL.items():
        rules = RuleSet([rule_of("private_contact", options=(kind,))])
        texts = [f"您好，{disguise(word, dice)}哦" for word in words for _ in range(5)]
        recall[kind] = sum(map(bool, rules.screen(texts))) / len(texts)
        without = sum(map(bool, plain.screen(texts))) / len(texts)
        figures(f"  {kind:14} {recall[kind]:.4f} of {len(texts)} ({without:.2f})")

    assert min(recall.values()) == 1.0
