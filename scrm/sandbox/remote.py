"""The sandbox from another process, by the names it has in process."""

from collections.abc import Iterable
from typing import Any

import requests

from scrm.sandbox.credentials import Credentials
from scrm.sandbox.faults import ANY
from scrm.sandbox.ledger import Entry
from scrm.sandbox.remote_people import RemotePeople
from scrm.sandbox.wire import SandboxRefused, Wire

__all__ = ["SandboxRefused", "SandboxRemote"]


class RemoteClock:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def now(self) -> float:
        return float(self._wire.get("clock")["now"])

    def advance(self, seconds: float) -> float:
        return float(self._wire.post("clock/advance", seconds=seconds)["now"])

    def set(self, at: float) -> float:
        return float(self._wire.post("clock/set", at=at)["now"])


class RemoteFaults:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def lose_answer(self, path: str, times: int = 1) -> None:
        self._wire.post("faults/lose_answer", path=path, times=times)

    def drop_request(self, path: str, times: int = 1) -> None:
        self._wire.post("faults/drop_request", path=path, times=times)

    def fail(self, path: str, errcode: int, times: int = 1) -> None:
        self._wire.post("faults/fail", path=path, errcode=errcode, times=times)

    def http_500(self, path: str, times: int = 1) -> None:
        self._wire.post("faults/http_500", path=path, times=times)

    def http_error(self, path: str, status: int = 502, times: int = 1) -> None:
        self._wire.post("faults/http_error", path=path, status=status, times=times)

    def reset_connection(self, path: str, times: int = 1) -> None:
        self._wire.post("faults/reset_connection", path=path, times=times)

    def garble(self, path: str, form: str = "html", times: int = 1) -> None:
        self._wire.post("faults/garble", path=path, form=form, times=times)

    def reject_tokens(self, path: str = ANY, times: int = 1) -> None:
        self._wire.post("faults/reject_tokens", path=path, times=times)

    def in_force(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._wire.get("faults")["faults"]
        return rows

    def delay(self, path: str, seconds: float, times: int = 1) -> None:
        self._wire.post("faults/delay", path=path, seconds=seconds, times=times)

    def expire_tokens(self) -> None:
        self._wire.post("faults/expire_tokens")

    def void_tokens(self) -> None:
        self._wire.post("faults/void_tokens")

    def clear(self) -> None:
        self._wire.post("faults/clear")


class RemoteCallbacks:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def configure(self, receiver: str | None) -> None:
        self._wire.post("callback", url=receiver or "")

    def verify(self) -> dict[str, Any]:
        result: dict[str, Any] = self._wire.post("callbacks/verify")["result"]
        return result

    def drain(self, timeout: float = 10) -> bool:
        answer = self._wire.post("callbacks/drain", timeout=timeout, wait=timeout)
        return bool(answer["result"])

    def drop_next(self, count: int = 1) -> None:
        self._wire.post("callbacks/drop_next", count=count)

    def duplicate_next(self, count: int = 1) -> None:
        self._wire.post("callbacks/duplicate_next", count=count)

    def reorder_next(self, count: int = 2) -> None:
        self._wire.post("callbacks/reorder_next", count=count)

    def delay_next(self, seconds: float, count: int = 1) -> None:
        self._wire.post("callbacks/delay_next", seconds=seconds, count=count)

    def strip_next(self, element: str, count: int = 1) -> None:
        self._wire.post("callbacks/strip_next", element=element, count=count)

    def repeat_next(self, count: int = 1) -> None:
        self._wire.post("callbacks/repeat_next", count=count)

    def begin_outage(self, *, lose: bool = False) -> None:
        self._wire.post("callbacks/begin_outage", lose=lose)

    def end_outage(self) -> int:
        return int(self._wire.post("callbacks/end_outage")["result"])

    def in_force(self) -> dict[str, int]:
        counts: dict[str, int] = self._wire.get("callbacks")["callbacks"]
        return counts


class SandboxRemote:
    """Controls a running sandbox through its `control_url`."""

    def __init__(self, control_url: str) -> None:
        self._wire = Wire(control_url)
        self.people = RemotePeople(self._wire)
        self.faults = RemoteFaults(self._wire)
        self.callbacks = RemoteCallbacks(self._wire)
        self.clock = RemoteClock(self._wire)

    @property
    def credentials(self) -> Credentials:
        return Credentials(**self.state()["credentials"])

    @property
    def base_url(self) -> str:
        return str(self.state()["base_url"])

    def is_ready(self) -> bool:
        """Tell whether the sandbox answers."""
        try:
            self.state()
        except requests.RequestException:
            return False
        return True

    def state(self) -> dict[str, Any]:
        return self._wire.get("state")

    def summary(self) -> dict[str, Any]:
        return self._wire.get("summary")

    def campaign(self, msgids: Iterable[str] | None = None) -> dict[str, int]:
        parameters = {} if msgids is None else {"msgids": ",".join(msgids)}
        return self._wire.get("campaign", **parameters)

    def groups(self) -> dict[str, int]:
        return self._wire.get("summary/groups")

    def handover(self, userid: str) -> dict[str, int]:
        return self._wire.get("summary/handover", userid=userid)

    def archive(self) -> dict[str, Any]:
        return self._wire.get("summary/archive")

    def texts(self, text: str) -> dict[str, int]:
        return self._wire.get("summary/texts", text=text)

    def app_messages(self) -> dict[str, Any]:
        return self._wire.get("summary/app_messages")

    def moments(self) -> dict[str, int]:
        return self._wire.get("summary/moments")

    def tagging(self) -> dict[str, dict[str, list[str]]]:
        return self._wire.get("summary/tagging")

    def archive_keys(self) -> dict[int, str]:
        keys = self._wire.get("archive_keys")["archive_keys"]
        return {int(version): key for version, key in keys.items()}

    def entries(self, kind: str = "", *, after: int = 0) -> list[Entry]:
        """Return all entries, page by page."""
        found: list[Entry] = []
        while rows := self._wire.get("ledger", kind=kind, after=after)["entries"]:
            found.extend(Entry(**row) for row in rows)
            after = found[-1].number
        return found

    def calls(self) -> dict[str, int]:
        calls: dict[str, int] = self._wire.get("calls")["calls"]
        return calls

    def set_options(self, **options: Any) -> dict[str, Any]:
        return self._wire.post("options", **options)

    def members(self) -> list[dict[str, Any]]:
        return self._rows("members")

    def customers(self, *, userid: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Return relations (one per member and customer) with names and tags."""
        return self._rows("customers", **({"userid": userid} if userid else {}), limit=limit)

    def chats(self) -> list[dict[str, Any]]:
        return self._rows("chats")

    def tags(self) -> list[dict[str, Any]]:
        return self._rows("tags")

    def messages(self) -> list[dict[str, Any]]:
        return self._rows("messages")

    def close(self) -> None:
        self._wire.close()

    def _rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._wire.get(name, **parameters)[name]
        return rows
