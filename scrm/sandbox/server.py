"""The sandbox in process: a world served over HTTP."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, make_server

from scrm.sandbox.accounts import (
    account_for_app_messages,
    account_for_archive,
    account_for_groups,
    account_for_handover,
    account_for_moments,
    account_for_tagging,
    account_for_text,
)
from scrm.sandbox.app import SandboxApp
from scrm.sandbox.behaviour import Behaviour
from scrm.sandbox.callbacks import Callbacks, Receiver
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.credentials import Credentials
from scrm.sandbox.faults import Faults
from scrm.sandbox.gate import Gate
from scrm.sandbox.ledger import Entry, Ledger
from scrm.sandbox.options import Options
from scrm.sandbox.people import People
from scrm.sandbox.serving import KeepAliveHandler, OpenSockets
from scrm.sandbox.summary import summarise, summarise_campaign
from scrm.sandbox.tokens import TokenDesk
from scrm.sandbox.world import World

TICK_SECONDS = 0.2
# How long a stopping server may take to notice.
POLL_SECONDS = 0.05


class SandboxServer:
    """Serves a world; `scrm.sandbox.remote.SandboxRemote` offers the same names from outside."""

    def __init__(
        self,
        world: World,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        callback: Receiver | None = None,
    ) -> None:
        self.world = world
        self.callbacks = Callbacks(world, callback)
        self.people = People(world, self.callbacks)
        tokens = TokenDesk(world)
        self.faults = Faults(world.ledger, tokens)
        self.gate = Gate(world, tokens, self.faults)
        behaviour = Behaviour(world, self.people)
        world.on_asked.append(behaviour.consider)
        world.on_reminded.append(behaviour.consider_reminder)
        world.on_transfer.append(self.people.await_takeover)
        world.on_chat_given.append(self.people.announce_given)
        world.on_befriended.append(self.people.settle_link_customer)
        world.on_customer_said.append(self.people.count_link_message)
        world.on_member_changed.append(self.people.check_links)
        self.people.watch_quota()
        world.on_upload.append(self.people.begin_fetch)
        world.on_moment.append(behaviour.consider_moment)
        world.on_published.append(behaviour.consider_published)
        self._sockets = OpenSockets()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._http: BaseWSGIServer = make_server(
            host,
            port,
            SandboxApp(self),
            threaded=True,
            request_handler=KeepAliveHandler.tracking(self._sockets),
        )
        world.root_url = self.root_url

    @property
    def clock(self) -> VirtualClock:
        return self.world.clock

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger

    @property
    def options(self) -> Options:
        return self.world.options

    @property
    def credentials(self) -> Credentials:
        return self.world.credentials

    @property
    def root_url(self) -> str:
        return f"http://{self._http.host}:{self._http.port}/"

    @property
    def base_url(self) -> str:
        return f"{self.root_url}cgi-bin/"

    @property
    def control_url(self) -> str:
        return f"{self.root_url}sandbox/"

    def start(self) -> Self:
        for target in (self._serve, self._tick):
            thread = threading.Thread(target=target, name="sandbox", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Stop serving, cut open connections, and deliver nothing more."""
        self._stopping.set()
        if self._threads:
            self._http.shutdown()
        self._sockets.cut()
        self._http.server_close()
        self.callbacks.stop()
        for thread in self._threads:
            thread.join(timeout=1)

    def summary(self) -> dict[str, Any]:
        return summarise(self.world)

    def campaign(self, msgids: Iterable[str] | None = None) -> dict[str, int]:
        return summarise_campaign(self.world, msgids)

    def groups(self) -> dict[str, int]:
        return account_for_groups(self.world)

    def handover(self, userid: str) -> dict[str, int]:
        return account_for_handover(self.world, userid)

    def archive(self) -> dict[str, Any]:
        return account_for_archive(self.world)

    def texts(self, text: str) -> dict[str, int]:
        return account_for_text(self.world, text)

    def app_messages(self) -> dict[str, Any]:
        return account_for_app_messages(self.world)

    def moments(self) -> dict[str, int]:
        return account_for_moments(self.world)

    def tagging(self) -> dict[str, dict[str, list[str]]]:
        return account_for_tagging(self.world)

    def archive_keys(self) -> dict[int, str]:
        """Return the private half of every key the archive ever used, as PEM by version."""
        return self.world.archive.private_keys()

    def entries(self, kind: str = "", *, after: int = 0) -> list[Entry]:
        return self.ledger.entries(kind, after=after)

    def calls(self) -> dict[str, int]:
        return self.ledger.calls()

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=POLL_SECONDS)

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self.clock.run_due()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
