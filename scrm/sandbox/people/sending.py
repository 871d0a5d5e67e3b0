"""Members confirming mass messages, and customers who already got enough."""

from collections.abc import Mapping, Sequence
from typing import Any

from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.quota import count_received, remaining_quota
from scrm.sandbox.sending import Content, address_customers, ask_to_send, confirm_task


class SendingActs(Actor):
    @act
    def confirm(self, msgid: str, userid: str) -> dict[str, int]:
        """Let the member send his part; all zero after a cancel or a first confirmation."""
        message = self.message(msgid)
        if userid not in message.tasks:
            raise ActRefused(f"{userid!r} was not asked to send {msgid!r}")
        return confirm_task(self.world, message, userid)

    @act
    def confirm_all(self, msgid: str, *, besides: Sequence[str] = ()) -> dict[str, int]:
        """Let every asked member but those in `besides` send; return the summed outcome."""
        message = self.message(msgid)
        total = {"delivered": 0, "not_friend": 0, "quota": 0}
        for userid in message.tasks:
            if userid not in besides:
                for name, count in confirm_task(self.world, message, userid).items():
                    total[name] += count
        return total

    @act
    def use_up_quota(self, recipient: str) -> int:
        """Let a customer or group get all mass messages the period allows; return how many."""
        if recipient not in self.world.chats:
            self.person(recipient)
        at = self.world.clock.now()
        times = remaining_quota(self.world, recipient, at=at)
        count_received(self.world, recipient, at=at, times=times)
        self.world.ledger.append("contact.quota_used_up", recipient=recipient, times=times)
        return times

    @act
    def send_personally(
        self,
        userid: str,
        text: str,
        external_userids: Sequence[str] | None = None,
        *,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """Let a member mass-send to his customers from his own client; return the msgid."""
        member = self.follower(userid)
        own = [relation.external_userid for relation in self.world.customers_of(member.userid)]
        chosen = own if external_userids is None else external_userids
        addressing = address_customers(self.world, chosen, sender=member.userid)
        if not addressing.by_member:
            raise ActRefused(f"{userid!r} has none of these customers")
        content = Content(text, [dict(attachment) for attachment in attachments])
        message = ask_to_send(
            self.world, addressing, content, chat_type="single", creator=member.userid
        )
        confirm_task(self.world, message, member.userid)
        return message.msgid
