"""Delivery of events to the receiver: encrypted, in order, with the platform's retries."""

import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from scrm.sandbox.envelope import seal, wrap
from scrm.sandbox.events import Event
from scrm.sandbox.world import World

# In-process receivers get (query, body) and return the HTTP status.
InProcess = Callable[[dict[str, str], bytes], int]
Receiver = str | InProcess
GOOD = 200


@dataclass(frozen=True)
class _Parcel:
    number: int
    event: Event
    xml: str


@dataclass
class _Outage:
    lose: bool
    waiting: list[_Parcel] = field(default_factory=list)


class Callbacks:
    """Posts events to a URL from a background thread, or hands them to a function at once.

    Without a receiver nothing is emitted, as on the platform.
    """

    def __init__(self, world: World, receiver: Receiver | None = None) -> None:
        self._world = world
        self._receiver = receiver
        self._queue: queue.Queue[_Parcel | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Content-Type": "text/xml", "Connection": "close"})
        self._drops = self._duplicates = self._reorders = self._repeats = 0
        self._held: list[_Parcel] = []
        # Seconds by which each of the next events is late, and elements that each of them lacks.
        self._delays: deque[float] = deque()
        self._lacks: deque[str] = deque()
        self._outage: _Outage | None = None

    @property
    def url(self) -> str:
        return self._receiver if isinstance(self._receiver, str) else ""

    def configure(self, receiver: Receiver | None) -> None:
        """Set or clear (None or "") where events go."""
        self._receiver = receiver or None

    def verify(self) -> dict[str, Any]:
        """Send the GET verification; return {"ok", "reason"}: 200, exact body, in one second."""
        if not self.url:
            return {"ok": False, "reason": "no receiver URL"}
        echo = str(secrets.randbelow(10**19))
        envelope = seal(echo, self._world.credentials)
        query = envelope.query | {"echostr": envelope.encrypted}
        reason = self._check_echo(query, echo)
        self._world.ledger.append("callback.verified", url=self.url, ok=not reason, reason=reason)
        return {"ok": not reason, "reason": reason}

    def emit(self, event: Event) -> None:
        """Queue an event in its order; chaos ordered beforehand strikes here."""
        if self._receiver is None:
            return
        lack = self._lacks.popleft() if self._lacks else ""
        stripped = replace(event, without=event.without | {lack}) if lack else event
        xml = stripped.as_xml(self._world.credentials.corp_id)
        entry = self._world.ledger.append(
            "callback.emitted", event=event.name, fields=dict(event.fields)
        )
        with self._lock:
            for parcel in self._hold_back(self._disturb(_Parcel(entry.number, event, xml))):
                self._queue.put(parcel)

    def settle(self) -> None:
        """Deliver what is queued: here and now in process, else by waking the thread."""
        if callable(self._receiver):
            while self._deliver_next(wait=False):
                pass
        else:
            self.wake()

    def wake(self) -> None:
        """Let the thread deliver to a URL; what goes to a function waits for the next act."""
        if self.url and not self._stopping.is_set():
            self._start()

    def drain(self, timeout: float = 10) -> bool:
        """Wait until everything emitted was delivered or given up; False when time runs out."""
        with self._lock:
            self._release_held()
        self.settle()
        deadline = time.monotonic() + timeout
        while self._queue.unfinished_tasks:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def drop_next(self, count: int = 1) -> None:
        """Lose the next events before they are ever posted."""
        self._drops += count

    def duplicate_next(self, count: int = 1) -> None:
        """Deliver each of the next events twice."""
        self._duplicates += count

    def reorder_next(self, count: int = 2) -> None:
        """Hold the next `count` events back and deliver them in reverse order."""
        self._reorders += count

    def delay_next(self, seconds: float, count: int = 1) -> None:
        """Post the next events so many virtual seconds late; what comes after them overtakes."""
        self._delays.extend([seconds] * count)

    def strip_next(self, element: str, count: int = 1) -> None:
        """Leave an element such as `State` out of the next events."""
        self._lacks.extend([element] * count)

    def repeat_next(self, count: int = 1) -> None:
        """Take the next good answers for lost, so that the same events are posted again."""
        self._repeats += count

    def begin_outage(self, *, lose: bool = False) -> None:
        """Post nothing any more; with `lose` what happens meanwhile is never told."""
        with self._lock:
            self._outage = _Outage(lose)
        self._world.ledger.append("callback.outage_began", lose=lose)

    def end_outage(self) -> int:
        """Post what was held back, in its order; return how many events that are."""
        with self._lock:
            waiting = self._outage.waiting if self._outage else []
            self._outage = None
            for parcel in waiting:
                self._queue.put(parcel)
        self._world.ledger.append("callback.outage_ended", held=len(waiting))
        self.settle()
        return len(waiting)

    def in_force(self) -> dict[str, int]:
        """Return what disturbs the next events, and how many of them."""
        with self._lock:
            counts = {
                "drop": self._drops,
                "duplicate": self._duplicates,
                "reorder": self._reorders,
                "repeat": self._repeats,
                "delay": len(self._delays),
                "strip": len(self._lacks),
                "outage": 1 if self._outage else 0,
            }
        return {name: count for name, count in counts.items() if count}

    def stop(self) -> None:
        """End the thread soon; what waits is not delivered."""
        self._stopping.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=0.5)
        self._session.close()

    def _disturb(self, parcel: _Parcel) -> list[_Parcel]:
        if self._drops:
            self._drops -= 1
            self._world.ledger.append("callback.dropped", emitted=parcel.number)
            return []
        if self._reorders:
            self._reorders -= 1
            self._held.insert(0, parcel)
            if self._reorders:
                return []
            held, self._held = self._held, []
            return held
        if self._duplicates:
            self._duplicates -= 1
            return [parcel, parcel]
        return [parcel]

    def _hold_back(self, parcels: list[_Parcel]) -> list[_Parcel]:
        """Return what may be posted now; an outage and delays keep the others."""
        if self._outage is not None:
            if self._outage.lose:
                for parcel in parcels:
                    self._world.ledger.append("callback.dropped", emitted=parcel.number)
            else:
                self._outage.waiting.extend(parcels)
            return []
        now = []
        for parcel in parcels:
            if self._delays:
                self._post_later(parcel, self._delays.popleft())
            else:
                now.append(parcel)
        return now

    def _post_later(self, parcel: _Parcel, seconds: float) -> None:
        def post() -> None:
            with self._lock:
                for each in self._hold_back([parcel]):
                    self._queue.put(each)
            self.settle()

        self._world.clock.schedule(self._world.clock.now() + seconds, post)

    def _release_held(self) -> None:
        self._reorders = 0
        for parcel in self._held:
            self._queue.put(parcel)
        self._held = []

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                name = "sandbox-callbacks"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._deliver_next(wait=True)

    def _deliver_next(self, *, wait: bool) -> bool:
        """Deliver the head of the queue; False when there is none."""
        try:
            parcel = self._queue.get(block=wait)
        except queue.Empty:
            return False
        try:
            if parcel is not None:
                self._deliver(parcel)
        finally:
            self._queue.task_done()
        return True

    def _deliver(self, parcel: _Parcel) -> None:
        options = self._world.options
        for attempt in range(1, options.callback_retries + 2):
            if attempt > 1 and self._stopping.wait(options.callback_retry_spacing):
                return
            status = self._attempt(parcel, attempt)
            if status == GOOD and not self._takes_for_lost():
                self._world.ledger.append("callback.delivered", emitted=parcel.number)
                return
            if status is not None and status != GOOD and not options.callback_retry_statuses:
                break
        self._world.ledger.append("callback.given_up", emitted=parcel.number)

    def _takes_for_lost(self) -> bool:
        """Whether a good answer shall count as if it had never come."""
        with self._lock:
            is_lost = self._repeats > 0
            self._repeats -= is_lost
        return is_lost

    def _attempt(self, parcel: _Parcel, attempt: int) -> int | None:
        credentials = self._world.credentials
        envelope = seal(parcel.xml, credentials)
        agent_id = "" if parcel.event.is_about_staff else str(credentials.agent_id)
        body = wrap(envelope.encrypted, credentials, agent_id=agent_id)
        started = time.monotonic()
        status, error = self._post(envelope.query, body)
        self._world.ledger.append(
            "callback.attempt",
            emitted=parcel.number,
            attempt=attempt,
            status=status,
            error=error,
            milliseconds=round((time.monotonic() - started) * 1000, 1),
        )
        return status

    def _post(self, query: dict[str, str], body: bytes) -> tuple[int | None, str]:
        receiver = self._receiver
        if receiver is None:
            return None, "no receiver"
        if not isinstance(receiver, str):
            return receiver(query, body), ""
        timeout = self._world.options.callback_timeout
        try:
            answer = self._session.post(
                receiver, params=query, data=body, timeout=timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            return None, type(error).__name__
        return answer.status_code, ""

    def _check_echo(self, query: dict[str, str], echo: str) -> str:
        """Return what is wrong with the receiver's answer, or nothing."""
        timeout = self._world.options.verify_timeout
        started = time.monotonic()
        try:
            answer = self._session.get(
                self.url, params=query, timeout=timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            return f"no answer: {type(error).__name__}"
        if answer.status_code != 200:
            return f"HTTP {answer.status_code}"
        if time.monotonic() - started > timeout:
            return f"answered after more than {timeout} s"
        return "" if answer.content == echo.encode() else "the body is not the decrypted echostr"
