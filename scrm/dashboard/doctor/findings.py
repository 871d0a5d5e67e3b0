"""What the doctor says: one finding a check."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    # What cannot be known from here is not called well.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do about it; both in the reader's language."""

    check: str
    verdict: Verdict
    title: str
    found: str
    remedy: str = ""
    # A place in the admin that shows more; empty when the remedy is in the platform's console.
    link: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict.value}
