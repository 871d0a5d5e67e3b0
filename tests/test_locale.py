"""The Chinese catalogue says everything the product says, and is compiled as it is written."""

import re
from pathlib import Path
from typing import Any

import polib
import pytest
from django.utils import translation
from django.utils.translation import gettext, ngettext

from tests.catalogue import PO, Text, text_of, texts_in, texts_of_the_project

PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|{\w*}")


@pytest.fixture(scope="module")
def catalogue() -> dict[Text, polib.POEntry]:
    return {text_of(entry): entry for entry in polib.pofile(str(PO))}


def chinese(entry: Any) -> str:
    return str(entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr)


def test_texts_are_found_in_code_and_templates(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text('_("one " "text"); ngettext("%(n)d cat", "%(n)d cats", 2); pgettext("a", "b")')
    page = tmp_path / "templates" / "page.html"
    page.parent.mkdir()
    page.write_text(
        '{% load i18n %}{% translate "it\'s (here)" %}{% translate "S" context "staff" %}'
        "{% blocktranslate count n=2 %}{{ n }} cat{% plural %}{{ n }} cats{% endblocktranslate %}"
    )

    assert set(texts_in(code)) == {
        Text("one text"),
        Text("%(n)d cat", "%(n)d cats"),
        Text("b", context="a"),
    }
    assert set(texts_in(page)) == {
        Text("it's (here)"),
        Text("S", context="staff"),
        Text("%(n)s cat", "%(n)s cats"),
    }


def test_every_text_of_the_project_has_chinese(catalogue: dict[Text, polib.POEntry]) -> None:
    missing = [
        f"{text.msgid!r} ({files[0]})"
        for text, files in texts_of_the_project().items()
        if text not in catalogue or not chinese(catalogue[text]).strip()
    ]

    # `python -m tests.catalogue` adds them to the file.
    assert missing == []


def test_nothing_is_guessed_and_nothing_is_left_over(
    catalogue: dict[Text, polib.POEntry],
) -> None:
    wanted = texts_of_the_project()

    assert [text.msgid for text, entry in catalogue.items() if entry.fuzzy] == []
    assert [text.msgid for text in catalogue if text not in wanted] == []


def test_chinese_has_the_same_places_to_fill_in(catalogue: dict[Text, polib.POEntry]) -> None:
    wrong = [
        text.msgid
        for text, entry in catalogue.items()
        if sorted(PLACES.findall(text.msgid)) != sorted(PLACES.findall(chinese(entry)))
    ]

    assert wrong == []


def test_chinese_is_written_with_chinese_marks(catalogue: dict[Text, polib.POEntry]) -> None:
    # A sentence that ends in a Latin stop was forgotten half-way.
    wrong = [
        chinese(entry)
        for entry in catalogue.values()
        if re.search(r"[一-鿿][.,;?!:]( |$)", chinese(entry))
    ]

    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    written = {text_of(entry): chinese(entry) for entry in polib.pofile(str(PO))}
    compiled = {
        text_of(entry): chinese(entry) for entry in polib.mofile(str(PO.with_suffix(".mo")))
    }

    assert compiled == written


def test_the_product_speaks_chinese_and_english() -> None:
    with translation.override("zh-hans"):
        assert gettext("Customers") == "客户"
        assert ngettext("%(count)d operation is cancelled.", "%(count)d operations are cancelled.", 2) == "已取消 %(count)d 个操作。"  # fmt: skip
    with translation.override("en"):
        assert gettext("Customers") == "Customers"
