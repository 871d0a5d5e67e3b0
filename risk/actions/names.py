"""What customers and group chats are called: `risk` stands below the apps that know."""

from collections.abc import Callable, Collection, Mapping
from typing import Literal

from scrm.tenancy.models import Corp

Kind = Literal["customer", "chat"]
Finder = Callable[[Corp, Collection[str]], Mapping[str, str]]
_finders: dict[Kind, Finder] = {}


def register_names(kind: Kind, finder: Finder) -> None:
    """`finder(corp, platform ids)` returns the names it knows."""
    _finders[kind] = finder


def names_of(kind: Kind, ids: Collection[str], *, corp: Corp) -> Mapping[str, str]:
    """The known names by platform id; who has none is left out."""
    wanted = {each for each in ids if each}
    finder = _finders.get(kind)
    return finder(corp, wanted) if finder and wanted else {}
