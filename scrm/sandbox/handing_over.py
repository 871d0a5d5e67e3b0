"""The platform's rules of handing customers and groups over."""

from dataclasses import dataclass

from scrm.sandbox.handovers import ChatMove, Transfer
from scrm.sandbox.quota import start_of_day
from scrm.sandbox.records import Chat, ChatMember, Member, MemberStatus
from scrm.sandbox.world import World

DAY = 24 * 3600
YEAR = 365 * DAY
IN_SERVICE_SPAN = 90 * DAY
IN_SERVICE_TIMES = 2
CHATS_A_DAY = 300
INHERITED = 3


@dataclass(frozen=True)
class Handover:
    """What is asked: the customers or groups of one member for another."""

    giver: Member
    taker: Member
    is_resigned: bool


def find_unfitness(world: World, taker: Member) -> int:
    """Return the errcode of what keeps a member from taking anything over, or 0."""
    return _first(
        (84074, not taker.can_follow),
        (41054, taker.status != MemberStatus.ACTIVE),
        (40098, not taker.is_verified),
        (40205, not _has_logged_in(world, taker)),
    )


def find_obstacle(world: World, handover: Handover) -> int:
    """Return the errcode of what hinders all customers of a request, or 0."""
    giver = handover.giver
    return _first(
        (40130, giver is handover.taker),
        (40097, handover.is_resigned and not giver.has_left),
        (40205, _left_long_ago(world, giver) or not _has_logged_in(world, giver)),
    ) or find_unfitness(world, handover.taker)


def judge_customer(world: World, handover: Handover, external_userid: str) -> int:
    """Return the errcode for one customer of a request without obstacles; 0 = accepted."""
    giver, taker = handover.giver.userid, handover.taker
    if external_userid not in world.persons:
        return 40096
    relation = world.find_relation(giver, external_userid)
    if relation is None or not relation.is_known_to_member:
        return 40131
    since = world.clock.now() - IN_SERVICE_SPAN
    times = world.handovers.count_in_service(external_userid, since=since)
    return _first(
        (
            40100 if handover.is_resigned else 40129,
            bool(world.handovers.waiting(external_userid, giver)),
        ),
        (40128, not handover.is_resigned and times >= IN_SERVICE_TIMES),
        (40099, world.is_full(taker)),
    )


def begin_transfer(
    world: World, handover: Handover, external_userid: str, *, message: str = ""
) -> Transfer:
    """Let a customer wait for his new member; whoever plays people ends the wait."""
    now = world.clock.now()
    transfer = world.handovers.add(
        Transfer(
            handover.giver.userid,
            handover.taker.userid,
            external_userid,
            handover.is_resigned,
            asked_at=now,
            due_at=now + world.options.takeover_seconds,
            message=message,
        )
    )
    note_transfer(world, "asked", transfer)
    for begin in world.on_transfer:
        begin(transfer)
    return transfer


def note_transfer(world: World, what: str, transfer: Transfer) -> None:
    world.ledger.append(
        f"handover.{what}",
        handover_userid=transfer.handover_userid,
        takeover_userid=transfer.takeover_userid,
        external_userid=transfer.external_userid,
        is_resigned=transfer.is_resigned,
    )


def judge_chat(world: World, chat_id: str, taker: Member, *, is_resigned: bool) -> int:
    """Return the errcode for one group that a fit member is to own; 0 = it is his now."""
    chat = world.chats.get(chat_id)
    if chat is None:
        return 90501
    if chat.dismissed_at is not None:
        return 49008
    owner = world.members[chat.owner]
    is_same = owner is taker
    return _first(
        (90508, is_resigned and is_same and chat.status == INHERITED),
        (90500, is_resigned and not owner.has_left),
        (90502, not is_resigned and owner.has_left),
        (90504, is_same),
        (90503, taker.userid not in chat.members and is_chat_full(world, chat)),
    ) or _judge_frequency(world, chat, is_resigned=is_resigned)


def hand_chat(world: World, chat: Chat, taker: Member, *, is_resigned: bool) -> None:
    """Make a member the owner of a group by the API."""
    former = chat.owner
    now = world.clock.now()
    world.handovers.chat_moves.append(
        ChatMove(chat.chat_id, former, taker.userid, is_resigned, now)
    )
    world.ledger.append(
        "handover.chat_moved",
        chat_id=chat.chat_id,
        handover_userid=former,
        takeover_userid=taker.userid,
        is_resigned=is_resigned,
    )
    is_new = give_chat(world, chat, taker.userid, status=INHERITED if is_resigned else 0)
    for tell in world.on_chat_given:
        tell(chat, is_new)


def give_chat(world: World, chat: Chat, userid: str, *, status: int) -> bool:
    """Make a member the owner; True when he was not in the group before."""
    is_new = userid not in chat.members
    if is_new:
        chat.members[userid] = ChatMember(userid, 1, world.now())
    chat.owner, chat.status = userid, status
    return is_new


def is_chat_full(world: World, chat: Chat) -> bool:
    return len(chat.members) >= world.options.chat_size


def _judge_frequency(world: World, chat: Chat, *, is_resigned: bool) -> int:
    now = world.clock.now()
    book = world.handovers
    today = book.count_chats_of(chat.owner, since=start_of_day(now))
    since = now - IN_SERVICE_SPAN
    return _first(
        (45009, today >= CHATS_A_DAY),
        (
            40128,
            not is_resigned
            and book.count_chat_in_service(chat.chat_id, since=since) >= IN_SERVICE_TIMES,
        ),
    )


def _has_logged_in(world: World, member: Member) -> bool:
    """Whether the member did so in the last year, or in the year before leaving."""
    if member.last_login_at is None:
        return True
    until = world.clock.now() if member.left_at is None else member.left_at
    return until - member.last_login_at <= YEAR


def _left_long_ago(world: World, member: Member) -> bool:
    return member.left_at is not None and world.clock.now() - member.left_at > YEAR


def _first(*checks: tuple[int, bool]) -> int:
    return next((errcode for errcode, applies in checks if applies), 0)
