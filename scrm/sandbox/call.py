"""One request as an endpoint sees it, with the platform's way of checking parameters."""

from dataclasses import dataclass, field
from typing import Any

from scrm.sandbox.errors import Refused
from scrm.sandbox.files import UploadedFile
from scrm.sandbox.records import Member, Person
from scrm.sandbox.tokens import TokenDesk
from scrm.sandbox.world import World

# What a 64-bit integer holds; nobody means more, and dates and strings cannot cope with it.
LARGEST = 2**63 - 1
DIGITS = 19


@dataclass
class Call:
    """Parameters come from the query of a GET and from the JSON body of a POST."""

    world: World
    tokens: TokenDesk
    path: str
    parameters: dict[str, Any]
    # Files of a multipart body by their fields, and which part of an answered file is wanted.
    files: dict[str, UploadedFile] = field(default_factory=dict)
    byte_range: str = ""

    @property
    def now(self) -> int:
        return self.world.now()

    def text(self, name: str, *, missing: int = 40063) -> str:
        """Return a required text; `missing` is the errcode when it is absent or empty."""
        value = self.optional_text(name)
        if not value:
            raise Refused(missing, name)
        return value

    def optional_text(self, name: str) -> str:
        value = self.parameters.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Refused(40058, f"{name} must be a string")
        return value

    def limited_text(self, name: str, length: int) -> str | None:
        """Return an optional text of at most `length` characters; None when absent."""
        if name not in self.parameters:
            return None
        value = self.optional_text(name)
        if len(value) > length:
            raise Refused(40058, f"{name} exceeds {length} characters")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a number (digits in a text will do); 40063 when absent without a default."""
        value = self.parameters.get(name)
        if value is None or value == "":
            if default is None:
                raise Refused(40063, name)
            return default
        return to_integer(value, name)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return an optional truth value; 0 and 1 will do."""
        value = self.parameters.get(name)
        if value is None:
            return default
        if value not in (0, 1) or isinstance(value, float):
            raise Refused(40058, f"{name} must be a boolean")
        return bool(value)

    def integers(self, name: str, *, at_most: int | None = None) -> list[int]:
        """Return an optional list of numbers."""
        value = self.parameters.get(name)
        if value is None:
            return []
        return to_integers(value, name, at_most)

    def texts(self, name: str, *, at_most: int | None = None) -> list[str]:
        """Return an optional list of texts."""
        value = self.parameters.get(name)
        if value is None:
            return []
        return to_texts(value, name, at_most)

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.parameters.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Refused(40058, f"{name} must be an object")
        return value

    def page_size(self, *, default: int, maximum: int, clamp: bool) -> int:
        """Return the limit; a larger one is clamped or falls back to the default, by endpoint."""
        limit = self.integer("limit", default)
        if limit < 1:
            return default
        if limit > maximum:
            return maximum if clamp else default
        return limit

    def member(self, name: str = "userid") -> Member:
        """Return the member named by a required parameter; 60111 when there is none."""
        return self.find_member(self.text(name))

    def find_member(self, userid: str) -> Member:
        member = self.world.find_member(userid)
        if member is None:
            raise Refused(60111, userid)
        if not self.world.sees(member):
            raise Refused(60011, userid)
        return member

    def former_member(self, name: str) -> Member:
        """Return the member named, who may have left; 60111 when nobody ever was called that."""
        userid = self.text(name)
        member = self.world.find_anybody(userid)
        if member is None:
            raise Refused(60111, userid)
        return member

    def person(self) -> Person:
        external_userid = self.text("external_userid", missing=41035)
        person = self.world.persons.get(external_userid)
        if person is None:
            raise Refused(40096, external_userid)
        return person


def to_integer(value: object, name: str) -> int:
    if isinstance(value, bool):
        raise Refused(40058, f"{name} must be a number")
    if isinstance(value, str) and value.isdecimal() and len(value) <= DIGITS:
        value = int(value)
    if isinstance(value, int) and abs(value) <= LARGEST:
        return value
    raise Refused(40058, f"{name} must be a number")


def to_integers(value: object, name: str, at_most: int | None = None) -> list[int]:
    if not isinstance(value, list) or (at_most is not None and len(value) > at_most):
        raise Refused(40058, f"{name} must be a list of numbers, not too long")
    return [to_integer(item, name) for item in value]


def to_texts(value: object, name: str, at_most: int | None = None) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(40058, f"{name} must be a list of strings")
    if at_most is not None and len(value) > at_most:
        raise Refused(40058, f"{name} exceeds {at_most} items")
    return value
