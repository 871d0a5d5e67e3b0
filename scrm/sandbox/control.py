"""The control surface under /sandbox/: look at the truth, act, order faults, move the clock."""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request

from scrm.sandbox.endpoints import ENDPOINTS
from scrm.sandbox.endpoints.directory import describe_member
from scrm.sandbox.faults import FaultUnknown
from scrm.sandbox.people import ActRefused
from scrm.sandbox.people.acting import ACTS
from scrm.sandbox.records import Chat, MassMessage, Relation

if TYPE_CHECKING:
    from scrm.sandbox.server import SandboxServer

FAULTS = {
    "lose_answer",
    "drop_request",
    "fail",
    "http_500",
    "http_error",
    "reset_connection",
    "garble",
    "reject_tokens",
    "delay",
    "expire_tokens",
    "void_tokens",
    "clear",
}
ACCOUNTS = {"groups", "handover", "archive", "texts", "app_messages", "tagging", "moments"}
CALLBACK_ACTS = {
    "verify",
    "drain",
    "drop_next",
    "duplicate_next",
    "reorder_next",
    "delay_next",
    "strip_next",
    "repeat_next",
    "begin_outage",
    "end_outage",
}

ROUTES = Map(
    [
        Rule("/state", endpoint="show_state", methods=["GET"]),
        Rule("/summary", endpoint="show_summary", methods=["GET"]),
        Rule("/summary/<name>", endpoint="show_account", methods=["GET"]),
        Rule("/archive_keys", endpoint="show_archive_keys", methods=["GET"]),
        Rule("/campaign", endpoint="show_campaign", methods=["GET"]),
        Rule("/ledger", endpoint="show_ledger", methods=["GET"]),
        Rule("/calls", endpoint="show_calls", methods=["GET"]),
        Rule("/members", endpoint="show_members", methods=["GET"]),
        Rule("/customers", endpoint="show_customers", methods=["GET"]),
        Rule("/chats", endpoint="show_chats", methods=["GET"]),
        Rule("/tags", endpoint="show_tags", methods=["GET"]),
        Rule("/messages", endpoint="show_messages", methods=["GET"]),
        Rule("/clock", endpoint="show_clock", methods=["GET"]),
        Rule("/clock/<name>", endpoint="move_clock", methods=["POST"]),
        Rule("/acts/<name>", endpoint="perform_act", methods=["POST"]),
        Rule("/faults", endpoint="show_faults", methods=["GET"]),
        Rule("/callbacks", endpoint="show_disturbances", methods=["GET"]),
        Rule("/faults/<name>", endpoint="order_fault", methods=["POST"]),
        Rule("/options", endpoint="change_options", methods=["POST"]),
        Rule("/callback", endpoint="configure_callback", methods=["POST"]),
        Rule("/callbacks/<name>", endpoint="perform_callback", methods=["POST"]),
    ]
)


class BadControl(ValueError):
    """The request to the control surface makes no sense."""


class Control:
    """Answers JSON for JSON; every route is a method of the same name."""

    def __init__(self, server: "SandboxServer") -> None:
        self._server = server
        self._world = server.world

    def answer(self, request: Request, path: str) -> tuple[int, Any]:
        """Return the HTTP status and the JSON answer."""
        adapter = ROUTES.bind("sandbox")
        try:
            name, values = adapter.match("/" + path, method=request.method)
            body = _read_body(request)
            arguments = request.args.to_dict() if request.method == "GET" else body
            return 200, getattr(self, name)(**values, arguments=arguments)
        except HTTPException as error:
            return error.code or 404, {"error": error.name}
        except (ActRefused, BadControl, FaultUnknown) as error:
            return 400, {"error": str(error)}

    def show_state(self, arguments: dict[str, Any]) -> Any:
        credentials = self._world.credentials
        return {
            "credentials": credentials.as_dict(),
            "base_url": self._server.base_url,
            "callback_url": self._server.callbacks.url,
            "create_corp": credentials.create_corp_command(self._server.base_url),
            "now": self._world.clock.now(),
            "seed": self._world.seed,
            "options": asdict(self._world.options),
            "endpoints": sorted(ENDPOINTS),
            "acts": sorted(ACTS),
            "faults": sorted(FAULTS),
        }

    def show_summary(self, arguments: dict[str, Any]) -> Any:
        return self._server.summary()

    def show_account(self, name: str, arguments: dict[str, Any]) -> Any:
        accounts = {account: getattr(self._server, account) for account in ACCOUNTS}
        return _call(_choose(name, accounts), arguments)

    def show_archive_keys(self, arguments: dict[str, Any]) -> Any:
        return {"archive_keys": self._server.archive_keys()}

    def show_campaign(self, arguments: dict[str, Any]) -> Any:
        msgids = arguments.get("msgids")
        return self._server.campaign(None if msgids is None else msgids.split(","))

    def show_ledger(self, arguments: dict[str, Any]) -> Any:
        entries = self._server.entries(
            arguments.get("kind", ""), after=_number(arguments, "after", 0)
        )
        chosen = entries[: _number(arguments, "limit", 1000)]
        return {"entries": [entry.as_dict() for entry in chosen]}

    def show_calls(self, arguments: dict[str, Any]) -> Any:
        ledger = self._world.ledger
        return {"calls": ledger.calls(), "refusals": ledger.refusals()}

    def show_members(self, arguments: dict[str, Any]) -> Any:
        members = self._world.present_members()
        rows = [
            describe_member(self._world, m) | {"customer_contact": m.can_follow} for m in members
        ]
        return {"members": rows}

    def show_customers(self, arguments: dict[str, Any]) -> Any:
        userid, limit = arguments.get("userid"), _number(arguments, "limit", 100)
        with self._world.lock:
            relations = (r for r in self._world.relations() if userid in {None, r.userid})
            rows = [self._describe_relation(relation) for relation in islice(relations, limit)]
        return {"customers": rows}

    def show_chats(self, arguments: dict[str, Any]) -> Any:
        with self._world.lock:
            return {"chats": [_describe_chat(chat) for chat in self._world.chats.values()]}

    def show_tags(self, arguments: dict[str, Any]) -> Any:
        book = self._world.tags
        with self._world.lock:
            rows = [asdict(t) | {"group": book.groups[t.group_id].name} for t in book.living_tags()]
        return {"tags": rows}

    def show_messages(self, arguments: dict[str, Any]) -> Any:
        with self._world.lock:
            rows = [_describe_message(message) for message in self._world.messages.values()]
        return {"messages": rows}

    def show_clock(self, arguments: dict[str, Any]) -> Any:
        return {"now": self._world.clock.now()}

    def move_clock(self, name: str, arguments: dict[str, Any]) -> Any:
        moves = {"advance": self._world.clock.advance, "set": self._world.clock.set}
        return {"now": _call(_choose(name, moves), arguments)}

    def perform_act(self, name: str, arguments: dict[str, Any]) -> Any:
        acts = {act: getattr(self._server.people, act) for act in ACTS}
        return {"result": _call(_choose(name, acts), arguments)}

    def show_faults(self, arguments: dict[str, Any]) -> Any:
        return {"faults": self._server.faults.in_force()}

    def show_disturbances(self, arguments: dict[str, Any]) -> Any:
        return {"callbacks": self._server.callbacks.in_force()}

    def order_fault(self, name: str, arguments: dict[str, Any]) -> Any:
        faults = {fault: getattr(self._server.faults, fault) for fault in FAULTS}
        return {"result": _call(_choose(name, faults), arguments)}

    def change_options(self, arguments: dict[str, Any]) -> Any:
        options = self._world.options
        unknown = [name for name in arguments if not hasattr(options, name)]
        if unknown:
            raise BadControl(f"no option {unknown[0]!r}")
        for name, value in arguments.items():
            current = getattr(options, name)
            setattr(options, name, value if isinstance(current, dict) else type(current)(value))
        return asdict(options)

    def configure_callback(self, arguments: dict[str, Any]) -> Any:
        """Set the receiver's URL; with `verify`, send the GET verification and report on it."""
        self._server.callbacks.configure(arguments.get("url"))
        if arguments.get("verify"):
            return self._server.callbacks.verify()
        return {"ok": True, "reason": ""}

    def perform_callback(self, name: str, arguments: dict[str, Any]) -> Any:
        acts = {act: getattr(self._server.callbacks, act) for act in CALLBACK_ACTS}
        return {"result": _call(_choose(name, acts), arguments)}

    def _describe_relation(self, relation: Relation) -> dict[str, Any]:
        person = self._world.persons[relation.external_userid]
        return {
            "userid": relation.userid,
            "external_userid": relation.external_userid,
            "name": person.name,
            "gender": person.gender,
            "createtime": relation.createtime,
            "state": relation.state,
            "tag_ids": self._world.tags.carried(relation.tag_ids),
            "is_friendship": relation.is_friendship,
        }


def _describe_chat(chat: Chat) -> dict[str, Any]:
    return {
        "chat_id": chat.chat_id,
        "name": chat.name,
        "owner": chat.owner,
        "members": len(chat.members),
        "dismissed": chat.dismissed_at is not None,
    }


def _describe_message(message: MassMessage) -> dict[str, Any]:
    tasks = {
        task.userid: {"status": int(task.status), "recipients": len(task.receipts)}
        for task in message.tasks.values()
    }
    return {
        "msgid": message.msgid,
        "chat_type": message.chat_type,
        "created_at": message.created_at,
        "creator": message.creator,
        "text": message.text,
        "tasks": tasks,
        "failed": len(message.fail_list),
        "cancelled": message.cancelled_at is not None,
        "reminded": len(message.reminded_at),
    }


def _read_body(request: Request) -> dict[str, Any]:
    raw = request.get_data()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise BadControl(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadControl("a JSON object is wanted")
    return body


def _number(arguments: dict[str, Any], name: str, default: int) -> int:
    value = str(arguments.get(name, default))
    if not value.isdecimal():
        raise BadControl(f"{name} must be a number")
    return int(value)


def _choose(name: str, things: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    if name not in things:
        raise BadControl(f"there is no {name!r}; there are {', '.join(sorted(things))}")
    return things[name]


def _call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise BadControl(str(error)) from error
    return function(**arguments)
