"""The brand's office: it asks the product over REST, and asks again until it has an answer."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from customers.models import Customer, Tag
from groups.actions.sync import start_sync
from groups.models import GroupChat
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff

T = TypeVar("T")

PATIENCE = 150.0
# Tags that only the office gives and takes, so that its wishes can be told from people's.
OFFICE_TAGS = 6


class Unanswered(Exception):
    """The product gave no answer for longer than anybody waits."""


def patiently(read: Callable[[], T]) -> T:
    """Do it again for as long as the database is away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return read()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


@dataclass
class Wishes:
    """What the office was answered, to be found again when all is over."""

    campaigns: dict[int, list[str]] = field(default_factory=dict)  # id → ids of recipients
    cancelled: set[int] = field(default_factory=set)
    plans: list[int] = field(default_factory=list)
    tagged: int = 0
    repeated_calls: int = 0
    refused: list[str] = field(default_factory=list)


class Office:
    """Makes campaigns, tags and hands customers over until it is told to stop."""

    def __init__(
        self, url: str, api_key: str, *, corp: Corp, sandbox: SandboxServer, dice: random.Random
    ) -> None:
        self.wishes = Wishes()
        self._url = f"{url}/api/v1/"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._corp, self._sandbox, self._dice = corp, sandbox, dice
        tags = Tag.objects.for_corp(corp).current().filter(kind="wecom").order_by("pk")
        self.tags = list(tags[:OFFICE_TAGS])
        self.givers: list[str] = []

    def work(self, stopping: threading.Event) -> None:
        """Campaigns and tags as they come; several threads may be at it."""
        acts = [self.ask_customers] * 4 + [self.ask_chats] * 2 + [self.tag] * 4 + [self.cancel]
        while not stopping.is_set():
            self._dice.choice(acts)()
            stopping.wait(self._dice.uniform(1, 8))
        connection.close()

    def hand_over(self, stopping: threading.Event, *, seconds: float) -> None:
        """The two handovers, at their time within the storm of so many seconds."""
        stopping.wait(0.1 * seconds)
        self.hand_over_a_leaver()
        stopping.wait(0.2 * seconds)
        self.hand_over_some()
        connection.close()

    def ask_customers(self) -> None:
        self._campaign(external_userids=self._some_customers(self._dice.randint(10, 60)))

    def ask_chats(self) -> None:
        chats = GroupChat.objects.existing().for_corp(self._corp).filter(owner__status="active")
        ids = patiently(lambda: list(chats.order_by("pk").values_list("chat_id", flat=True)))
        chosen = self._dice.sample(ids, min(len(ids), 4))
        if chosen:
            self._campaign(kind="groups", chat_ids=chosen)

    def cancel(self) -> None:
        """Think better of one that has just been submitted."""
        if number := self._campaign(external_userids=self._some_customers(30)):
            time.sleep(self._dice.uniform(0, 6))
            if self.ask("POST", f"campaigns/{number}/cancel/"):
                self.wishes.cancelled.add(number)

    def tag(self) -> None:
        tags = self._dice.sample(self.tags, 2)
        items = [
            {"external_userid": one, "add": [tags[0].pk], "remove": [tags[1].pk]}
            for one in self._some_customers(self._dice.randint(10, 40))
        ]
        if answer := self.ask("POST", "tags/batch/", {"items": items}):
            self.wishes.tagged += sum(row["status"] == 202 for row in answer["results"])

    def hand_over_a_leaver(self) -> None:
        """Somebody's account is deleted; two colleagues get her customers and groups."""
        giver, *takers = self._staff_by_load()[:3]
        self.givers.append(giver)
        self._sandbox.people.member_leaves(giver)
        left = Staff.objects.for_corp(self._corp).filter(userid=giver, status=Staff.Status.LEFT)
        self._wait_for(left.exists)
        self._plan({"kind": "resigned", "from_userid": giver, "to_userids": takers})

    def hand_over_some(self) -> None:
        """A colleague who stays gives some of hers to another, who has not room for all."""
        giver, taker = self._staff_by_load()[:2]
        with self._sandbox.world.lock:
            own = [r.external_userid for r in self._sandbox.world.customers_of(giver)]
            room = len(self._sandbox.world.customers_of(taker)) + 4
        self.givers.append(giver)
        self._sandbox.people.set_capacity(taker, room)
        chosen = self._dice.sample(own, min(len(own), 8))
        known = Customer.objects.for_corp(self._corp).live().filter(external_userid__in=chosen)
        ids = patiently(lambda: list(known.values_list("external_userid", flat=True)))
        self._plan(
            {
                "kind": "in_service",
                "from_userid": giver,
                "to_userids": [taker],
                "external_userids": ids,
            }
        )

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Call until there is an answer, with one key; None when the product refuses."""
        key = uuid.UUID(int=self._dice.getrandbits(128)).hex
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self._try(method, path, body, key)
            if answer is not None and answer.status_code < 400:
                return dict(answer.json()) if answer.content else {}
            if answer is not None and not _may_come_right(answer):
                self.wishes.refused.append(f"{method} {path}: {answer.text[:300]}")
                return None
            self.wishes.repeated_calls += 1
            time.sleep(0.7)
        raise Unanswered(f"{method} {path}")

    def _try(
        self, method: str, path: str, body: dict[str, Any] | None, key: str
    ) -> requests.Response | None:
        try:
            return requests.request(
                method,
                self._url + path,
                json=body or {},
                headers=self._headers | {"Idempotency-Key": key},
                timeout=10,
            )
        except requests.RequestException:
            return None

    def _campaign(self, **audience: Any) -> int:
        # Content that nobody else's has: the platform knows repetitions by it.
        text = f"{self._dice.getrandbits(48):x}"
        draft = {"name": f"draft {text}", "content": f"Spring is coming {text}", **audience}
        made = self.ask("POST", "campaigns/", draft)
        if made is None or self.ask("POST", f"campaigns/{made['id']}/submit/") is None:
            return 0
        number = int(made["id"])
        self.wishes.campaigns[number] = audience.get("external_userids") or audience["chat_ids"]
        return number

    def _plan(self, wish: dict[str, Any]) -> None:
        plan = self.ask("POST", "handover/plans/", wish)
        if plan and self.ask("POST", f"handover/plans/{plan['id']}/execute/") is not None:
            self.wishes.plans.append(plan["id"])

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not patiently(is_so):
            if time.monotonic() > deadline:
                # The event was dropped: somebody looks into the directory.
                patiently(lambda: start_sync(self._corp, now=timezone.now(), only=["staff"]))
                deadline = time.monotonic() + PATIENCE
            time.sleep(0.5)

    def _some_customers(self, count: int) -> list[str]:
        live = Customer.objects.for_corp(self._corp).live().order_by("pk")
        ids = patiently(lambda: list(live.values_list("external_userid", flat=True)))
        return self._dice.sample(ids, min(count, len(ids)))

    def _staff_by_load(self) -> list[str]:
        """Userids of those who can follow customers and have no part in a handover yet."""
        world = self._sandbox.world
        with world.lock:
            members = [m for m in world.present_members() if m.can_follow]
            free = [m.userid for m in members if m.userid not in self.givers and m.capacity is None]
            # Who owns a group comes before who does not.
            return sorted(
                free, key=lambda one: (not world.chats_of(one), -len(world.customers_of(one)))
            )


def _may_come_right(answer: requests.Response) -> bool:
    if answer.status_code >= 500 or answer.status_code == 429:
        return True
    return answer.status_code == 409 and answer.json().get("code") == "in_progress"
