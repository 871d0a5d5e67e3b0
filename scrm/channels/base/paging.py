"""Lists that the platform hands out page by page."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and what to ask for the rest; an empty cursor is the end.

    Cursors are good for a short time only, and only for the same question.
    """

    rows: tuple[Row, ...]
    next_cursor: str
