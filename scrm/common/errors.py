"""What can go wrong in a way we expected, and how it is told.

Raise a `DomainError` subclass beside the action that finds the trouble: the API turns it into
problem+json, the admin into a message, a command into one line on stderr.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with the input; `path` is a JSON pointer into it ("/rule/all/0/value")."""

    path: str
    code: str
    message: str


class DomainError(Exception):
    """An anticipated failure; its text is a sentence that says what to change."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409

    def __init__(self, detail: str, *, errors: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class InvalidInput(DomainError):
    """The input cannot be taken as it is; `errors` name the places."""

    code = "invalid"
    status = 422
