"""Mass messages: who is asked, and what becomes of each recipient when the member confirms."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scrm.sandbox.quota import count_received, remaining_quota
from scrm.sandbox.records import (
    MassMessage,
    Receipt,
    ReceiptStatus,
    Relation,
    SendTask,
    TaskStatus,
)
from scrm.sandbox.world import World


@dataclass(frozen=True)
class Content:
    text: str
    attachments: list[dict[str, Any]]


@dataclass
class Addressing:
    """Who was found to be reachable, by member, and who was not."""

    by_member: dict[str, dict[str, Receipt]]
    failed: list[str]

    @classmethod
    def empty(cls) -> "Addressing":
        return cls({}, [])

    def add(self, userid: str, recipient: str) -> None:
        self.by_member.setdefault(userid, {})[recipient] = Receipt(recipient)


def address_customers(
    world: World, external_userids: Iterable[str], *, sender: str = ""
) -> Addressing:
    """Give each customer to `sender`, or else to the member who last chatted with him."""
    addressing = Addressing.empty()
    for external_userid in dict.fromkeys(external_userids):
        relation = _choose_relation(world, external_userid, sender)
        if relation is None:
            addressing.failed.append(external_userid)
        else:
            addressing.add(relation.userid, external_userid)
    return addressing


def address_tagged(world: World, tag_groups: list[list[str]], *, sender: str = "") -> Addressing:
    """Address customers with a tag of every group, judged by the tags of the asked relations."""
    wanted = [set(group) for group in tag_groups if group]
    members = [sender] if sender else list(world.members)
    matching = (
        relation.external_userid
        for userid in members
        for relation in world.customers_of(userid)
        if all(relation.tag_ids & group for group in wanted)
    )
    return address_customers(world, matching, sender=sender)


def address_chats(world: World, sender: str, chat_ids: list[str]) -> Addressing:
    """Address the sender's own groups; all of them when none is named."""
    own = [chat.chat_id for chat in world.chats_of(sender)]
    addressing = Addressing.empty()
    for chat_id in dict.fromkeys(chat_ids or own):
        if chat_id in own:
            addressing.add(sender, chat_id)
        else:
            addressing.failed.append(chat_id)
    return addressing


def ask_to_send(
    world: World, addressing: Addressing, content: Content, *, chat_type: str, creator: str = ""
) -> MassMessage:
    """Record a mass message and hand each member his task."""
    tasks = {u: SendTask(u, receipts) for u, receipts in addressing.by_member.items()}
    message = MassMessage(
        msgid=world.mint_id("msg"),
        chat_type=chat_type,
        created_at=world.clock.now(),
        text=content.text,
        attachments=content.attachments,
        tasks=tasks,
        fail_list=addressing.failed,
        creator=creator,
    )
    world.messages[message.msgid] = message
    world.ledger.append(
        "message.asked",
        msgid=message.msgid,
        chat_type=chat_type,
        tasks={userid: len(task.receipts) for userid, task in tasks.items()},
        asked=len(message.recipients),
        failed=len(message.fail_list),
    )
    return message


def confirm_task(world: World, message: MassMessage, userid: str) -> dict[str, int]:
    """Send one member's part; nothing happens when he did, has left, or it was cancelled."""
    task = message.tasks[userid]
    outcome = {"delivered": 0, "not_friend": 0, "quota": 0}
    is_off = message.cancelled_at is not None or world.members[userid].has_left
    if is_off or task.status == TaskStatus.SENT:
        return outcome
    at = world.clock.now()
    task.status, task.send_time = TaskStatus.SENT, int(at)
    for receipt in task.receipts.values():
        receipt.status = _resolve(world, message, task, receipt.recipient, at)
        if receipt.status == ReceiptStatus.SENT:
            receipt.send_time = int(at)
            count_received(world, receipt.recipient, at=at)
        outcome[_OUTCOME_NAMES[receipt.status]] += 1
    world.ledger.append("message.confirmed", msgid=message.msgid, userid=userid, **outcome)
    return outcome


_OUTCOME_NAMES = {
    ReceiptStatus.SENT: "delivered",
    ReceiptStatus.NOT_FRIEND: "not_friend",
    ReceiptStatus.OVER_QUOTA: "quota",
}


def content_key(message: MassMessage) -> str:
    """Return a digest that is equal for equal content."""
    content = json.dumps([message.chat_type, message.text, message.attachments], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _choose_relation(world: World, external_userid: str, sender: str) -> Relation | None:
    if sender:
        relation = world.find_relation(sender, external_userid)
        return relation if relation is not None and world.is_shown(relation) else None
    followers = world.followers_of(external_userid)
    # One who is no longer a friend is asked only when nobody else is left.
    return max(followers, key=lambda r: (r.is_friendship, r.last_chat_at, r.number), default=None)


def _resolve(
    world: World, message: MassMessage, task: SendTask, recipient: str, at: float
) -> ReceiptStatus:
    if not _can_still_receive(world, message, task, recipient):
        return ReceiptStatus.NOT_FRIEND
    if remaining_quota(world, recipient, at=at) == 0:
        return ReceiptStatus.OVER_QUOTA
    return ReceiptStatus.SENT


def _can_still_receive(world: World, message: MassMessage, task: SendTask, recipient: str) -> bool:
    if message.chat_type == "group":
        chat = world.chats[recipient]
        return chat.dismissed_at is None and chat.owner == task.userid
    relation = world.find_relation(task.userid, recipient)
    return relation is not None and relation.is_friendship
