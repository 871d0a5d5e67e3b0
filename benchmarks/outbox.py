"""The outbox: operations asked of a platform that answers at once, beside bare claims and updates.

Before that, for a real minute, several workers as processes, a platform that takes 10 000 calls in
a minute and says 45009 to the next, and somebody who clicks every second: how many calls it took,
whether it ever said so, how long clicks waited. `--customers` is the number of operations of a
round; a hundred thousand of another corp wait all the time. Calls are counted in the database, or
in the Redis that SCRM_CACHE_URL names.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Client, Listener
from threading import Lock, Thread
from typing import Any

from benchmarks.harness import Case, execute, run

KIND, PAUSED = "benchmark_remark", "benchmark_paused"
PATH = "externalcontact/remark"
OTHERS = 100_000
WORKERS = 3
MINUTE = 60
BATCH = 100
CLICK, BULK = 10, 20
SIZE: dict[str, int] = {}


def prepare(operations: int) -> Case:
    from scrm.channels.actions.outbox import run_due_operations

    corp, now = make_corp("benchmark-outbox"), datetime.now(tz=UTC)
    let_others_wait(now)
    minute = hold_the_limit(corp, workers=WORKERS)
    register(answer_at_once)

    def reset() -> None:
        forget(corp)
        execute(_WISH, [KIND, "r", BULK, now, now, operations, corp.pk])
        execute("VACUUM ANALYZE channels_operation")

    def ours() -> None:
        while run_due_operations(now=datetime.now(tz=UTC), limit=operations):
            pass
        assert count(corp, "succeeded") == operations

    def limit() -> None:
        while claim_and_update(corp):
            pass
        assert count(corp, "succeeded") == operations

    reset()
    case = Case(limit, ours, reset=reset)
    case.notes |= {"claim_ms": claim_ms(), "waiting": OTHERS, "minute": minute}
    case.notes["counted_in"] = count_calls(lambda storage: type(storage).__name__)
    SIZE["operations"] = operations
    return case


def forget(corp: Any) -> None:
    execute("DELETE FROM channels_operation WHERE corp_id = %s", [corp.pk])
    count_calls(lambda storage: storage.reset())


def count_calls(act: Any) -> Any:
    from scrm.channels.counters import count

    return count(act)


def let_others_wait(now: datetime) -> None:
    """A hundred thousand rows are due, of a kind that is paused."""
    from scrm.channels.models import EndpointPause

    others = make_corp("benchmark-outbox-others")
    execute("DELETE FROM channels_operation WHERE corp_id = %s", [others.pk])
    execute(_WISH, [PAUSED, "o", BULK, now, now, OTHERS, others.pk])
    until = {"until": now + timedelta(days=1)}
    EndpointPause.objects.update_or_create(corp=others, kind=PAUSED, defaults=until)


def register(answer: Any) -> None:
    from django.conf import settings

    from scrm.channels.kinds import OperationKind, register_kind

    for name in (KIND, PAUSED):
        register_kind(OperationKind(name, answer, endpoints=(PATH,), in_batches=True))
    if answer is answer_at_once:
        # How fast the outbox is, not how much the platform takes.
        settings.CHANNEL_CALLS_PER_MINUTE = settings.CHANNEL_CALLS_PER_HOUR = 1_000_000


def answer_at_once(channel: Any, payload: dict[str, Any]) -> dict[str, Any]:
    """A call in all but the network: admitted within the limits, and answered."""
    from scrm.channels.metering import admitted

    with admitted(payload["corp"], PATH, payload):
        return {}


def make_corp(name: str) -> Any:
    from scrm.tenancy.models import Corp

    fields = {"name": name, "base_url": "http://127.0.0.1:9/", "created_at": datetime.now(tz=UTC)}
    return Corp.objects.get_or_create(corp_id=name, defaults=fields)[0]


def count(corp: Any, status: str) -> int:
    from scrm.channels.models import Operation

    return Operation.objects.for_corp(corp).filter(status=status).count()


def claim_and_update(corp: Any) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [corp.pk, KIND, BATCH])
        claimed = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(_UPDATE, [claimed])
        return bool(claimed)


def claim_ms() -> float:
    """What one claim takes while a hundred thousand wait, in milliseconds."""
    from django.db import transaction

    from scrm.channels.actions.claiming import claim_due

    taken = []
    for _ in range(11):
        with transaction.atomic():
            started = time.perf_counter()
            claim_due(now=datetime.now(tz=UTC), at_most=BATCH)
            taken.append(time.perf_counter() - started)
            transaction.set_rollback(True)
    return round(sorted(taken)[5] * 1000, 2)


_WISH = """
    INSERT INTO channels_operation (corp_id, kind, idempotency_key, serial_key, priority, payload,
        status, attempts, next_attempt_at, result, error, created_at)
    SELECT c.id, %s, %s || n, '', %s,
        jsonb_build_object('corp', c.id, 'userid', 'alice', 'external_userid', 'wm' || n),
        'pending', 0, %s, '{}', '', %s
    FROM tenancy_corp c, generate_series(1, %s) AS n WHERE c.id = %s"""
_CLAIM = """
    UPDATE channels_operation SET status = 'in_flight', called_at = now() WHERE id IN (
        SELECT id FROM channels_operation WHERE status = 'pending' AND corp_id = %s AND kind = %s
        AND priority = 20 ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING id"""
_UPDATE = """
    UPDATE channels_operation SET status = 'succeeded', finished_at = now() WHERE id = ANY(%s)"""


class Platform:
    """Takes 10 000 calls in a minute of its own; the next is told 45009 and blocked for a minute."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.refused = 0
        self._since, self._calls, self._lock = 0.0, 0, Lock()
        self._listener = Listener(("127.0.0.1", 0), authkey=b"benchmark")
        Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.address[1])

    def _serve(self) -> None:
        while True:
            Thread(target=self._answer, args=[self._listener.accept()], daemon=True).start()

    def _answer(self, connection: Any) -> None:
        while True:
            try:
                connection.recv_bytes()
            except EOFError:
                return
            connection.send_bytes(b"0" if self._takes() else b"45009")

    def _takes(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._since >= MINUTE:
                self._since, self._calls = now, 0
            self._calls += 1
            if self._calls > 10_000:
                self.refused += 1
                return False
            self.taken.append(now)
            return True


def hold_the_limit(corp: Any, *, workers: int) -> dict[str, Any]:
    """Have processes work off more than the platform takes, for a minute and the next's begin."""
    from django.db.models import F

    from scrm.channels.models import Operation

    clicks = 0
    platform, now = Platform(), datetime.now(tz=UTC)
    forget(corp)
    execute(_WISH, [KIND, "m", BULK, now, now, 25_000, corp.pk])
    command = [sys.executable, "-m", "benchmarks.outbox", "--work", str(platform.port)]
    started = [subprocess.Popen(command, env=os.environ) for _ in range(workers)]  # noqa: S603
    while not platform.taken:
        time.sleep(0.1)
    while any(worker.poll() is None for worker in started):
        click, clicks = datetime.now(tz=UTC), clicks + 1
        execute(_WISH, [KIND, f"c{clicks}-", CLICK, click, click, 1, corp.pk])
        time.sleep(1)
    taken, operations = platform.taken, Operation.objects.for_corp(corp)
    answered = operations.filter(priority=CLICK, status="succeeded")
    waits = answered.values_list(F("finished_at") - F("created_at"), flat=True)
    waited = sorted(wait.total_seconds() for wait in waits)
    return {
        "workers": workers,
        "minute_calls": sum(1 for at in taken if at - taken[0] < MINUTE),
        "most_within_60_s": most_within(taken, MINUTE),
        "calls": len(taken),
        "said_45009": platform.refused,
        "counted_as_attempts": operations.filter(status="pending", attempts__gt=0).count(),
        "clicks": len(waited),
        "click_waits_s": [round(waited[len(waited) // 2], 2), round(waited[-1], 2)],
    }


def most_within(moments: list[float], seconds: float) -> int:
    """The largest number of moments in any span of so many seconds."""
    first, most = 0, 0
    for number, at in enumerate(moments):
        while at - moments[first] >= seconds:
            first += 1
        most = max(most, number - first + 1)
    return most


def work(port: int) -> None:
    """One worker: ticks as beat sends them, until a little over a minute has passed."""
    from scrm.channels.actions.outbox import run_due_operations
    from scrm.channels.wecom.errcodes import error_of

    platform = Client(("127.0.0.1", port), authkey=b"benchmark")

    def ask(channel: Any, payload: dict[str, Any]) -> dict[str, Any]:
        from scrm.channels.metering import admitted

        with admitted(payload["corp"], PATH, payload):
            platform.send_bytes(b"?")
            if (said := platform.recv_bytes()) != b"0":
                raise error_of(int(said), "", PATH)
            return {}

    register(ask)
    until = time.monotonic() + MINUTE + 15
    while time.monotonic() < until:
        run_due_operations(now=datetime.now(tz=UTC), limit=10_000)
        time.sleep(0.2)


def ratios(limit: float, ours: float, _peer: float | None) -> dict[str, float]:
    return {"of_limit": limit / ours, "ours_a_second": SIZE["operations"] / ours}


def main() -> None:
    if sys.argv[1:2] != ["--work"]:
        run("outbox", prepare, ratios, size=5_000)
        return
    from scrm import embedded

    with embedded.running():
        import django

        django.setup()
        work(int(sys.argv[2]))


if __name__ == "__main__":
    main()
