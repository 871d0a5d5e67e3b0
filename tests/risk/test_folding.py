"""The table of code points against OpenCC and Unicode: where they differ was decided."""

import sys
import unicodedata
from collections.abc import Iterator
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC

from risk.screening.folding import fold, fold_words, join, plain_table

# What OpenCC writes by phrase, with characters that are simplified ones of their own: 坐标 becomes
# 座標, 呆会 待會. Found as they are written; folding them together would take 座 for 坐 everywhere.
LEFT_APART = {
    "坐座", "呆待", "炼链", "链炼", "具俱", "并幷", "仇雠", "周赒", "酰醯", "吣唚", "蔽庇", "钜巨", "穗𰬸", "戚𬭭",
}  # fmt: skip


def read(text: str) -> str:
    return fold(text, plain_table()).text


def _phrases() -> Iterator[tuple[str, str]]:
    source = files("opencc").joinpath("dictionary/STPhrases.txt").read_text("utf-8")
    for line in source.splitlines():
        simplified, _, choices = line.partition("\t")
        for traditional in choices.split():
            yield simplified, traditional


def test_traditional_phrases_read_as_the_simplified_ones() -> None:
    different = {
        pair: (simplified, traditional)
        for simplified, traditional in _phrases()
        for pair in map("".join, zip(read(simplified), read(traditional), strict=True))
        if pair[0] != pair[1]
    }

    assert set(different) <= LEFT_APART


@pytest.mark.parametrize("region", ["s2t", "s2tw", "s2hk"])
def test_a_text_reads_the_same_in_every_region(region: str) -> None:
    text = "裡面着急複製關係為台灣衛生乾淨發財後面裏頭週末鬆開麵條鐘錶"
    text += "加我私人微信，银行转账，绝对有效，保证治好，复制，了解，着名，回复，台湾，群里，账号"

    assert read(OpenCC(region).convert(text)) == read(text)


def test_what_is_read_once_reads_the_same_again() -> None:
    readings = [(chr(code), read(chr(code))) for code in range(sys.maxunicode + 1)]

    assert [char for char, once in readings if once and read(once) != once] == []


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_character_reads_as_its_normal_forms(form: str) -> None:
    different = [
        char
        for char in map(chr, range(0x20000))
        if not unicodedata.category(char).startswith("C")
        if read(unicodedata.normalize(form, char)) != read(char)  # type: ignore[arg-type]
    ]

    # Signs that are dropped like the emoji they look like, and Korean, which has no disguise here.
    kept_apart = {"™", "℠"}
    assert [
        char
        for char in different
        if char not in kept_apart and "HANGUL" not in unicodedata.name(char) and "KOREAN" not in unicodedata.name(char)
    ] == []  # fmt: skip


@given(st.text())
def test_every_character_has_its_place_in_the_original(text: str) -> None:
    folded = fold(text, plain_table())

    places = list(map(int, folded.first))
    assert len(places) == len(folded.text)
    assert places == sorted(places)
    for char, place in zip(folded.text, places, strict=True):
        assert char in read(text[place])


@given(st.lists(st.text(max_size=8), max_size=6))
def test_words_read_together_as_each_alone(words: list[str]) -> None:
    assert fold_words(words, plain_table()) == [read(word) for word in words]


def test_lone_surrogates_are_nothing() -> None:
    assert read("加\ud800微\udfff信") == "加微信"


def test_texts_in_a_row_keep_their_places() -> None:
    joined, barriers = join(["ab", "", "c"])

    assert [joined[place] for place in barriers] == ["\n", "\n"]
    assert list(barriers) == [2, 3]
