"""How people hide a word: every kind of disguise the screening is to see through.

`normative` ones are seen through always, `optional` ones where a lexicon asks for it.
"""

import random
from collections.abc import Callable, Mapping

from opencc import OpenCC
from pypinyin import lazy_pinyin

Disguise = Callable[[str, random.Random], str]

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\ufe0f"
_COMBINING = "\u0301\u0308\u0336\u0489\u20dd\u20e3\u0e49"
_SPACES = [" ", "\u3000", "\u00a0", "\t", "\n", "\u2003", "   "]
_PUNCTUATION = [*list("，。、！？…—-_.·*~|/\\()（）【】《》:：;；'\"“”^#@&+=<>%$"), "......", "-*-"]
_EMOJI = ["😀", "🌸", "❤️", "👍🏽", "👨‍👩‍👧", "🇨🇳", "✨", "★", "☀️", "💰"]
_SPLIT = {"你": "亻尔", "好": "女子", "加": "力口", "信": "亻言", "微": "彳𢼸", "证": "讠正", "银": "钅艮", "行": "彳亍", "转": "车专", "赌": "贝者"}  # fmt: skip
_LOOKALIKES = {"微": "薇徽溦", "信": "❤♥芯", "加": "+➕", "v": "Vν√", "x": "✖Хх", "群": "裙", "钱": "💰", "赌": "睹"}  # fmt: skip
_to_traditional = [OpenCC(name) for name in ("s2t", "s2tw", "s2hk")]


def _between(pieces: list[str]) -> Disguise:
    """Something between some or all of the characters, never nowhere."""

    def disguise(word: str, dice: random.Random) -> str:
        places = [place for place in range(1, len(word)) if dice.random() < 0.6] or [1]
        return "".join(
            (dice.choice(pieces) if place in places else "") + char
            for place, char in enumerate(word)
        )

    return disguise


def _full_width(word: str, dice: random.Random) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)


def _case(word: str, dice: random.Random) -> str:
    return "".join(dice.choice((char.upper(), char.lower())) for char in word)


def _traditional(word: str, dice: random.Random) -> str:
    converted: str = dice.choice(_to_traditional).convert(word)
    return converted


def _circled(word: str, dice: random.Random) -> str:
    def drawn(char: str) -> str:
        if "a" <= char.lower() <= "z":
            return chr(0x24D0 + ord(char.lower()) - ord("a"))
        return "⓪①②③④⑤⑥⑦⑧⑨"[int(char)] if char in "0123456789" else char

    return "".join(map(drawn, word))


def _mathematical(word: str, dice: random.Random) -> str:
    return "".join(
        chr(0x1D41A + ord(char.lower()) - ord("a")) if "a" <= char.lower() <= "z" else char
        for char in word
    )


def _everything(word: str, dice: random.Random) -> str:
    hidden = _full_width(_case(_traditional(word, dice), dice), dice)
    return _between([*_ZERO_WIDTH, *_SPACES, *_PUNCTUATION, *_EMOJI])(hidden, dice)


def _repeats(word: str, dice: random.Random) -> str:
    return "".join(char * dice.randint(1, 4) for char in word)


def _lookalikes(word: str, dice: random.Random) -> str:
    return "".join(dice.choice(_LOOKALIKES.get(char.lower(), char)) for char in word)


def _split(word: str, dice: random.Random) -> str:
    return "".join(_SPLIT.get(char, char) for char in word)


def _pinyin(word: str, dice: random.Random) -> str:
    syllables = lazy_pinyin(word, errors=list)  # type: ignore[arg-type]  # narrower than it is
    if len(word) <= 4 and dice.random() < 0.5:
        syllables = [dice.choice(pair) for pair in zip(syllables, word, strict=True)]
    return dice.choice(["", " "]).join(syllables)


NORMATIVE: Mapping[str, Disguise] = {
    "as it is": lambda word, dice: word,
    "width": _full_width,
    "case": _case,
    "traditional": _traditional,
    "circled": _circled,
    "mathematical": _mathematical,
    "zero-width": _between(list(_ZERO_WIDTH)),
    "combining": _between(list(_COMBINING)),
    "spaces": _between(_SPACES),
    "punctuation": _between(_PUNCTUATION),
    "emoji": _between(_EMOJI),
    "all together": _everything,
}
OPTIONAL: Mapping[str, Disguise] = {
    "repeats": _repeats,
    "lookalikes": _lookalikes,
    "split": _split,
    "pinyin": _pinyin,
}
