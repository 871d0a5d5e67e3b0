"""Staff and customers, who go on living while the storm rages."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress

from scrm.sandbox.people import ActRefused
from scrm.sandbox.records import Chat, Relation, TaskStatus
from scrm.sandbox.server import SandboxServer


class Crowd:
    """Acts as people do, each act chosen by the dice; `kept_tags` are left to the office."""

    def __init__(self, sandbox: SandboxServer, *, dice: random.Random, kept_tags: set[str]) -> None:
        self.acts = 0
        self._sandbox, self._dice = sandbox, dice
        with sandbox.world.lock:
            living = [tag.id for tag in sandbox.world.tags.living_tags()]
        self._tags = sorted(set(living) - kept_tags)
        self._choices: list[Callable[[], None]] = [
            *[self.confirm] * 8,
            *[self.add] * 3,
            *[self.retag] * 2,
            *[self.join] * 3,
            *[self.leave] * 2,
            *[self.refuse] * 2,
            self.customer_leaves,
            self.drop_customer,
            self.remark,
            self.rename_chat,
            self.change_owner,
            self.open_chat,
        ]

    def live(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            with suppress(ActRefused, IndexError):
                self._dice.choice(self._choices)()
                self.acts += 1
            stopping.wait(self._dice.uniform(0.05, 0.4))

    def confirm(self) -> None:
        """Somebody sends what she was asked to send."""
        world = self._sandbox.world
        with world.lock:
            waiting = [
                (message.msgid, userid)
                for message in world.messages.values()
                for userid, task in message.tasks.items()
                if task.status == TaskStatus.NOT_SENT and not world.members[userid].has_left
            ]
        # Some forget.
        if waiting and self._dice.random() < 0.8:
            self._sandbox.people.confirm(*self._dice.choice(waiting))

    def add(self) -> None:
        self._sandbox.people.add_customer(self._member())

    def customer_leaves(self) -> None:
        relation = self._relation()
        self._sandbox.people.customer_deletes(relation.external_userid, relation.userid)

    def drop_customer(self) -> None:
        relation = self._relation()
        self._sandbox.people.member_deletes(relation.userid, relation.external_userid)

    def retag(self) -> None:
        relation, tags = self._relation(), self._dice.sample(self._tags, 2)
        self._sandbox.people.retag_in_client(
            relation.userid, relation.external_userid, add=tags[:1], remove=tags[1:]
        )

    def remark(self) -> None:
        relation = self._relation()
        text = f"remark {self._dice.randrange(1000)}"
        self._sandbox.people.remark_in_client(relation.userid, relation.external_userid, text)

    def join(self) -> None:
        chat, relation = self._chat(), self._relation()
        self._sandbox.people.chat_join(chat.chat_id, [relation.external_userid])

    def leave(self) -> None:
        chat = self._chat()
        member = self._dice.choice(sorted(chat.members))
        self._sandbox.people.chat_leave(chat.chat_id, [member])

    def rename_chat(self) -> None:
        self._sandbox.people.chat_rename(self._chat().chat_id, f"chat {self._dice.randrange(1000)}")

    def change_owner(self) -> None:
        self._sandbox.people.chat_change_owner(self._chat().chat_id, self._member())

    def open_chat(self) -> None:
        self._sandbox.people.chat_create(self._member(), "new", [self._relation().external_userid])

    def refuse(self) -> None:
        waiting = [t for t in self._sandbox.world.handovers.transfers if t.ended_at is None]
        if waiting and self._dice.random() < 0.3:
            self._sandbox.people.customer_refuses_transfer(
                self._dice.choice(waiting).external_userid
            )

    def _member(self) -> str:
        world = self._sandbox.world
        with world.lock:
            return self._dice.choice(
                sorted(m.userid for m in world.present_members() if m.can_follow)
            )

    def _relation(self) -> Relation:
        world = self._sandbox.world
        with world.lock:
            return self._dice.choice(
                [r for r in world.relations() if r.is_friendship and world.is_shown(r)]
            )

    def _chat(self) -> Chat:
        world = self._sandbox.world
        with world.lock:
            present = [c for c in world.chats.values() if not world.members[c.owner].has_left]
            return self._dice.choice([c for c in present if c.dismissed_at is None])
