"""The faults: which befall the product is drawn by a seed, when they come is the machine's doing."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from scrm.processes import Supervisor
from scrm.sandbox.garbling import FORMS
from scrm.sandbox.server import SandboxServer
from tests.chaos.ground import Ground

CONTACT = "externalcontact/"
# What changes something; a lost answer hurts here.
WRITES = (
    "add_msg_template", "add_msg_template", "mark_tag", "mark_tag", "transfer_customer",
    "resigned/transfer_customer", "groupchat/transfer", "cancel_groupmsg_send", "remark",
)  # fmt: skip
READS = (
    "get", "batch/get_by_user", "groupchat/get", "groupchat/list", "get_groupmsg_task",
    "get_groupmsg_send_result", "get_groupmsg_list_v2", "transfer_result",
    "resigned/transfer_result", "get_corp_tag_list", "get_unassigned_list",
)  # fmt: skip
RARE = (
    "add_msg_template", "mark_tag", "transfer_customer", "resigned/transfer_customer",
    "groupchat/transfer", "cancel_groupmsg_send",
)  # fmt: skip
# Busy, somebody else is at the record, too many at a time.
PASSING_ERRCODES = (-1, 6000, 45033)


class Weather:
    """Strikes until it is told to stop; `struck` counts what it did to our own processes."""

    def __init__(
        self, supervisor: Supervisor, *, ground: Ground, sandbox: SandboxServer, dice: random.Random
    ) -> None:
        self.struck: Counter[str] = Counter()
        self._supervisor, self._ground, self._sandbox = supervisor, ground, sandbox
        self._dice = dice

    def strike_processes(self, stopping: threading.Event, *, seconds: float) -> None:
        """Every kind in turn, in an order of the dice, about one every five seconds."""
        bag: list[Callable[[], None]] = []
        restarts = max(2, round(seconds / 45))
        while not stopping.wait(self._dice.uniform(3, 6)):
            bag = bag or self._bag()
            act = bag.pop()
            if act == self.restart_database:
                restarts -= 1
                if restarts < 0:
                    continue
            act()

    def strike_platform(self, stopping: threading.Event) -> None:
        """Lost answers, errors, delays and dead tokens."""
        faults = self._sandbox.faults
        # Of what is asked a few times only, the first answer is lost in every storm.
        for path in RARE:
            faults.lose_answer(CONTACT + path)
        while not stopping.wait(self._dice.uniform(0.1, 0.5)):
            path = self._dice.choice([*WRITES * 3, *READS])
            self._trouble(CONTACT + path, delay=5.0 if path in WRITES else 1.0)
            self._keep_losing()
        # Last, and once: whatever is of this kind pauses for a minute.
        faults.fail(f"{CONTACT}mark_tag", 45009)

    def _keep_losing(self) -> None:
        """Have an answer ready to be lost of what must not be asked twice, now and again."""
        if self._dice.random() < 0.3:
            waiting = {(o["kind"], o["path"]) for o in self._sandbox.faults.in_force()}
            for path in ("add_msg_template", "mark_tag"):
                if ("lose_answer", CONTACT + path) not in waiting:
                    self._sandbox.faults.lose_answer(CONTACT + path)

    def strike_callbacks(self, stopping: threading.Event) -> None:
        """Events come twice, late, in another order, or never."""
        while not stopping.wait(self._dice.uniform(0.3, 1.5)):
            self.trouble_callbacks()
            if self._dice.random() < 0.05:
                self._outage(stopping)

    def calm(self) -> None:
        """What was ordered and has not struck is called off; what was held back is told."""
        self._sandbox.faults.clear()
        self._sandbox.callbacks.end_outage()

    def kill(self, name: str) -> None:
        deadline = time.monotonic() + 10
        # One that has just died is started again first.
        while (pid := self._supervisor.processes.get(name)) is None:
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
            self.struck[f"{name.removesuffix('-2')} killed"] += 1

    def empty_broker(self) -> None:
        self.struck["messages lost with the broker"] += self._ground.empty_broker()
        self.struck["broker emptied"] += 1

    def empty_cache(self) -> None:
        self._ground.empty_cache()
        self.struck["cache emptied"] += 1

    def restart_database(self) -> None:
        self._ground.restart_database()
        self.struck["database restarted"] += 1

    def trouble_callbacks(self) -> None:
        callbacks = self._sandbox.callbacks
        troubles: list[Callable[[], None]] = [
            lambda: callbacks.duplicate_next(2),
            lambda: callbacks.reorder_next(3),
            lambda: callbacks.repeat_next(2),
            lambda: callbacks.delay_next(self._dice.uniform(1, 6)),
            callbacks.drop_next,
        ]
        self._dice.choice(troubles)()

    def _bag(self) -> list[Callable[[], None]]:
        bag: list[Callable[[], None]] = [
            lambda: self.kill("worker"),
            lambda: self.kill("worker-2"),
            lambda: self.kill("worker"),
            lambda: self.kill("beat"),
            lambda: self.kill("web"),
            self.empty_broker,
            self.restart_database,
        ]
        if self._ground.has_cache:
            bag.append(self.empty_cache)
        self._dice.shuffle(bag)
        return bag

    def _trouble(self, path: str, *, delay: float) -> None:
        faults = self._sandbox.faults
        troubles: list[Callable[[], None]] = [
            lambda: faults.lose_answer(path),
            lambda: faults.lose_answer(path),
            lambda: faults.drop_request(path),
            lambda: faults.reset_connection(path),
            lambda: faults.http_error(path, self._dice.choice([500, 502, 503])),
            lambda: faults.fail(path, self._dice.choice(PASSING_ERRCODES)),
            lambda: faults.delay(path, delay),
            lambda: faults.garble(path, self._dice.choice(sorted(FORMS))),
            self._dice.choice([faults.expire_tokens, faults.void_tokens]),
        ]
        self._dice.choice(troubles)()

    def _outage(self, stopping: threading.Event) -> None:
        self._sandbox.callbacks.begin_outage(lose=self._dice.random() < 0.5)
        stopping.wait(self._dice.uniform(1, 3))
        self._sandbox.callbacks.end_outage()
