"""Customers who come through acquisition links, and the quota that they use up."""

from collections.abc import Mapping
from typing import Any

from scrm.sandbox.acquisition import (
    CORP_WIDE,
    ChatKey,
    Level,
    Link,
    LinkCustomer,
    QuotaBatch,
)
from scrm.sandbox.days import DAY
from scrm.sandbox.dice import draw_text
from scrm.sandbox.duty import able, expand
from scrm.sandbox.events import acquisition_event
from scrm.sandbox.people.acting import ActRefused, act, undisturbed
from scrm.sandbox.people.befriending import Befriending, Origin
from scrm.sandbox.records import Member, Person, Relation

BY_LINK = 16
CHANNEL_BYTES = 64
TOLD_MESSAGES = {3, 5, 10}
WARNED_DAYS = (14, 7, 3, 2, 1)
LEVEL_EVENTS = {Level.LOW: "balance_low", Level.NONE: "balance_exhausted"}


class AcquisitionActs(Befriending):
    @act
    def open_link(self, link_id: str, *, channel: str = "") -> None:
        """Let somebody open a link without adding anybody."""
        self._click_link(self._find_link(link_id), _cut(channel))

    @act
    def add_by_link(
        self,
        link_id: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        channel: str = "",
        confirmed: bool = True,
    ) -> dict[str, str]:
        """Let a person (as in `add_customer`) add a member; return userid and external_userid.

        The link's members are led to in turn; who knows the member already only opens the chat.
        `channel` is what follows `?customer_channel=` in the address. Without `confirmed` the
        member has still to agree (`accept_customer`).
        """
        link = self._find_link(link_id)
        if not self.world.acquisition.balance(self.world.clock.now()):
            raise ActRefused("the quota of acquisition links is used up")
        someone, state = self.meet(person), _cut(channel)
        member = self._find_friend(link, someone) or self._choose_for_link(link)
        self._click_link(link, state)
        known = self.world.find_relation(member.userid, someone.external_userid)
        if known is None or not known.is_friendship:
            self._add_through_link(link, member, someone, state, confirmed=confirmed)
        return {"userid": member.userid, "external_userid": someone.external_userid}

    @act
    def buy_link_quota(self, count: int, days: int = 365) -> int:
        """Pay for more new friends, good for so many days; return the new balance."""
        if count < 1 or days < 1:
            raise ActRefused("nothing to buy")
        book, now = self.world.acquisition, self.world.clock.now()
        batch = book.add_batch(count, now, days)
        self.world.ledger.append("link.quota_bought", count=count, expire_date=batch.expire_date)
        self._watch_batch(batch)
        self._tell_of_balance()
        return book.balance(now)

    @act
    def delete_link_in_console(self, link_id: str) -> None:
        link = self._find_link(link_id)
        del self.world.acquisition.links[link.link_id]
        self.world.ledger.append("link.deleted_in_console", link_id=link_id)
        self._emit_of_links("delete_link", LinkId=link_id)

    def watch_quota(self) -> None:
        """Warn in time of what the corp had paid for before its world began."""
        for batch in self.world.acquisition.batches:
            self._watch_batch(batch)

    def settle_link_customer(self, relation: Relation) -> None:
        """Count a friend who came through a link, once the member has agreed."""
        book, now = self.world.acquisition, self.world.clock.now()
        customer = book.find_customer(relation.userid, relation.external_userid)
        if customer is None or customer.came_at is not None or relation.add_way != BY_LINK:
            return
        customer.came_at, customer.number = now, relation.number
        book.take(now)
        self.world.ledger.append(
            "link.added",
            link_id=customer.link_id,
            userid=customer.userid,
            external_userid=customer.external_userid,
            state=customer.state,
            balance=book.balance(now),
        )
        self._tell_of_balance()

    def count_link_message(self, relation: Relation) -> None:
        """Tell of the first, and some later, messages of one who came through a link."""
        book = self.world.acquisition
        customer = book.find_customer(relation.userid, relation.external_userid)
        if customer is None or customer.number != relation.number:
            return
        customer.messages += 1
        if customer.messages == 1:
            self._emit_of_links(
                "customer_start_chat",
                UserID=customer.userid,
                ExternalUserID=customer.external_userid,
                LinkId=customer.link_id,
            )
        if customer.messages in TOLD_MESSAGES:
            key = self._mint_chat_key(customer)
            self._emit_of_links("message_from_customer", LinkId=customer.link_id, ChatKey=key)

    def check_links(self, member: Member) -> None:
        """Tell of the member's links that lead to nobody any more."""
        for link in self.world.acquisition.links.values():
            members = expand(self.world, link.userids, link.departments)
            is_dead = not able(self.world, members)
            if is_dead and not link.is_unavailable:
                self.world.ledger.append("link.unavailable", link_id=link.link_id)
                self._emit_of_links("link_unavailable", LinkId=link.link_id)
            link.is_unavailable = is_dead

    def _click_link(self, link: Link, state: str) -> None:
        self.world.acquisition.clicks.append((link.link_id, self.world.clock.now()))
        self.world.ledger.append("link.opened", link_id=link.link_id, state=state)
        if self.world.options.acquisition_profile_events:
            self._emit_of_links("open_profile", LinkId=link.link_id, State=state)

    def _add_through_link(
        self, link: Link, member: Member, someone: Person, state: str, *, confirmed: bool
    ) -> None:
        self._emit_of_links("friend_request", LinkId=link.link_id, State=state)
        self.world.acquisition.add_customer(
            LinkCustomer(link.link_id, member.userid, someone.external_userid, state)
        )
        self.come_by_code(
            member,
            someone,
            Origin(state, BY_LINK),
            skip_verify=link.skip_verify,
            confirmed=confirmed,
        )

    def _find_friend(self, link: Link, someone: Person) -> Member | None:
        """Return the friend that a link with priorities leads to before all others."""
        if not link.priority:
            return None
        friends = {
            relation.userid
            for relation in self.world.followers_of(someone.external_userid)
            if relation.is_friendship
        }
        if link.priority != CORP_WIDE:
            friends &= set(link.priority_userids)
        return self.world.find_member(min(friends)) if friends else None

    def _choose_for_link(self, link: Link) -> Member:
        """Return the member whom the link has brought the fewest."""
        free = able(self.world, expand(self.world, link.userids, link.departments))
        if not free:
            raise ActRefused(f"nobody of {link.link_id!r} can add anybody")
        came = [c.userid for c in self.world.acquisition.customers if c.link_id == link.link_id]
        return min(free, key=lambda member: came.count(member.userid))

    def _mint_chat_key(self, customer: LinkCustomer) -> str:
        key = draw_text(self.world.dice, 43)
        until = self.world.clock.now() + self.world.options.acquisition_chat_key_seconds
        self.world.acquisition.chat_keys[key] = ChatKey(customer, customer.messages, until)
        return key

    def _watch_batch(self, batch: QuotaBatch) -> None:
        now = self.world.clock.now()
        for days in WARNED_DAYS:
            at = batch.expire_date - days * DAY
            if at > now:
                self.world.clock.schedule(at, lambda: self._warn_of_batch(batch))
        self.world.clock.schedule(batch.expire_date, lambda: self._expire_batch(batch))

    @undisturbed
    def _warn_of_batch(self, batch: QuotaBatch) -> None:
        if batch.balance:
            self._emit_of_links(
                "quota_expire_soon", ExpireTime=batch.expire_date, ExpireQuotaNum=batch.balance
            )

    @undisturbed
    def _expire_batch(self, batch: QuotaBatch) -> None:
        if batch.balance:
            self.world.ledger.append("link.quota_expired", count=batch.balance)
            batch.balance = 0
        self._tell_of_balance()

    def _tell_of_balance(self) -> None:
        """Tell when the balance has become low, has run out, or is there again."""
        book = self.world.acquisition
        before, level = book.told, book.level(self.world.clock.now())
        book.told = level
        if before == Level.NONE and level != Level.NONE:
            self._emit_of_links("balance_increased")
        elif level != before and level in LEVEL_EVENTS:
            self._emit_of_links(LEVEL_EVENTS[level])

    def _find_link(self, link_id: str) -> Link:
        link = self.world.acquisition.links.get(link_id)
        if link is None:
            raise ActRefused(f"no acquisition link {link_id!r}")
        return link

    def _emit_of_links(self, change: str, **fields: str | int) -> None:
        self.emit(acquisition_event(change, self.world.now(), **fields))


def _cut(channel: str) -> str:
    """Return as much of a channel as 64 bytes hold, whole characters only."""
    return channel.encode()[:CHANNEL_BYTES].decode(errors="ignore")
