"""The table of the platform's endpoints: who answers each in the sandbox, who asks it, and what for.

`python -m tests.endpoints_table` writes docs/endpoints.md anew. Rows come from the sandbox's registry,
the client's column from the paths that scrm/channels/wecom spells, the last one from who calls the
methods of a channel.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scrm.sandbox.endpoints import ENDPOINTS, Endpoint

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "endpoints.md"
CLIENT = ROOT / "scrm" / "channels" / "wecom"
BASE = ROOT / "scrm" / "channels" / "base.py"
OPERATIONS = ROOT / "scrm" / "channels" / "operations.py"
USERS = ("scrm", "risk", "customers", "groups", "campaigns")
# The sandbox answers, the demonstration only plays with it.
NO_USERS = (CLIENT, ROOT / "scrm" / "sandbox", ROOT / "scrm" / "demo")
CHANNELS = {"channel", "archive", "source", "messages", "media"}
OPENERS = {"open_channel", "open_archive"}
PREFIX = "externalcontact/"
VERBS = {"get", "post"}
CLIENTS = {"_directory", "_contact", "_client", "client"}
# What so many methods lead to is asked with every call.
EVERY_CALL = 12
Function = ast.FunctionDef

HEAD = """# Endpoints

The platform's endpoints, where the sandbox answers them, which methods of the client ask them, and what
for. Written by `python -m tests.endpoints_table`; a test says when it is not current. Paths are below
`/cgi-bin/`, the archive's below the server's root. Of {total} endpoints that the sandbox answers, the
product asks {asked}; the others wait for a feature that needs them.

| Endpoint | Sandbox | Client | Used by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    endpoint: Endpoint
    methods: tuple[str, ...]
    users: tuple[str, ...]

    def __str__(self) -> str:
        module = self.endpoint.handler.__module__.rpartition(".")[2]
        answered_by = f"`{module}.{self.endpoint.handler.__name__}`"
        cells = [f"{self.endpoint.method} `{self.endpoint.path}`", answered_by]
        cells += [_listed(self.methods), _listed(self.users)]
        return f"| {' | '.join(cells)} |"


def page() -> str:
    found = rows()
    asked = sum(bool(row.methods) for row in found)
    head = HEAD.format(total=len(found), asked=asked)
    return head + "".join(f"{row}\n" for row in found)


def rows() -> list[Row]:
    methods, users = methods_by_path(), users_by_method()
    found = []
    for path, endpoint in sorted(ENDPOINTS.items()):
        names = sorted(methods.get(path, ()))
        who = sorted({user for name in names for user in users.get(name, ())})
        if len(names) > EVERY_CALL:
            names, who = ["every call"], ["every call"]
        found.append(Row(endpoint, tuple(names), tuple(who)))
    return found


def methods_by_path() -> dict[str, set[str]]:
    """Which methods of a channel lead to each path, through however many private functions."""
    found: dict[str, set[str]] = {}
    for file in sorted(CLIENT.glob("*.py")):
        for function in _functions(_tree(file)):
            for path in _paths_in(function, file):
                found.setdefault(path, set()).update(_asked_through(function.name))
    return found


def users_by_method() -> dict[str, set[str]]:
    """Who calls each method: the kinds of operations, and modules."""
    found: dict[str, set[str]] = {}
    kinds = _kinds_by_function()
    for file in _modules():
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for function in _functions(_tree(file)):
            users = kinds.get(function.name, {name}) if file == OPERATIONS else {name}
            for method in _methods_called(function):
                found.setdefault(method, set()).update(users)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _modules() -> Iterator[Path]:
    for app in USERS:
        for file in sorted((ROOT / app).rglob("*.py")):
            if not any(file.is_relative_to(folder) for folder in NO_USERS):
                yield file


def _paths_in(function: Function, file: Path) -> Iterator[str]:
    """The paths of endpoints that the function spells, as arguments of what it calls."""
    for spelled in _spelled_in(function, file):
        below_root = spelled.removeprefix("../")
        for path in (spelled, below_root, PREFIX + spelled):
            if path in ENDPOINTS:
                yield path


def _spelled_in(function: Function, file: Path) -> Iterator[str]:
    constants = _constants(_tree(file))
    prefixes = _prefixes(_tree(file))
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and not _looks_up(node):
            name = _name_of(node.func)
            for place, argument in enumerate(node.args):
                text = _text(argument, constants)
                # The first argument of an exchange is the verb of HTTP.
                if text and not (place == 0 and text in VERBS):
                    yield text
                    yield from (f"{prefix}{text}" for prefix in prefixes.get(name, ()))
        elif isinstance(node, ast.Assign | ast.IfExp):
            values = [node.value] if isinstance(node, ast.Assign) else [node.body, node.orelse]
            yield from filter(None, (_text(value, constants) for value in values))


def _looks_up(call: ast.Call) -> bool:
    """Whether it is the `get` of a mapping, not of a client."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    return _name_of(call.func) == "get" and _name_of(receiver) not in CLIENTS


def _constants(tree: ast.Module) -> dict[str, str]:
    pairs = (node for node in tree.body if isinstance(node, ast.Assign))
    return {
        target.id: node.value.value
        for node in pairs
        for target in node.targets
        if isinstance(target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _prefixes(tree: ast.Module) -> dict[str, set[str]]:
    """Functions that put something before the path they are given: `f"resigned/{name}"`."""
    found: dict[str, set[str]] = {}
    for function in _functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                found.setdefault(function.name, set()).add(str(node.values[0].value))
    return found


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id, "") if isinstance(node, ast.Name) else ""


def _name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@cache
def _channel_methods() -> frozenset[str]:
    """The methods of every protocol in base.py."""
    classes = (node for node in _tree(BASE).body if isinstance(node, ast.ClassDef))
    protocols = (each for each in classes if "Protocol" in map(_name_of, each.bases))
    return frozenset(each.name for protocol in protocols for each in _functions(protocol))


@cache
def _top_level() -> frozenset[str]:
    modules = (_tree(file) for file in sorted(CLIENT.glob("*.py")))
    found = (node for tree in modules for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(function.name for function in found)


@cache
def _callers() -> dict[str, set[str]]:
    """By the name of a function of the client, the functions that mention it."""
    found: dict[str, set[str]] = {}
    for file in sorted(CLIENT.glob("*.py")):
        for function in _functions(_tree(file)):
            for node in ast.walk(function):
                # A bare name is a variable unless a module has a function of that name.
                is_function = isinstance(node, ast.Name) and node.id in _top_level()
                if is_function or isinstance(node, ast.Attribute):
                    found.setdefault(_name_of(node), set()).add(function.name)
    return found


def _asked_through(name: str) -> set[str]:
    """The methods of a channel from which a function of the client is reached, or it itself."""
    reached, waiting = set(), {name}
    seen: set[str] = set()
    while waiting:
        each = waiting.pop()
        seen.add(each)
        if each in _channel_methods():
            reached.add(each)
        else:
            waiting |= _callers().get(each, set()) - seen
    return reached or {name}


def _methods_called(function: Function) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in _channel_methods():
            receiver = node.value
            opened = isinstance(receiver, ast.Call) and _name_of(receiver.func) in OPENERS
            if opened or _name_of(receiver).lstrip("_") in CHANNELS:
                yield node.attr


def _kinds_by_function() -> dict[str, set[str]]:
    """Which operation each function of operations.py is asked for."""
    tree = _tree(OPERATIONS)
    constants, found = _constants(tree), dict[str, set[str]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) == "OperationKind":
            kind = _text(node.args[0], constants)
            for argument in [*node.args[1:], *(keyword.value for keyword in node.keywords)]:
                if isinstance(argument, ast.Name):
                    found.setdefault(argument.id, set()).add(f"operation {kind}")
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(rows())} endpoints\n")
