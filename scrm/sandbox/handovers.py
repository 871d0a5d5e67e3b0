"""Who is, or was, being handed over to whom."""

from collections import defaultdict
from dataclasses import dataclass
from enum import IntEnum


class TransferStatus(IntEnum):
    DONE = 1
    WAITING = 2
    REFUSED = 3
    FULL = 4


@dataclass(slots=True)
class Transfer:
    """One attempt to give one customer of one member to another."""

    handover_userid: str
    takeover_userid: str
    external_userid: str
    is_resigned: bool
    asked_at: float
    due_at: float
    message: str = ""
    status: TransferStatus = TransferStatus.WAITING
    ended_at: float | None = None

    @property
    def takeover_time(self) -> int:
        """When the taker got him or will; 0 when he never will."""
        if self.status == TransferStatus.WAITING:
            return int(self.due_at)
        return int(self.ended_at or 0) if self.status == TransferStatus.DONE else 0


@dataclass(frozen=True, slots=True)
class ChatMove:
    """A group that was given a new owner through the API."""

    chat_id: str
    handover_userid: str
    takeover_userid: str
    is_resigned: bool
    at: float


class HandoverBook:
    """All attempts in the order in which they were asked for."""

    def __init__(self) -> None:
        self.transfers: list[Transfer] = []
        self.chat_moves: list[ChatMove] = []
        self._between: defaultdict[tuple[str, str, bool], list[Transfer]] = defaultdict(list)
        self._of_customer: defaultdict[str, list[Transfer]] = defaultdict(list)

    def add(self, transfer: Transfer) -> Transfer:
        self.transfers.append(transfer)
        pair = transfer.handover_userid, transfer.takeover_userid, transfer.is_resigned
        self._between[pair].append(transfer)
        self._of_customer[transfer.external_userid].append(transfer)
        return transfer

    def between(
        self, handover_userid: str, takeover_userid: str, *, is_resigned: bool
    ) -> list[Transfer]:
        return self._between.get((handover_userid, takeover_userid, is_resigned), [])

    def of_customer(self, external_userid: str) -> list[Transfer]:
        return self._of_customer.get(external_userid, [])

    def waiting(self, external_userid: str, handover_userid: str = "") -> list[Transfer]:
        """Return what is under way for a customer, from one member or from any."""
        return [
            transfer
            for transfer in self.of_customer(external_userid)
            if transfer.status == TransferStatus.WAITING
            and handover_userid in {"", transfer.handover_userid}
        ]

    def has_moved_away(self, external_userid: str, userid: str) -> bool:
        """Whether the customer was once taken from this member."""
        return any(
            transfer.status == TransferStatus.DONE and transfer.handover_userid == userid
            for transfer in self.of_customer(external_userid)
        )

    def count_in_service(self, external_userid: str, *, since: float) -> int:
        """Count how often the customer was truly taken from colleagues who stayed."""
        return sum(
            1
            for transfer in self.of_customer(external_userid)
            if transfer.status == TransferStatus.DONE
            and not transfer.is_resigned
            and (transfer.ended_at or 0) > since
        )

    def count_chat_in_service(self, chat_id: str, *, since: float) -> int:
        return sum(
            1
            for move in self.chat_moves
            if move.chat_id == chat_id and not move.is_resigned and move.at > since
        )

    def count_chats_of(self, handover_userid: str, *, since: float) -> int:
        """Count the groups a former owner has given away."""
        return sum(
            1
            for move in self.chat_moves
            if move.handover_userid == handover_userid and move.at >= since
        )
