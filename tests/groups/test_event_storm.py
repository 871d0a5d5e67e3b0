"""Thousands of group events, each delivered twice and out of order, against the sandbox."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from groups.actions.sync import start_sync
from groups.models import GroupChat, MemberMove, Membership
from scrm.channels.actions.inbox import handle_due_events, store_event
from scrm.channels.actions.refreshes import run_due_refreshes
from scrm.channels.models import InboundEvent, Refresh
from scrm.channels.wecom.crypto import Seal
from scrm.channels.wecom.receivers import read_receiver
from scrm.channels.wecom.xml import read_xml, text_in
from scrm.jobs.actions.running import run_due_jobs
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW, connect_to
from tests.groups.accounts import account, truth
from tests.groups.conftest import open_callback

EVENTS = 5000
BATCH = 250
CHATS = 60

Pair = tuple[str, str]  # a chat and somebody in it


@pytest.fixture
def town(transactional_db: None) -> Iterator[SandboxServer]:
    # In one transaction PostgreSQL keeps every version of every row, and gets slower with each.
    world = build_world(
        7,
        staff=12,
        customers=300,
        groups=CHATS - 10,
        clock=VirtualClock(start=NOW.timestamp()),
        options=Options(calls_per_minute=10**6),
    )
    with SandboxServer(world) as server:
        yield server


class Storm:
    """People who act at random in many chats, and a mail that mixes up what they did."""

    def __init__(self, town: SandboxServer, corp: Corp) -> None:
        self.town, self.corp = town, corp
        self.dice = random.Random(11)  # noqa: S311 (the same storm each time)
        self.seal = Seal(corp.callback_token, corp.callback_aes_key, corp.corp_id)
        self.emitted: list[bytes] = []
        self.waiting: list[bytes] = []
        # No event says that founders entered, only a reading finds them. Who is in a chat
        # without having been found, and who left before she was.
        self.unread: set[Pair] = set()
        self.missed: Counter[Pair] = Counter()
        town.callbacks.configure(self._receive)

    def _receive(self, query: dict[str, str], body: bytes) -> int:
        content = open_callback(self.seal, query, body)
        self.emitted.append(content)
        self.waiting += [content, content]
        return 200

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.town.clock.now(), tz=UTC)

    def act(self) -> None:
        """Let something happen in one of the chats, a second after the last thing."""
        self.town.clock.advance(1)
        people, world = self.town.people, self.town.world
        living = sorted(c.chat_id for c in world.chats.values() if c.dismissed_at is None)
        chat_id = self.dice.choice(living)
        chat = world.chats[chat_id]
        outside = sorted(set(world.persons) - set(chat.members))
        inside = sorted(set(chat.members) - {chat.owner})
        staff = sorted(m.userid for m in world.present_members() if m.can_follow)
        roll = self.dice.random()
        if roll < 0.45 or not inside:
            state = self.dice.choice(["", "code-1"])
            people.chat_join(chat_id, self._some(outside), scene=3, state=state)
        elif roll < 0.85:
            leaving = self._some(inside)
            people.chat_leave(chat_id, leaving, removed=self.dice.random() < 0.3)
            unread = self.unread & {(chat_id, member) for member in leaving}
            self.missed.update(unread)
            self.unread -= unread
        elif roll < 0.92:
            people.chat_rename(chat_id, f"群 {self.dice.randrange(10**6)}")
        elif roll < 0.97:
            people.chat_change_owner(chat_id, self.dice.choice(staff))
        elif roll < 0.985 and len(living) > CHATS // 2:
            people.chat_dismiss(chat_id)
            self._read([chat_id])
        else:
            owner, members = self.dice.choice(staff), self._some(outside)
            created = people.chat_create(owner, "新群", members)
            self.unread |= {(created, member) for member in [owner, *members]}

    def _some(self, ids: list[str]) -> list[str]:
        return self.dice.sample(ids, min(len(ids), self.dice.randint(1, 4)))

    def deliver(self, *, held_back: float) -> None:
        """Put what is waiting into the inbox in any order, some of it only the next time."""
        receiver = read_receiver(self.corp.corp_id)
        assert receiver
        self.dice.shuffle(self.waiting)
        count = round(len(self.waiting) * (1 - held_back))
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        for content in batch:
            store_event(content, receiver=receiver, now=self.now())

    def settle(self) -> None:
        """Handle the inbox and read what has to be read."""
        while handle_due_events(now=self.now()):
            pass
        self._read(Refresh.objects.filter(kind="group_chat").values_list("key", flat=True))
        while Refresh.objects.exists():
            self.town.clock.advance(3)
            assert set(run_due_refreshes(now=self.now())) <= {"read", "dropped"}

    def _read(self, chats: Iterable[str]) -> None:
        """Nobody is unread in these chats any more, whether a reading finds them or they are gone."""
        known = set(chats)
        self.unread = {pair for pair in self.unread if pair[0] not in known}


def told_moves(emitted: list[bytes]) -> set[tuple[str, str, str, int]]:
    """What the platform told of members: chat, member, kind, second."""
    kinds = {"add_member": "joined", "del_member": "left"}
    told = set()
    for content in emitted:
        event: Any = read_xml(content)
        if kind := kinds.get(text_in(event, "UpdateDetail")):
            listed = event["MemChangeList"]["Item"]
            for member in [listed] if isinstance(listed, str) else listed:
                chat_id, at = text_in(event, "ChatId"), int(text_in(event, "CreateTime"))
                told.add((chat_id, member, kind, at))
    return told


@pytest.mark.slow
def test_members_are_the_platforms_after_5000_events_twice_and_out_of_order(
    town: SandboxServer,
) -> None:
    corp = connect_to(town)
    storm = Storm(town, corp)
    start_sync(corp, now=storm.now())
    run_due_jobs(clock=storm.now)
    assert account(corp)["groups"] == truth(town)["groups"]
    calls = town.calls().get("externalcontact/groupchat/get", 0)

    while len(storm.emitted) < EVENTS:
        for _ in range(BATCH):
            storm.act()
        storm.deliver(held_back=0.1)
        storm.settle()
    storm.deliver(held_back=0)
    storm.settle()

    assert Counter(InboundEvent.objects.values_list("status", flat=True)).keys() == {"handled"}
    assert account(corp)["groups"] == truth(town)["groups"]
    check_moves(corp, storm)
    # Most of it was applied, or noted, without a question of its own.
    assert town.calls()["externalcontact/groupchat/get"] - calls < EVENTS / 2


def check_moves(corp: Corp, storm: Storm) -> None:
    """Every move that was told is there once, and the moves add up to the members."""
    moves, expected = MemberMove.objects.for_corp(corp), told_moves(storm.emitted)
    told = moves.filter(is_inferred=False).values_list("chat__chat_id", "member_id", "kind", "at")
    assert {(*row, int(at.timestamp())) for *row, at in told} == expected
    assert told.count() == len(expected)
    # What was found by reading: who was there at first, founders, and whom a dismissal put out.
    found = moves.filter(is_inferred=True, kind="left").exclude(chat__status="dismissed")
    assert not found.exists()
    # So the moves add up to who is present, but for entries that were over before any reading.
    present = set(
        Membership.objects.for_corp(corp).present().values_list("chat__chat_id", "member_id")
    )
    balance: Counter[Pair] = Counter()
    for row in moves.select_related("chat"):
        # Those are counted below, whether or not something stands in for them.
        stands_in = row.is_inferred and row.at.microsecond == 999_999
        if not stands_in:
            balance[row.chat.chat_id, row.member_id] += 1 if row.kind == "joined" else -1
    expected_balance = Counter(present)
    expected_balance.subtract(storm.missed)
    assert {pair: n for pair, n in balance.items() if n} == {
        pair: n for pair, n in expected_balance.items() if n
    }
    assert storm.missed
    counts = GroupChat.objects.for_corp(corp).values_list("chat_id", "member_count")
    assert dict(Counter(chat for chat, _ in present)) == {chat: n for chat, n in counts if n}
