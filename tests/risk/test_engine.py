"""The screening engine: what it finds, where, and that it agrees with a slow and simple reading."""

import random
import unicodedata
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.screening.engine import MAX_FOUND, Found, Rule, RuleSet
from risk.screening.folding import fold, is_invisible, plain_table
from tests.risk.disguises import NORMATIVE, OPTIONAL


def words(*forbidden: str, **more: object) -> Rule:
    return Rule("w", "c", "high", words=forbidden, **more)  # type: ignore[arg-type]


def pattern(kind: str, **settings: object) -> Rule:
    return Rule(kind, "c", "high", kind=kind, settings=settings)


def found(rule: Rule, text: str) -> list[str]:
    return [text[each.start : each.end] for each in RuleSet([rule]).screen([text])[0]]


@pytest.mark.parametrize(
    ("word", "text", "passages"),
    [
        ("加微信", "可以加微信吗", ["加微信"]),
        ("加微信", "请加 微\u200b信", ["加 微\u200b信"]),
        ("加微信", "請加🌸微，信", ["加🌸微，信"]),
        ("私下转账", "我們私下轉賬", ["私下轉賬"]),
        ("vx", "ＶⅩ：abc", ["ＶⅩ"]),
        ("vx", "加vx123", ["vx"]),
        ("vx", "v x", ["v x"]),
        ("vx", "devx vxy", []),
        ("vx", "de\u200bvx", []),
        ("vx", "dévx de\u0301vx", []),
        ("ad", "had a dog", []),
        ("ad", "an a.d. here", ["a.d"]),
        ("café", "CAFE\u0301 cafe", ["CAFE\u0301"[:4], "cafe"]),
        ("100", "1000 100% 2100", ["100"]),
        ("fi", "ﬁ", ["ﬁ"]),
        ("kg", "5㎏", ["㎏"]),
        ("g", "㎏", []),
        ("微信", "微™信", ["微™信"]),
        ("straße", "STRASSE", ["STRASSE"]),
        ("第1名", "第①名", ["第①名"]),
        ("微信", "𝐯 微\U000e0101信", ["微\U000e0101信"]),
        ("哈哈", "哈哈哈", ["哈哈", "哈哈"]),
    ],
)
def test_finds_a_word(word: str, text: str, passages: list[str]) -> None:
    assert found(words(word), text) == passages


def test_reports_every_overlapping_passage() -> None:
    rule = words("加微信", "微信", "微信号", "信号")

    assert found(rule, "加微信号") == ["加微信", "微信", "微信号", "信号"]


def test_an_allowed_phrase_takes_the_hits_inside_it_away() -> None:
    rules = RuleSet([words("微信", allow=("企业微信", "微信支付")), words("信支")])

    assert found(rules.rules[0], "企业微信里微信支付，加微信") == ["微信"]
    assert [each.rule for each in rules.screen(["微信支付"])[0]] == [rules.rules[1]]


def test_an_allowed_phrase_that_is_pulled_apart_allows_nothing() -> None:
    assert found(words("微信", allow=("微信支付",)), "加微信，支付给我") == ["微信"]


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("打13800138000", ["13800138000"]),
        ("１３８-0013-8000, 2件", ["１３８-0013-8000"]),
        ("一三八零零一三八零零零", ["一三八零零一三八零零零"]),
        ("①③⑧00138000", ["①③⑧00138000"]),
        ("1🌸3🌸8🌸0🌸0🌸1🌸3🌸8🌸0🌸0🌸0", ["1🌸3🌸8🌸0🌸0🌸1🌸3🌸8🌸0🌸0🌸0"]),
        ("+86 138 0013 8000", ["138 0013 8000"]),
        ("008613800138000", ["13800138000"]),
        ("138001380001", []),
        ("12345678901", []),
        ("2023-10-15 13:00:00 123", []),
        ("价138元，共0013，8000", []),
    ],
)
def test_finds_telephone_numbers(text: str, passages: list[str]) -> None:
    assert found(pattern("phone"), text) == passages


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("卡号 6222 0212 3456 7890 128", ["6222 0212 3456 7890 128"]),
        ("6222021234567890128", ["6222021234567890128"]),
        ("6222021234567890127", []),
        ("４１１１１１１１１１１１１１１１", ["４１１１１１１１１１１１１１１１"]),
        ("1234567890123456", []),
    ],
)
def test_finds_bank_cards(text: str, passages: list[str]) -> None:
    assert found(pattern("bank_card"), text) == passages


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("写信到 Li.Wei+1@Brand.com。", ["Li.Wei+1@Brand.com"]),
        ("ａ＠ｂ．ｃｏｍ", ["ａ＠ｂ．ｃｏｍ"]),
        ("@小李 看a.b", []),
        ("a" * 5000 + "@", []),
    ],
)
def test_finds_addresses_of_mail(text: str, passages: list[str]) -> None:
    assert found(pattern("email"), text) == passages


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("看www.evil.cn/x?y=1，好", ["www.evil.cn/x?y=1"]),
        ("https://shop.brand.com/a brand.com", []),
        ("https://brand.com.evil.net/a", ["https://brand.com.evil.net/a"]),
        ("http://brand.com@evil.net", ["http://brand.com@evil.net"]),
        ("http://evil.net:80/brand.com", ["http://evil.net:80/brand.com"]),
        ("ｗｗｗ。evil。com", ["ｗｗｗ。evil。com"]),
        ("evil\u200b.com", ["evil\u200b.com"]),
        ("HTTP://1.2.3.4/x", ["HTTP://1.2.3.4/x"]),
        ("3.5kg 报价.xlsx v1.0 e.g. 好。co", []),
        ("a." * 5000, []),
    ],
)
def test_finds_links_to_other_hosts(text: str, passages: list[str]) -> None:
    assert found(pattern("link", hosts=["brand.com"]), text) == passages


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("加我的小微信", ["加我的小微信"]),
        ("微信可以加", ["微信可以加"]),
        ("加一二三四五六微信", []),
        ("加，，，，，，，，微信", ["加，，，，，，，，微信"]),
        ("微信，微信", []),
        ("加 加微信", ["加微信"]),
    ],
)
def test_finds_words_near_each_other(text: str, passages: list[str]) -> None:
    rule = pattern("words_together", words=[["加", "添加"], ["微信", "vx"]], within=5)

    assert found(rule, text) == passages


@pytest.mark.parametrize(
    ("option", "word", "text", "plain"),
    [
        ("repeats", "加微信", "加加加微微信", []),
        ("repeats", "天天", "天天天", ["天天", "天天"]),
        ("repeats", "天天", "今天好", []),
        ("lookalikes", "加微信", "➕V❤", []),
        ("lookalikes", "vx", "devx", []),
        ("lookalikes", "vx", "рrеvх", []),
        ("split", "你好", "亻尔女子", []),
        ("split", "好", "女子", []),
        ("pinyin", "加微信", "jia weixin", []),
        ("pinyin", "加微信", "加wei信", []),
        ("pinyin", "加微信", "这个价位新", []),
    ],
)
def test_sees_through_more_where_it_is_asked_to(
    option: str, word: str, text: str, plain: list[str]
) -> None:
    never = {"今天好", "devx", "女子", "这个价位新", "рrеvх"}
    assert found(words(word), text) == plain
    assert found(words(word, options=(option,)), text) == ([] if text in never else [text])


def test_directions_and_departments_say_which_rules_hold() -> None:
    rules = RuleSet(
        [
            words("微信"),
            words("微信", directions=("staff",)),
            words("微信", departments=(7,)),
            words("微信", directions=("campaign",), departments=(8,)),
        ]
    )

    assert rules.holding("staff", None) == {0, 1, 2}
    assert rules.holding("staff", frozenset({8})) == {0, 1}
    assert rules.holding("campaign", frozenset({8, 9})) == {0, 3}
    assert rules.holding(None, None) == {0, 1, 2, 3}
    assert len(rules.screen(["微信"], holding=rules.holding("staff", frozenset({8})))[0]) == 2


def test_a_hostile_text_is_screened_and_its_worst_is_not_lost() -> None:
    rules = RuleSet(
        [
            Rule("low", "c", "low", words=["哈", "哈哈", "哈哈哈"]),
            Rule("high", "c", "high", words=["炸弹"]),
        ]
    )

    passages = rules.screen(["哈" * 200_000 + "炸弹"])[0]

    assert len(passages) == MAX_FOUND + 1
    assert passages[-1].rule is rules.rules[1]


def test_no_rules_find_nothing() -> None:
    assert list(RuleSet([]).screen(["微信", ""])) == [(), ()]


# --- against a slow and simple reading ---

_ALPHABET = "微信加v x，。🌸ＶX\u200b\u0301ﬁ㎏é信a1１①\n❤天請請转轉"
_TEXTS = st.text(_ALPHABET, max_size=24) | st.text(max_size=40)
_FORBIDDEN = ("加微信", "微信", "vx", "xv", "转", "fi", "天天", "a1", "1", "请转")


def _read_slowly(text: str) -> list[tuple[str, int]]:
    return [
        (char, place) for place, each in enumerate(text) for char in fold(each, plain_table()).text
    ]


def _kind(char: str) -> str:
    base = unicodedata.normalize("NFKD", char)[0]
    return "1" if base.isdecimal() else "a" if base.isalpha() and base < "\u0e00" else ""


def _find_slowly(text: str, forbidden: Sequence[str]) -> set[tuple[str, int, int]]:
    read = _read_slowly(text)

    def goes_on(place: int) -> bool:
        if not 0 < place < len(read):
            return False
        before, after = read[place - 1][1], read[place][1]
        same = _kind(text[before]) and _kind(text[before]) == _kind(text[after])
        return bool(same) and all(map(is_invisible, text[before + 1 : after]))

    hits = set()
    for word in forbidden:
        wanted = "".join(char for char, _ in _read_slowly(word))
        for start in range(len(read) - len(wanted) + 1):
            end = start + len(wanted)
            same = "".join(char for char, _ in read[start:end]) == wanted
            if same and not goes_on(start) and not goes_on(end):
                hits.add((wanted, read[start][1], read[end - 1][1] + 1))
    return hits


_EACH = RuleSet([Rule(word, "c", "high", words=(word,)) for word in _FORBIDDEN])


def _as_set(passages: Sequence[Found]) -> set[tuple[str, int, int]]:
    return {(fold(each.rule.name, plain_table()).text, each.start, each.end) for each in passages}


@given(_TEXTS)
def test_finds_what_a_slow_reading_finds(text: str) -> None:
    assert _as_set(_EACH.screen([text])[0]) == _find_slowly(text, _FORBIDDEN)


@given(st.lists(_TEXTS, max_size=6))
def test_many_texts_are_screened_as_each_alone(texts: list[str]) -> None:
    assert [list(each) for each in _EACH.screen(texts)] == [
        list(_EACH.screen([text])[0]) for text in texts
    ]


@given(_TEXTS)
def test_composed_and_decomposed_texts_read_the_same(text: str) -> None:
    readings = {
        fold(unicodedata.normalize(form, text), plain_table()).text for form in ("NFC", "NFD")
    }
    hangul = any("\u1100" <= char <= "\u11ff" or "\uac00" <= char <= "\ud7ff" for char in text)

    assert hangul or len(readings) == 1


@given(
    st.sampled_from(["加微信", "私下转账", "加我vx", "银行卡", "top榜首"]),
    st.sampled_from(sorted(NORMATIVE)),
    st.sampled_from(["", "请", "好的，", "13"]),
    st.sampled_from(["", "吧", "。谢谢", "2", "!"]),
    st.integers(0, 2**32),
)
def test_no_normative_disguise_hides_a_word(
    word: str, kind: str, before: str, after: str, seed: int
) -> None:
    hidden = NORMATIVE[kind](word, random.Random(seed))  # noqa: S311
    text = f"{before}{hidden}{after}"

    passages = RuleSet([words(word)]).screen([text])[0]

    assert (len(before), len(before) + len(hidden)) in {(each.start, each.end) for each in passages}


@pytest.mark.parametrize(("kind", "word"), list(product(OPTIONAL, ["加微信", "银行转账"])))
def test_optional_disguises_are_no_hiding_place_either(kind: str, word: str) -> None:
    rules = RuleSet([words(word, options=(kind,))])

    for seed in range(50):
        hidden = OPTIONAL[kind](word, random.Random(seed))  # noqa: S311
        assert rules.screen([f"请{hidden}吧"])[0], hidden
