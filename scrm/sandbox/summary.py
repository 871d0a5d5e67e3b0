"""What a true account of the corp must say, counted from the world itself."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from scrm.sandbox.records import MassMessage, Receipt, ReceiptStatus, TaskStatus
from scrm.sandbox.sending import content_key
from scrm.sandbox.world import World


def summarise(world: World) -> dict[str, Any]:
    """Count what exists now; a follow is a friendship with a member who has not left."""
    with world.lock:
        friends = [
            relation
            for relation in world.relations()
            if relation.is_friendship and not world.members[relation.userid].has_left
        ]
        return {
            "staff": len(world.present_members()),
            "customers": len({relation.external_userid for relation in friends}),
            "follows": len(friends),
            "tags": sum(1 for _ in world.tags.living_tags()),
            "groups": sum(1 for chat in world.chats.values() if chat.dismissed_at is None),
            "callbacks": _count_callbacks(world),
            "asked_more_than_once": find_repeats(world),
        }


def summarise_campaign(world: World, msgids: Iterable[str] | None = None) -> dict[str, int]:
    """Count recipients of the given mass messages, or of all that were made through the API.

    Recipients are customers and, of messages to groups, groups.
    """
    with world.lock:
        messages = _select_messages(world, msgids)
        tasks = [task for message in messages for task in message.tasks.values()]
        confirmed = [task for task in tasks if task.status == TaskStatus.SENT]
        receipts = [receipt for task in confirmed for receipt in task.receipts.values()]
        asked = sum(len(task.receipts) for task in tasks)
        return {
            "asked": asked,
            "confirmed": len(receipts),
            "delivered": _count_status(receipts, ReceiptStatus.SENT),
            "not_friend": _count_status(receipts, ReceiptStatus.NOT_FRIEND),
            "quota": _count_status(receipts, ReceiptStatus.OVER_QUOTA),
            "unsent": asked - len(receipts),
            "failed": sum(len(message.fail_list) for message in messages),
        }


def find_repeats(world: World) -> list[dict[str, Any]]:
    """Return the recipients that were asked more than once to get identical content."""
    asked: Counter[tuple[str, str]] = Counter()
    for message in world.messages.values():
        if not message.is_personal:
            key = content_key(message)
            asked.update((key, recipient) for recipient in message.recipients)
    return [
        {"external_userid": recipient, "times": times}
        for (_, recipient), times in asked.items()
        if times > 1
    ]


def _select_messages(world: World, msgids: Iterable[str] | None) -> list[MassMessage]:
    if msgids is None:
        return [message for message in world.messages.values() if not message.is_personal]
    return [world.messages[msgid] for msgid in msgids if msgid in world.messages]


def _count_status(receipts: list[Receipt], status: ReceiptStatus) -> int:
    return sum(1 for receipt in receipts if receipt.status == status)


def _count_callbacks(world: World) -> dict[str, int]:
    return {
        "emitted": world.ledger.count("callback.emitted"),
        "delivered": world.ledger.count("callback.delivered"),
        "attempts": world.ledger.count("callback.attempt"),
    }
