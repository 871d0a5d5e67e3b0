"""Walks over all served contacts, each of which sees what there was when it began."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ContactWalk:
    """The rows of one walk; who is in several of them has one name in all, and in no other walk."""

    began_at: float
    rows: list[dict[str, Any]] = field(default_factory=list)
