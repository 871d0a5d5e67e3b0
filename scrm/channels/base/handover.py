"""Customers and chats that get somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class ItemAnswer:
    """What the platform said of one item of a call that takes many; 0 means accepted."""

    item_id: str  # external_userid or chat_id
    errcode: int
    error: str = ""


@dataclass(frozen=True)
class TransferState:
    """Where one customer stands between two members of staff.

    `status`: 1 done, 2 waiting, 3 refused by the customer, 4 the taker is full, 5 never asked.
    """

    external_userid: str
    status: int
    takeover_at: datetime | None


@dataclass(frozen=True)
class TransferStatePage:
    rows: tuple[TransferState, ...]
    next_cursor: str


@dataclass(frozen=True)
class UnassignedCustomer:
    """A customer of somebody who has left, still to be given to a colleague."""

    handover_userid: str
    external_userid: str
    left_at: datetime


@dataclass(frozen=True)
class UnassignedPage:
    rows: tuple[UnassignedCustomer, ...]
    next_cursor: str


class Handover(Protocol):
    def unassigned_page(self, cursor: str) -> UnassignedPage: ...
    def transfer_customers(
        self,
        from_userid: str,
        to_userid: str,
        external_userids: Sequence[str],
        *,
        is_resigned: bool,
        message: str = "",
    ) -> Sequence[ItemAnswer]:
        """Ask to hand over at most 100 customers; each has an answer of its own.

        `message` (≤ 200 characters, in service only) is what the customer reads.
        """

    def transfer_states(
        self, from_userid: str, to_userid: str, cursor: str, *, is_resigned: bool
    ) -> TransferStatePage: ...
    def transfer_chats(
        self, chat_ids: Sequence[str], to_userid: str, *, is_resigned: bool
    ) -> Sequence[ItemAnswer]:
        """Give at most 100 chats a new owner, at once; each has an answer of its own."""
