"""Kombu's broker of files, without the moments in which it shows half a file.

Upstream opens a message (or a new table of bindings) under its final name and fills it afterwards;
a reader in between takes an empty file, and the worker stops with a JSON error.
"""

import uuid
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.transport import filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        # Wall-clock names sort across reboots, unlike upstream's monotonic ones.
        name = f"{time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        draft = self._draft(dumps(payload))
        draft.rename(Path(self.data_folder_out) / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for file in sorted(Path(self.data_folder_in).iterdir()):
            if file.name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = self.control_folder / f"{uuid.uuid4()}.taken"
            try:
                # Of several workers one succeeds; upstream moves to the temporary directory,
                # which is a copy, and so a message for each, when that is another file system.
                file.rename(taken)
            except FileNotFoundError:
                continue
            content = taken.read_bytes()
            taken.unlink()
            return loads(bytes_to_str(content))
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        table: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        if not table.exists():
            draft = self._draft("[]")
            try:
                table.hardlink_to(draft)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        super()._queue_bind(exchange, routing_key, pattern, queue)

    def _draft(self, content: str) -> Path:
        draft: Path = self.control_folder / f"{uuid.uuid4()}.draft"
        draft.write_bytes(str_to_bytes(content))
        return draft


class Transport(filesystem.Transport):
    Channel = Channel
