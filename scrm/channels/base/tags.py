"""Corp tags: their groups, and who has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class TagRecord:
    wecom_id: str
    name: str
    order: int


@dataclass(frozen=True)
class TagGroupRecord:
    wecom_id: str
    name: str
    order: int
    tags: tuple[TagRecord, ...]


@dataclass(frozen=True)
class TagWish:
    """A tag to be made: at most 30 characters; a larger `order` (below 2**32) comes first."""

    name: str
    order: int = 0


@dataclass(frozen=True)
class TagGroupWish:
    """Tags for a group: one that exists by its `wecom_id`, or else the one of that `name`.

    A name that exists means that group, any other a new one; groups without tags do not exist
    [doc 92117]. `name` and `order` are looked at only without an id.
    """

    tags: tuple[TagWish, ...]
    wecom_id: str = ""
    name: str = ""
    order: int = 0


class Tags(Protocol):
    def groups(self) -> Sequence[TagGroupRecord]: ...
    def of_strategy(self, strategy_id: int) -> Sequence[TagGroupRecord]:
        """The tags of one rule group [doc 94882]."""

    def create(self, wish: TagGroupWish) -> TagGroupRecord:
        """The group with the tags that were made, not with those it had before.

        A name that the group has already is refused (40071), so a lost answer is found in
        `groups`. The corp has at most 10 000 tags (40126).
        """

    def edit(self, wecom_id: str, *, name: str = "", order: int | None = None) -> None:
        """Rename or move a tag or a group; only what this app made can be changed (81011)."""

    def delete(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """A group goes with its last tag, and tags with their group."""

    def mark(
        self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]
    ) -> None: ...
