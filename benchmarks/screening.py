"""Screening 20 000 messages by 10 000 words, with normalisation, offsets and rules.

The limit is the bare automaton on text that is clean already; the peer asks `word in text` for every
word, on the same clean text. A second peer walks a trie of nested dicts after OpenCC and NFKC, as
Python projects do. Ours is measured in batches, as the archive is screened; `single` is a text at a
time, as a campaign is. `--size` is the number of words.
"""

import csv
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Case, Way, run

if TYPE_CHECKING:
    from scrm.tenancy.models import Corp

SEED = 20261118
MESSAGES = 20_000
SHORTEST, LONGEST = 20, 200
# The peers are slow: measured on a part of the messages and scaled up.
PEER_MESSAGES = 100
TRIE_MESSAGES = 2_000
# As the archive is screened (risk/actions/screening_messages.py).
BATCH = 200
COMPILED_WORDS = 60_000
ROUNDS = 5
EVERYDAY = Path(__file__).resolve().parents[2] / "shared" / "data" / "cold_dev.csv"
_DISGUISES = ("\u200b", " ", "，", "🌸")


def prepare(words: int) -> Case:
    dice = random.Random(SEED)  # noqa: S311 — made-up text, no secret
    everyday = _everyday()
    lexicon = _words(words, dice, everyday)
    messages = _messages(dice, everyday, lexicon)
    one_by_one, in_batches = _our_ways(lexicon, messages)
    limit, peer, by_trie = _other_ways(lexicon, messages)
    seconds = _interleaved({"limit": limit, "single": one_by_one, "trie": by_trie})
    compiled = _compilation(dice, everyday)
    trie_s = seconds["trie"] * MESSAGES / TRIE_MESSAGES
    EXTRA.update(
        trie_s=trie_s,
        single_of_limit=seconds["limit"] / seconds["single"],
        compile_to_limit=compiled["ours"] / compiled["limit"],
    )
    notes: dict[str, Any] = {
        "messages": MESSAGES,
        "everyday_text": EVERYDAY.exists(),
        "with_hits": in_batches(),
        "batch": BATCH,
        "single_s": round(seconds["single"], 4),
        "trie_s": round(trie_s, 4),
        "compile_s": round(compiled["ours"], 4),
        "compile_limit_s": round(compiled["limit"], 4),
    }
    return Case(limit, in_batches, peer, peer_scale=MESSAGES / PEER_MESSAGES, notes=notes)


def _our_ways(lexicon: list[str], messages: list[str]) -> tuple[Way, Way]:
    """One text at a time, as a campaign is screened; and in batches, as the archive is."""
    from risk.actions.screening import Direction, screen_text, screen_texts

    corp = _corp_with(lexicon)

    def one_by_one() -> None:
        for text in messages:
            screen_text(text, corp=corp, direction=Direction.STAFF)

    def in_batches() -> int:
        with_hits = 0
        for first in range(0, MESSAGES, BATCH):
            batch = messages[first : first + BATCH]
            verdicts = screen_texts(batch, corp=corp, direction=Direction.STAFF)
            with_hits += sum(1 for verdict in verdicts if verdict.hits)
        return with_hits

    return one_by_one, in_batches


def _other_ways(lexicon: list[str], messages: list[str]) -> tuple[Way, Way, Way]:
    """The bare automaton and a loop over words on clean text; a trie with OpenCC on any."""
    import daachorse
    from opencc import OpenCC

    from risk.screening.folding import fold_words, plain_table

    clean = fold_words(messages, plain_table())
    words = sorted(set(fold_words(lexicon, plain_table())))
    automaton = daachorse.CharwiseDoubleArrayAhoCorasick(words, use_prefilter=False)
    trie, convert = _trie(words), OpenCC("t2s").convert

    def limit() -> None:
        for text in clean:
            automaton.find_overlapping(text)

    def loop() -> None:
        for text in clean[:PEER_MESSAGES]:
            [word for word in words if word in text]

    def by_trie() -> None:
        for text in messages[:TRIE_MESSAGES]:
            _walk(trie, _normalised(text, convert))

    return limit, loop, by_trie


def _corp_with(lexicon: list[str]) -> "Corp":
    """A corp that has published the words, and a rule of every kind."""
    from django.utils import timezone

    from risk.models import Lexicon, Publication, RiskRule
    from scrm.tenancy.models import Corp

    now = timezone.now()
    corp, _ = Corp.objects.get_or_create(
        corp_id="bench-screening", defaults={"name": "Screening", "created_at": now}
    )
    dated = {"created_at": now, "updated_at": now, "severity": "high", "category": "bench"}
    Lexicon.objects.filter(corp=corp).delete()
    RiskRule.objects.filter(corp=corp).delete()
    Lexicon.objects.create(corp=corp, name="words", words=lexicon, allow=["微信支付"], **dated)
    settings = {
        "link": {"hosts": ["brand.com"]},
        "words_together": {"words": [["加", "添加"], ["微信", "vx"]], "within": 6},
    }
    for kind in RiskRule.Kind.values:
        RiskRule.objects.create(
            corp=corp, name=kind, kind=kind, settings=settings.get(kind, {}), **dated
        )
    Publication.objects.update_or_create(corp=corp, defaults={"version": 1, "published_at": now})
    return corp


EXTRA: dict[str, float] = {}


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    extra = dict(EXTRA)
    return {
        "of_limit": limit / ours,
        "over_peer": (peer or 0) / ours,
        "over_trie": extra.pop("trie_s") / ours,
        **extra,
    }


def _everyday() -> str:
    """Real sentences where they are at hand, else characters as frequent as in the packs."""
    if EVERYDAY.exists():
        with EVERYDAY.open(encoding="utf-8-sig", newline="") as file:
            return "".join(row["TEXT"] for row in csv.DictReader(file))
    from risk.actions.packs import packs

    dice = random.Random(SEED)  # noqa: S311
    common = "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学，。！"
    spoken = common * 12 + "".join("".join(pack.draft.words) for pack in packs().values())
    return "".join(dice.choices(spoken, k=300_000))


def _words(count: int, dice: random.Random, everyday: str) -> list[str]:
    """Words of two to six characters that begin like others and that hardly anybody says."""
    letters = "".join(char for char in everyday if "\u4e00" <= char <= "\u9fff")
    rare = sorted({chr(code) for code in range(0x4E00, 0x9FA6)} - set(everyday))
    words: set[str] = set()
    while len(words) < count:
        start = dice.randrange(len(letters) - 3)
        stem = letters[start : start + dice.randint(1, 3)]
        words.add(stem + "".join(dice.choices(rare, k=dice.randint(1, 3))))
    return sorted(words)


def _messages(dice: random.Random, everyday: str, words: list[str]) -> list[str]:
    """Stretches of everyday text; in one of twenty somebody hides a word."""
    messages = []
    for number in range(MESSAGES):
        length = dice.randint(SHORTEST, LONGEST)
        start = dice.randrange(len(everyday) - length)
        text = everyday[start : start + length]
        if number % 20 == 0:
            hidden = dice.choice(_DISGUISES).join(dice.choice(words))
            text = (text[: length // 2] + hidden + text[length // 2 :])[:LONGEST]
        messages.append(text)
    return messages


def _trie(words: list[str]) -> dict[str, Any]:
    trie: dict[str, Any] = {}
    for word in words:
        node = trie
        for char in word:
            node = node.setdefault(char, {})
        node[""] = word
    return trie


def _walk(trie: dict[str, Any], text: str) -> list[str]:
    found = []
    for start in range(len(text)):
        node = trie
        for char in text[start:]:
            if char not in node:
                break
            node = node[char]
            if "" in node:
                found.append(node[""])
    return found


def _normalised(text: str, convert: Callable[[str], str]) -> str:
    import unicodedata

    folded = convert(unicodedata.normalize("NFKC", text).lower())
    return "".join(char for char in folded if char.isalnum())


def _compilation(dice: random.Random, everyday: str) -> dict[str, float]:
    import daachorse

    from risk.screening.engine import Rule, RuleSet

    words = _words(COMPILED_WORDS, dice, everyday)
    rule = Rule("words", "bench", "high", words=words)
    return _interleaved(
        {
            "limit": partial(daachorse.CharwiseDoubleArrayAhoCorasick, words),
            "ours": lambda: RuleSet([rule]),
        }
    )


def _interleaved(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, act in ways.items():
            started = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    run("screening", prepare, ratios, size=10_000)
