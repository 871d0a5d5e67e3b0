"""Requests that are on their way at the same real time, and what the platform refuses of them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scrm.sandbox.options import Options

Record = tuple[str, ...]
Parameters = Mapping[str, Any]


def _read_relation(parameters: Parameters) -> set[Record]:
    return {_name_relation(parameters.get("userid"), parameters.get("external_userid"))}


def _read_transfer(parameters: Parameters) -> set[Record]:
    giver, asked = parameters.get("handover_userid"), parameters.get("external_userid")
    customers = asked if isinstance(asked, list) else []
    return {("giver", _fold(giver))} | {_name_relation(giver, customer) for customer in customers}


def _read_chats(parameters: Parameters) -> set[Record]:
    chat_ids = parameters.get("chat_id_list")
    return {("chat", str(c)) for c in chat_ids} if isinstance(chat_ids, list) else set()


def _read_strategies(parameters: Parameters) -> set[Record]:
    return {("strategies",)}


def _name_relation(userid: object, external_userid: object) -> Record:
    return "relation", _fold(userid), str(external_userid)


def _fold(userid: object) -> str:
    return str(userid).lower()


# path → the records that such a request changes
WRITES: dict[str, Callable[[Parameters], set[Record]]] = {
    "externalcontact/mark_tag": _read_relation,
    "externalcontact/remark": _read_relation,
    "externalcontact/transfer_customer": _read_transfer,
    "externalcontact/resigned/transfer_customer": _read_transfer,
    "externalcontact/groupchat/transfer": _read_chats,
    "externalcontact/groupchat/onjob_transfer": _read_chats,
    "externalcontact/customer_strategy/create": _read_strategies,
    "externalcontact/customer_strategy/edit": _read_strategies,
}
LIST_NAMES = ("list", "list_v2", "list_id", "simplelist", "get_by_user", "get_range", "sync_msg")


def is_list(path: str) -> bool:
    """Whether the endpoint reads many rows."""
    name = path.rsplit("/", 1)[-1]
    return name in LIST_NAMES or name.endswith(("_list", "_result", "_list_v2"))


class Traffic:
    """Counts requests in when they arrive and out when they are answered."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._reading: Counter[str] = Counter()
        self._writing: set[Record] = set()

    @contextmanager
    def enter(self, path: str, parameters: Parameters) -> Iterator[int]:
        """Hold a request's place until it is answered; yields the errcode of its clash, or 0.

        What clashes holds no place, so it is in nobody's way.
        """
        records = WRITES[path](parameters) if path in WRITES else set()
        clash = self._take_place(path, records)
        try:
            yield clash
        finally:
            if not clash:
                self._leave(path, records)

    def _take_place(self, path: str, records: set[Record]) -> int:
        limit = self._options.list_concurrency
        with self._lock:
            if self._options.refuse_parallel_writes and records & self._writing:
                return 45035
            if limit and is_list(path) and self._reading[path] >= limit:
                return 45033
            self._writing |= records
            self._reading[path] += 1
        return 0

    def _leave(self, path: str, records: set[Record]) -> None:
        with self._lock:
            self._writing -= records
            self._reading[path] -= 1
