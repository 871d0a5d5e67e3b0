"""Callbacks: taken in beside a bare view, answered at half of that load, and handled by two workers.

Both servers run as in production, each in a process of its own, and are asked in turns by the same
client. The bare one has no middleware: it verifies, decrypts and inserts one row. `--size` is the
number of stored events, of every form there is, that two worker processes then handle while each is
written down by its hearer in the same transaction: lost, heard twice, out of order.
"""

import atexit
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.harness import Case, execute, run

CORP, TOKEN = "benchmark-callbacks", "token"
KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
# Requests of a round, connections that send them, and seconds at half of what was reached.
CALLBACKS, CONNECTIONS, CALM_SECONDS = 1500, 8, 10
WORKERS = 2
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def prepare(stored: int) -> Case:
    handled = handle_many(stored)
    corp_pk = _corp_pk()
    servers = {"bare": _serve("benchmarks.callbacks:bare()"), "ours": _serve("scrm.wsgi")}
    posts = [_post(number) for number in range(CALLBACKS)]

    def reset() -> None:
        execute("DELETE FROM channels_inboundevent WHERE corp_id = %s", [corp_pk])

    def limit() -> None:
        _send(servers["bare"], posts)
        assert _count(corp_pk) == CALLBACKS

    def ours() -> None:
        _send(servers["ours"], posts)
        assert _count(corp_pk) == CALLBACKS

    # What a warm server reaches: the first round fills its threads' connections and caches.
    a_second = 0.0
    for _warm in range(2):
        reset()
        limit()
        reset()
        started = time.perf_counter()
        ours()
        a_second = CALLBACKS / (time.perf_counter() - started)
    case = Case(limit, ours, reset=reset)
    case.notes |= {"at_half_load": _calm(servers["ours"], a_second / 2), "handled": handled}
    return case


def ratios(limit: float, ours: float, _peer: float | None) -> dict[str, float]:
    return {
        "of_limit": limit / ours,
        "limit_a_second": CALLBACKS / limit,
        "ours_a_second": CALLBACKS / ours,
    }


# The servers and what is sent to them


def bare() -> Any:
    """A Django without anything but the one view."""
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    django.setup()
    settings.MIDDLEWARE = []
    settings.ROOT_URLCONF = "benchmarks.callbacks"
    return WSGIHandler()


def _take_in_barely(request: HttpRequest, corp_id: str) -> HttpResponse:
    inner = _crypto().decrypt_message(
        request.body,
        request.GET["msg_signature"],
        request.GET["timestamp"],
        request.GET["nonce"],
    )
    execute(_BARE, [inner.encode(), inner, corp_id])
    return HttpResponse("success", headers={"Content-Length": "7"})


@cache
def _crypto() -> Any:
    from wechatpy.work.crypto import WeChatCrypto

    return WeChatCrypto(TOKEN, KEY, CORP)


_BARE = """
    INSERT INTO channels_inboundevent (corp_id, digest, event, change_type, order_key, body, status,
        attempts, error, received_at, next_attempt_at)
    SELECT id, sha256(%s), '', '', '', %s, 'received', 0, '', now(), now()
    FROM tenancy_corp WHERE corp_id = %s
    ON CONFLICT DO NOTHING"""

urlpatterns = [path("wecom/callback/<slug:corp_id>/", _take_in_barely)]


def _serve(application: str) -> int:
    from scrm.processes import web_arguments

    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    arguments = web_arguments("127.0.0.1", port)
    arguments[arguments.index("scrm.wsgi")] = application
    server = subprocess.Popen([sys.executable, *arguments], env=os.environ)  # noqa: S603
    atexit.register(server.terminate)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return port
    raise AssertionError(f"{application} does not answer.")


def _post(number: int) -> bytes:
    from scrm.channels.wecom.crypto import Seal

    seal = Seal(TOKEN, KEY, CORP)
    inner = _inner("change_external_contact", "edit_external_contact", number, number % 1000)
    encrypted = seal.encrypt(inner.encode())
    query = {"timestamp": "1700000000", "nonce": str(number)}
    query["msg_signature"] = seal.sign(encrypted, **query)
    body = f"<xml><ToUserName>{CORP}</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    head = (
        f"POST /wecom/callback/{CORP}/?{urlencode(query)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return f"{head}{body}".encode()


def _send(port: int, posts: Sequence[bytes], *, a_second: float = 0) -> list[float]:
    """Send each once, as fast as the answers come or at a pace; the milliseconds each took.

    At a pace the clock of a request starts when it was due, whether or not it could be sent then.
    """
    started, taken = time.perf_counter(), list[float]()

    def send(first: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in range(first, len(posts), CONNECTIONS):
                due = started + number / a_second if a_second else time.perf_counter()
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.sendall(posts[number])
                _expect_success(connection)
                taken.append(1000 * (time.perf_counter() - due))

    senders = [Thread(target=send, args=[first]) for first in range(CONNECTIONS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(taken) == len(posts)
    return sorted(taken)


def _expect_success(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"success"):
        part = connection.recv(4096)
        assert part, answer
        answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer


def _calm(port: int, a_second: float) -> dict[str, float]:
    posts = [_post(CALLBACKS + number) for number in range(int(a_second * CALM_SECONDS))]
    milliseconds = _send(port, posts, a_second=a_second)
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    found = {name: milliseconds[int(len(posts) * share)] for name, share in at.items()}
    return {name: round(value, 1) for name, value in (found | {"a_second": a_second}).items()}


# The workers and what they handle


def handle_many(stored: int) -> dict[str, Any]:
    """Store events of every form, then have two processes handle them all."""
    from django.utils import timezone

    corp_pk = _corp_pk()
    execute("DELETE FROM channels_inboundevent WHERE corp_id = %s", [corp_pk])
    execute("DROP TABLE IF EXISTS benchmark_heard")
    execute("CREATE TABLE benchmark_heard (id bigserial, at timestamptz, worker int)")
    hear()
    now = timezone.now()
    for first in range(0, stored, 1000):
        _store(range(first, min(first + 1000, stored)), corp_pk=corp_pk, now=now)
    execute("ANALYZE channels_inboundevent")
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.callbacks", "--work"]
    workers = [subprocess.Popen(command, env=os.environ) for _ in range(WORKERS)]  # noqa: S603
    assert [worker.wait() for worker in workers] == [0] * WORKERS
    seconds = time.perf_counter() - started
    return {
        **_figures(corp_pk),
        "workers": WORKERS,
        "seconds": round(seconds, 1),
        "events_a_second": round(stored / seconds),
    }


def _store(numbers: Sequence[int], *, corp_pk: int, now: datetime) -> None:
    """Rows as the door makes them, many at a time: what the door costs is measured apart."""
    import hashlib

    from scrm.channels.models import InboundEvent
    from scrm.channels.wecom.events import read_event

    rows = []
    for number, inner in zip(numbers, _inners(numbers), strict=True):
        callback = read_event(inner.encode(), received_at=now)
        assert callback.typed, inner
        rows.append(
            InboundEvent(
                corp_id=corp_pk,
                digest=hashlib.sha256(inner.encode()).digest(),
                event=callback.event,
                change_type=callback.change_type,
                order_key=callback.order_key,
                body=inner,
                happened_at=BEGIN + timedelta(seconds=number),
                received_at=now,
                next_attempt_at=now,
            )
        )
    InboundEvent.objects.bulk_create(rows)


def _inners(numbers: Sequence[int]) -> Iterator[str]:
    """Every form in turn; those of customers and chats about one of thousands of each."""
    from scrm.channels.wecom.event_forms import FORMS

    forms = sorted(FORMS)
    for number in numbers:
        event, change = forms[number % len(forms)]
        yield _inner(event, change, number, number // len(forms))


def _inner(event: str, change: str, number: int, about: int) -> str:
    """About customer and chat number `about`; nine of ten changes of a chat are of its members."""
    moment = int((BEGIN + timedelta(seconds=number)).timestamp())
    customer, chat = f"wm{about // 2}", f"wr{about // 10}"
    elements = {
        "FromUserName": f"staff{about % 50}", "CreateTime": str(moment), "MsgType": "event",
        "Event": event, "ChangeType": change, "UserID": f"staff{about % 50}",
        "ExternalUserID": customer, "ChatId": chat, "LinkId": f"ca{about % 20}", "ChatKey": "k",
        "State": f"shop-{about % 20}", "Id": str(about % 50 + 1), "TagId": str(about % 50 + 1),
        "JobId": f"job{number}", "OpenKfId": f"wk{about % 20}", "TaskId": f"card{about % 500}",
        "EventKey": "key", "ExpireTime": str(moment), "ExpireQuotaNum": "40",
    }  # fmt: skip
    text = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in elements.items())
    if change == "update" and event == "change_external_chat" and about % 10:
        text += (
            f"<UpdateDetail>add_member</UpdateDetail><MemChangeCnt>1</MemChangeCnt>"
            f"<LastMemVer>v{about - 1}</LastMemVer><CurMemVer>v{about}</CurMemVer>"
            f"<MemChangeList><Item>{customer}</Item></MemChangeList>"
        )
    if event == "batch_job_result":
        text += (
            "<BatchJob><JobId>j</JobId><JobType>sync_user</JobType><ErrCode>0</ErrCode></BatchJob>"
        )
    return f"<xml>{text}</xml>"


def hear() -> None:
    """Write every event down, in the transaction of its handling."""
    from scrm.channels.events import ChannelEvent, subscribe

    def note(event: ChannelEvent, _corp: Any, _now: datetime) -> None:
        execute(
            "INSERT INTO benchmark_heard (at, worker) VALUES (%s, %s)",
            [event.happened_at, os.getpid()],
        )

    subscribe(ChannelEvent, note)


def work() -> None:
    """One worker: runs of the tick until nothing waits."""
    from django.utils import timezone

    from scrm.channels.actions.inbox import handle_due_events
    from scrm.channels.models import InboundEvent

    hear()
    waiting = InboundEvent.objects.filter(corp__corp_id=CORP, status="received")
    while waiting.exists():
        if not handle_due_events(now=timezone.now()):
            time.sleep(0.05)


def _figures(corp_pk: int) -> dict[str, int]:
    """How many events there are, what became of them, and which were not heard once in order."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, [corp_pk])
        names = [column.name for column in cursor.description or ()]
        return dict(zip(names, cursor.fetchone(), strict=True))


_FIGURES = """
WITH heard AS (
    SELECT at, count(*) AS times, max(id) AS place FROM benchmark_heard GROUP BY at
), events AS (
    SELECT e.*, h.times, h.place < max(h.place) OVER (PARTITION BY order_key ORDER BY e.id) AS is_late
    FROM channels_inboundevent e LEFT JOIN heard h ON h.at = e.happened_at
    WHERE e.corp_id = %s
)
SELECT count(*) AS stored, count(*) FILTER (WHERE status = 'handled') AS handled,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status NOT IN ('handled', 'failed')) AS otherwise,
    count(*) FILTER (WHERE times IS NULL) AS lost, count(*) FILTER (WHERE times > 1) AS twice,
    count(*) FILTER (WHERE is_late AND order_key <> '') AS out_of_order,
    count(*) FILTER (WHERE attempts > 1) AS tried_again,
    count(DISTINCT order_key) AS subjects,
    (SELECT min(heard) FROM (
        SELECT count(*) AS heard FROM benchmark_heard GROUP BY worker
    ) shares) AS fewest_by_a_worker
FROM events
"""


def _corp_pk() -> int:
    from django.utils import timezone

    from scrm.tenancy.models import Corp

    named = {"name": "Callbacks", "base_url": "http://127.0.0.1:9/cgi-bin/", "secret": "none"}
    seal = {"callback_token": TOKEN, "callback_aes_key": KEY, "created_at": timezone.now()}
    corp, _ = Corp.objects.get_or_create(corp_id=CORP, defaults=named | seal)
    return int(corp.pk)


def _count(corp_pk: int) -> int:
    from scrm.channels.models import InboundEvent

    return InboundEvent.objects.filter(corp=corp_pk).count()


def main() -> None:
    if sys.argv[1:2] != ["--work"]:
        run("callbacks", prepare, ratios)
        return
    from scrm import embedded

    with embedded.running():
        import django

        django.setup()
        work()


if __name__ == "__main__":
    main()
