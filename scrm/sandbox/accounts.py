"""True accounts of handovers, groups, the archive and what members were told, from the ledger."""

from collections import Counter, defaultdict
from typing import Any

from scrm.sandbox.ledger import Entry
from scrm.sandbox.records import ReceiptStatus
from scrm.sandbox.world import World

FULL_NOW = 40099


def account_for_groups(world: World) -> dict[str, int]:
    """Count groups, the people in them, and who came and went.

    `joined` and `left` are moves since the world was made, in groups that went on; `ever_…` also
    count who was there from a group's beginning, and that all leave a group that is dismissed.
    """
    with world.lock:
        living = [chat for chat in world.chats.values() if chat.dismissed_at is None]
        gone = [chat for chat in world.chats.values() if chat.dismissed_at is not None]
        members = sum(len(chat.members) for chat in living)
        left = _count_moves(world, "chat.del_member")
        ever_left = left + sum(len(chat.members) for chat in gone)
        return {
            "chats": len(living),
            "members": members,
            "joined": _count_moves(world, "chat.add_member"),
            "left": left,
            "ever_joined": members + ever_left,
            "ever_left": ever_left,
        }


def account_for_handover(world: World, handover_userid: str) -> dict[str, int]:
    """Count the customers of one member by what became of the attempts to hand them over.

    `asked` are those whom the platform took up or refused for a full taker; a customer with one
    success succeeded, and is over capacity when every attempt met a full taker.
    """
    with world.lock:
        entries = [
            entry
            for entry in world.ledger.entries("handover")
            if entry.data.get("handover_userid") == handover_userid
        ]
        fates = _fates(entries)
        counts = Counter(_judge(fate) for fate in fates.values())
        member = world.find_anybody(handover_userid)
        chats = {e.data["chat_id"] for e in entries if e.kind == "handover.chat_moved"}
        return {
            "asked": len(fates) - counts["failed"],
            **{
                word: counts[word]
                for word in ("succeeded", "rejected", "over_capacity", "failed", "waiting")
            },
            "unassigned": len(world.unassigned_of(member)) if member else 0,
            "groups": len(chats),
            "asked_more_than_once": _count_repeats(entries),
        }


def account_for_archive(world: World) -> dict[str, Any]:
    """Count what was archived, and what of it the platform still keeps."""
    with world.lock:
        messages = world.archive.messages
        return {
            "messages": len(messages),
            "kept": sum(1 for message in messages if world.archive.keeps(message, world)),
            "last_seq": messages[-1].seq if messages else 0,
            "by_kind": dict(Counter(message.kind for message in messages)),
        }


def account_for_text(world: World, text: str) -> dict[str, int]:
    """Count the mass messages that contain a text, whoever made them, and whom they were for."""
    with world.lock:
        messages = [message for message in world.messages.values() if text in message.text]
        tasks = [task for message in messages for task in message.tasks.values()]
        receipts = [receipt for task in tasks for receipt in task.receipts.values()]
        return {
            "messages": len(messages),
            "recipients": len(receipts),
            "delivered": sum(r.status == ReceiptStatus.SENT for r in receipts),
        }


def account_for_moments(world: World) -> dict[str, int]:
    """Count the moments made through the API by who published them and what customers did."""
    with world.lock:
        moments = [m for m in world.moments.moments.values() if not m.is_personal]
        tasks = [task for moment in moments for task in moment.tasks.values()]
        return {
            "moments": len(moments),
            "asked": len(tasks),
            "published": sum(task.published_at is not None for task in tasks),
            "audience": sum(len(task.audience) for task in tasks),
            "seen": sum(len(task.seen_by) for task in tasks),
            "likes": sum(len(task.likes) for task in tasks),
            "comments": sum(len(task.comments) for task in tasks),
        }


def account_for_app_messages(world: World) -> dict[str, Any]:
    """Count who was truly told what through the app."""
    with world.lock:
        by_text: Counter[str] = Counter()
        for message in world.app_messages:
            by_text[message.text] += len(message.receivers)
        return {
            "messages": len(world.app_messages),
            "told": by_text.total(),
            "by_text": dict(by_text),
        }


def account_for_tagging(world: World) -> dict[str, dict[str, list[str]]]:
    """Return per tag who was given it, and from whom it was taken, by the API."""
    marked: defaultdict[str, dict[str, list[str]]] = defaultdict(
        lambda: {"added": [], "removed": []}
    )
    with world.lock:
        for entry in world.ledger.entries("api.marked"):
            for tag_id in entry.data["add"]:
                marked[tag_id]["added"].append(entry.data["external_userid"])
            for tag_id in entry.data["remove"]:
                marked[tag_id]["removed"].append(entry.data["external_userid"])
    return dict(marked)


def _count_moves(world: World, kind: str) -> int:
    return sum(len(entry.data["members"]) for entry in world.ledger.entries(kind))


def _fates(entries: list[Entry]) -> dict[str, Counter[str]]:
    """Return per customer how often each thing happened; open attempts are asked less ended."""
    fates: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if "external_userid" in entry.data:
            what = entry.kind.removeprefix("handover.")
            if entry.data.get("errcode") == FULL_NOW:
                what = "full_now"
            fates[entry.data["external_userid"]][what] += 1
    return fates


def _judge(fate: Counter[str]) -> str:
    """Return the one word for what became of a customer."""
    if fate["done"]:
        return "succeeded"
    if fate["asked"] > fate["rejected"] + fate["full"]:
        return "waiting"
    if fate["rejected"]:
        return "rejected"
    return "over_capacity" if fate["full"] or fate["full_now"] else "failed"


def _count_repeats(entries: list[Entry]) -> int:
    """Count customers asked of a taker again who was not full at the attempt before."""
    tried: set[tuple[str, str]] = set()
    repeated: set[str] = set()
    for entry in entries:
        pair = entry.data.get("external_userid", ""), entry.data["takeover_userid"]
        if entry.kind == "handover.full":
            tried.discard(pair)
        elif entry.kind in {"handover.asked", "handover.declined"} and pair in tried:
            repeated.add(pair[0])
        elif entry.kind == "handover.asked":
            tried.add(pair)
    return len(repeated)
