"""What the storm stands on: services of its own, which can be taken from under the product.

Without `SCRM_*_URL` everything is embedded, in the data directory of this run. With them the storm
makes a database of its own on the given server, and empties the product's queues and keys on the
given broker and cache: nobody else may be using those at the same time.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from cryptography.fernet import Fernet
from kombu import Connection
from psycopg import sql

from scrm import embedded
from scrm.processes import QUEUES

DATABASE = f"scrm_chaos_{os.getpid()}"
# A command that restarts the given server; without it all connections to the database are ended.
RESTART = "SCRM_RESTART_DATABASE"
OUR_KEYS = ("*scrm-limits*", ":1:*")


class Ground:
    """The services of one storm, and what can befall them."""

    def __init__(self, *, database: str = "", broker: str = "", cache: str = "") -> None:
        # The given server, where it is asked for things that concern it and not our rows.
        self._server = database
        self._broker, self._cache = broker, cache

    @property
    def has_cache(self) -> bool:
        return bool(self._cache)

    @property
    def words(self) -> str:
        """What it stands on, and what is done to the database."""
        if not self._server:
            database = "embedded PostgreSQL, stopped at once and started again"
        elif os.environ.get(RESTART):
            database = f"the given PostgreSQL, restarted by `{os.environ[RESTART]}`"
        else:
            database = f"the given PostgreSQL, whose connections are ended ({RESTART} is not set)"
        broker = "the given broker" if self._broker else "a broker of files"
        cache = "the given Redis" if self._cache else "no Redis"
        return f"{database}; {broker}; {cache}"

    def restart_database(self) -> None:
        """Take the database away without a warning; it comes back by itself."""
        if not self._server:
            # The supervisor finds it dead and starts it again.
            with psycopg.connect(os.fsdecode(embedded.database_url())) as connection:
                row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
            assert row is not None
            os.kill(int(row[0].split()[0]), signal.SIGQUIT)
        elif command := os.environ.get(RESTART):
            subprocess.run(shlex.split(command), check=True, timeout=60)  # noqa: S603 — as we were told
        else:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [DATABASE],
                )

    def empty_broker(self) -> int:
        """Lose whatever waits in the broker; return how many messages those were."""
        if self._broker:
            return self._purge_queues()
        folder = embedded.data_dir() / "broker"
        lost = len(list(folder.glob("messages/*.msg")))
        shutil.rmtree(folder, ignore_errors=True)
        return lost

    def empty_cache(self) -> int:
        with redis.Redis.from_url(self._cache) as client:
            keys = [key for pattern in OUR_KEYS for key in client.scan_iter(pattern)]
            return int(client.delete(*keys)) if keys else 0

    def _purge_queues(self) -> int:
        lost = 0
        with Connection(self._broker) as connection:
            for queue in QUEUES.split(","):
                with connection.SimpleQueue(queue) as simple:
                    lost += simple.clear() or 0
        return lost


@contextmanager
def prepared() -> Iterator[Ground]:
    """Have the services ready and named in the environment, before Django is set up."""
    given = {name: os.environ.get(f"SCRM_{name.upper()}_URL", "") for name in _NAMES}
    ground = Ground(**given)
    if not given["database"]:
        with embedded.running():
            yield ground
        return
    os.environ.setdefault("SCRM_SECRET_KEY", "chaos")
    os.environ.setdefault("SCRM_FIELD_KEYS", Fernet.generate_key().decode())
    _execute(given["database"], "CREATE DATABASE {}")
    os.environ["SCRM_DATABASE_URL"] = urlunsplit(
        urlsplit(given["database"])._replace(path=f"/{DATABASE}")
    )
    try:
        yield ground
    finally:
        _execute(given["database"], "DROP DATABASE IF EXISTS {} WITH (FORCE)")


_NAMES = ("database", "broker", "cache")


def _execute(server: str, statement: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE)))
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return
