"""The Chinese catalogue: what has to be in it, brought up to date and compiled without gettext.

`python -m tests.catalogue` adds new texts to locale/zh_Hans/LC_MESSAGES/django.po (untranslated),
drops those that are gone, and compiles the .mo beside it.
"""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polib
import unfold
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
PO = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
OURS = ("scrm", "risk", "customers", "groups", "campaigns")
# The theme brings no Chinese of its own.
THEME = Path(unfold.__file__).parent
THEME_PARTS = ("filters", "import_export")
DJANGO_IN_CHINESE = ("django", "import_export")
# Covered, but in words that operators do not use.
WORDED_ANEW = ("Filters", " By %(filter_title)s ")

# How many of the first arguments are texts, and whether a context comes before them.
_FUNCTIONS = {
    "_": (1, False),
    "_t": (1, False),
    "_l": (1, False),
    "gettext": (1, False),
    "gettext_lazy": (1, False),
    "ngettext": (2, False),
    "ngettext_lazy": (2, False),
    "pgettext": (1, True),
    "pgettext_lazy": (1, True),
    "npgettext": (2, True),
}
_CALL_IN_TEMPLATE = re.compile(r"\b(n?p?gettext)\(")


class Text(NamedTuple):
    msgid: str
    plural: str = ""
    context: str = ""


def texts_of_the_project() -> dict[Text, list[str]]:
    """Every text that is marked for translation, with the files it stands in."""
    found: dict[Text, list[str]] = {}
    for name in OURS:
        for file in sorted((ROOT / name).rglob("*")):
            for text in texts_in(file):
                found.setdefault(text, []).append(str(file.relative_to(ROOT)))
    return found | _texts_of_the_theme(found)


def _texts_of_the_theme(found: dict[Text, list[str]]) -> dict[Text, list[str]]:
    """What Django's own Chinese does not cover already."""
    covered = {entry for package in DJANGO_IN_CHINESE for entry in _texts_in_mo(package)}
    texts: dict[Text, list[str]] = {}
    for file in sorted(THEME.rglob("*")):
        parts = file.relative_to(THEME).parts
        if parts[0] == "contrib" and not set(parts) & set(THEME_PARTS):
            continue
        for text in texts_in(file):
            is_missing = text.msgid in WORDED_ANEW or text.msgid not in covered
            if text not in found and is_missing:
                texts.setdefault(text, []).append("/".join(("unfold", *parts)))
    return texts


def _texts_in_mo(package: str) -> Iterator[str]:
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        for file in Path(folder).glob("**/locale/zh_Hans/LC_MESSAGES/django.mo"):
            yield from (entry.msgid for entry in polib.mofile(str(file)))


def texts_in(file: Path) -> Iterator[Text]:
    if file.suffix == ".py":
        yield from _texts_in_code(ast.parse(file.read_text()))
    elif file.suffix in {".html", ".txt"} and "templates" in file.parts:
        yield from _texts_in_template(file.read_text())


def _texts_in_template(source: str) -> Iterator[Text]:
    code = templatize(source)
    for call in _CALL_IN_TEMPLATE.finditer(code):
        # The call is the shortest piece from here on that is an expression.
        for end in re.finditer(r"\)", code[call.start() :]):
            try:
                expression = ast.parse(code[call.start() : call.start() + end.end()], mode="eval")
            except SyntaxError:
                continue
            yield from _texts_in_code(expression)
            break


def _texts_in_code(tree: ast.AST) -> Iterator[Text]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in _FUNCTIONS:
            continue
        count, has_context = _FUNCTIONS[name]
        texts = _constants(node.args[: count + has_context])
        if len(texts) == count + has_context and texts[-1]:
            context = texts.pop(0) if has_context else ""
            yield Text(texts[0], texts[1] if count == 2 else "", context)


def _constants(nodes: Iterable[ast.expr]) -> list[str]:
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def text_of(entry: Any) -> Text:
    return Text(entry.msgid, entry.msgid_plural or "", entry.msgctxt or "")


def update() -> int:
    """Bring the .po up to date and compile it; returns how many texts have no Chinese yet."""
    catalogue = polib.pofile(str(PO), wrapwidth=100)
    wanted = texts_of_the_project()
    known = {text_of(entry): entry for entry in catalogue}
    catalogue.clear()
    for text, files in sorted(wanted.items(), key=lambda pair: (pair[1][0], pair[0])):
        entry = known.get(text) or _new_entry(text)
        entry.occurrences = [(name, "") for name in dict.fromkeys(files)]
        entry.obsolete = False
        catalogue.append(entry)
    catalogue.save(str(PO))
    catalogue.save_as_mofile(str(PO.with_suffix(".mo")))
    return len(catalogue.untranslated_entries()) + len(catalogue.fuzzy_entries())


def _new_entry(text: Text) -> Any:
    entry = polib.POEntry(msgid=text.msgid, msgctxt=text.context or None)
    if "%(" in text.msgid:
        entry.flags.append("python-format")
    if text.plural:
        entry.msgid_plural = text.plural
        # Chinese has one form for all numbers.
        entry.msgstr_plural = {0: ""}
    return entry


if __name__ == "__main__":
    missing = update()
    sys.stdout.write(f"{missing} texts without Chinese\n")
