"""JSON answers by their shape: which fields there are, and of which type each is."""

from collections.abc import Iterator
from typing import Any

Shape = dict[str, set[str]]


def shape_of(*answers: Any) -> Shape:
    """Every field as a path with the types it has; rows of a list, and answers, taken together."""
    shape: Shape = {}
    for answer in answers:
        for path, kind in _fields(answer, ""):
            shape.setdefault(path, set()).add(kind)
    return shape


def _fields(answer: Any, path: str) -> Iterator[tuple[str, str]]:
    if path:
        yield path, type(answer).__name__
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield from _fields(value, f"{path}.{name}")
    if isinstance(answer, list):
        for row in answer:
            yield from _fields(row, f"{path}[]")


def difference(documented: Any, *answered: Any) -> tuple[set[str], set[str], set[str]]:
    """Fields that are missing, that are too many, and that are of another type.

    Of what lies inside a missing field, only the field is told.
    """
    expected, found = shape_of(documented), shape_of(*answered)
    empty = empty_lists(documented)
    missing = {path for path in expected.keys() - found.keys() if _parent(path) in {"", *found}}
    surplus = {
        path
        for path in found.keys() - expected.keys()
        if _parent(path) in {"", *expected} and _parent(path) not in empty
    }
    wrong = {path for path in expected.keys() & found.keys() if expected[path] != found[path]}
    return missing, surplus, wrong


def empty_lists(answer: Any) -> set[str]:
    """Lists of which no row is shown anywhere."""
    shape = shape_of(answer)
    return {path for path, kinds in shape.items() if "list" in kinds and f"{path}[]" not in shape}


def _parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]
