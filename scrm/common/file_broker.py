"""Kombu's broker of files, without the moments in which it shows half a file.

Upstream opens a message (or a new table of bindings) under its final name and fills it afterwards;
a reader in between takes an empty file, and the worker stops with a JSON error. Nor does this one
mind that its folders are emptied or removed under running processes.
"""

import uuid
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

LONGEST_DRAIN = 0.5


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        # Wall-clock names sort across reboots, unlike upstream's monotonic ones.
        name = f"{time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        self._draft(dumps(payload)).rename(self._messages / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for file in self._waiting(queue):
            taken = _made(self.control_folder) / f"{uuid.uuid4()}.taken"
            # Of several readers one succeeds; upstream moves to the temporary directory, which is
            # a copy, and so a message for each, when that is another file system.
            with suppress(FileNotFoundError):
                content = file.rename(taken).read_bytes()
                taken.unlink()
                return loads(bytes_to_str(content))
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _waiting(self, queue: str) -> list[Path]:
        files = self._messages.iterdir()
        return sorted(file for file in files if file.name.partition(".")[2] == f"{queue}.msg")

    @property
    def _messages(self) -> Path:
        return _made(Path(self.data_folder_in))

    def get_table(self, exchange: str) -> list[exchange_queue_t]:  # type: ignore[override]
        # Kombu binds a queue once in the life of a process, and forgets a message without binding.
        table: list[exchange_queue_t] = super().get_table(exchange)
        known = (self.state.exchanges or {}).get(exchange, {}).get("table", [])
        return table or [exchange_queue_t(*binding) for binding in known]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        table: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        if not table.exists():
            draft = self._draft("[]")
            with suppress(FileExistsError):
                table.hardlink_to(draft)
            draft.unlink()
        super()._queue_bind(exchange, routing_key, pattern, queue)

    def _draft(self, content: str) -> Path:
        draft = _made(self.control_folder) / f"{uuid.uuid4()}.draft"
        draft.write_bytes(str_to_bytes(content))
        return draft


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Transport(filesystem.Transport):
    Channel = Channel

    def drain_events(  # type: ignore[override]
        self, connection: Any, timeout: float | None = None
    ) -> None:
        # Celery asks for two seconds at a time, and hears of a shutdown only in between.
        if timeout is not None:
            timeout = min(timeout, LONGEST_DRAIN)
        super().drain_events(connection, timeout=timeout)
