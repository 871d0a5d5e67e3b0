"""Acquisition links: who came through them, and the paid quota that every new friend takes from."""

from dataclasses import dataclass, field
from enum import StrEnum

from scrm.sandbox.days import DAY, day_of

CORP_WIDE, LISTED = 1, 2
LOW = 20
YEAR_DAYS = 365


class Level(StrEnum):
    ENOUGH = "enough"
    LOW = "low"
    NONE = "none"


@dataclass(slots=True)
class Link:
    link_id: str
    name: str
    create_time: int
    number: int
    userids: list[str] = field(default_factory=list)
    departments: list[int] = field(default_factory=list)
    skip_verify: bool = True
    mark_source: bool = False
    # 0 leads nobody to whom he knows.
    priority: int = 0
    priority_userids: list[str] = field(default_factory=list)
    # Whether it was told that none of the members can add anybody.
    is_unavailable: bool = False


@dataclass(slots=True)
class LinkCustomer:
    """Somebody who came through a link; `came_at` is None until the member has agreed.

    `number` is that of the relation, so that what the two do after a new beginning is not counted.
    """

    link_id: str
    userid: str
    external_userid: str
    state: str
    came_at: float | None = None
    number: int = 0
    messages: int = 0


@dataclass(slots=True)
class QuotaBatch:
    balance: int
    expire_date: int


@dataclass(frozen=True, slots=True)
class ChatKey:
    """Tells for a while of whom an event without names was."""

    customer: LinkCustomer
    messages: int
    until: float


class AcquisitionBook:
    """Links, clicks, customers and quota."""

    def __init__(self, balance: int, now: float) -> None:
        self.links: dict[str, Link] = {}
        self.clicks: list[tuple[str, float]] = []
        self.customers: list[LinkCustomer] = []
        self.chat_keys: dict[str, ChatKey] = {}
        self.batches: list[QuotaBatch] = []
        self.used = 0
        if balance:
            self.add_batch(balance, now, YEAR_DAYS)
        # What was told last of the balance.
        self.told = self.level(now)
        self._by_pair: dict[tuple[str, str], LinkCustomer] = {}

    def add_batch(self, count: int, now: float, days: int) -> QuotaBatch:
        batch = QuotaBatch(count, day_of(now) + days * DAY)
        self.batches.append(batch)
        self.batches.sort(key=lambda batch: batch.expire_date)
        return batch

    def valid_batches(self, now: float) -> list[QuotaBatch]:
        """Return what can still be used, the first to expire first."""
        return [batch for batch in self.batches if batch.balance and batch.expire_date > now]

    def balance(self, now: float) -> int:
        return sum(batch.balance for batch in self.valid_batches(now))

    def level(self, now: float) -> Level:
        balance = self.balance(now)
        if not balance:
            return Level.NONE
        return Level.LOW if balance < LOW else Level.ENOUGH

    def take(self, now: float) -> None:
        """Take one off the quota that expires first; what is used up is counted all the same."""
        self.used += 1
        for batch in self.valid_batches(now)[:1]:
            batch.balance -= 1

    def add_customer(self, customer: LinkCustomer) -> None:
        self.customers.append(customer)
        self._by_pair[customer.userid, customer.external_userid] = customer

    def find_customer(self, userid: str, external_userid: str) -> LinkCustomer | None:
        return self._by_pair.get((userid, external_userid))
