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
BASE = ROOT / "scrm" / "channels" / "base"
OPERATIONS = ROOT / "scrm" / "channels" / "operations.py"
USERS = ("scrm", "risk", "customers", "groups", "campaigns")
# The sandbox answers, the demonstration only plays with it.
NO_USERS = (CLIENT, ROOT / "scrm" / "sandbox", ROOT / "scrm" / "demo")
ARCHIVES = {"archive", "source", "messages", "media"}
PREFIX = "externalcontact/"
VERBS = {"get", "post"}
CLIENTS = {"_platform", "_contact", "_client", "client"}
# Whatever is asked needs a token first.
EVERY_CALL = {"gettoken"}
Function = ast.FunctionDef
# A function of the client: its module, and its name.
Place = tuple[Path, str]

HEAD = """# Endpoints

The platform's endpoints, where the sandbox answers them, which methods of the client ask them, and what
for. Written by `python -m tests.endpoints_table`; a test says when it is not current. Paths are below
`/cgi-bin/`, the archive's below the server's root. Of {total} endpoints that the sandbox answers, the
client asks {asked}, and {used} of them are used today; the others wait for a feature that needs them.

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
    asked, used = sum(bool(row.methods) for row in found), sum(bool(row.users) for row in found)
    head = HEAD.format(total=len(found), asked=asked, used=used)
    return head + "".join(f"{row}\n" for row in found)


def rows() -> list[Row]:
    methods, users = methods_by_path(), users_by_method()
    found = []
    for path, endpoint in sorted(ENDPOINTS.items()):
        names = sorted(methods.get(path, ()))
        who = sorted({user for name in names for user in users.get(name, ())})
        if path in EVERY_CALL:
            names, who = ["every call"], ["every call"]
        found.append(Row(endpoint, tuple(names), tuple(who)))
    return found


def methods_by_path() -> dict[str, set[str]]:
    """Which methods of a channel lead to each path, through however many private functions."""
    found: dict[str, set[str]] = {}
    for file in sorted(CLIENT.glob("*.py")):
        for function in _functions(_tree(file)):
            for path in _paths_in(function, file):
                found.setdefault(path, set()).update(_asked_through((file, function.name)))
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
    """Functions and methods; what is defined inside one is part of it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        else:
            yield from _functions(node)


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
def _groups() -> dict[str, frozenset[str]]:
    """The methods of each group of a channel; its own are those of "", and an archive's."""
    protocols = {each.name: each for file in sorted(BASE.glob("*.py")) for each in _protocols(file)}
    own = list(_functions(protocols["Channel"]))
    groups = {
        each.name: _name_of(each.returns) for each in own if each.decorator_list and each.returns
    }
    found = {group: _names(protocols[protocol]) for group, protocol in groups.items()}
    return found | {
        "": frozenset(each.name for each in own if not each.decorator_list),
        "archive": _names(protocols["ArchiveSource"]),
    }


def _protocols(file: Path) -> Iterator[ast.ClassDef]:
    classes = (node for node in _tree(file).body if isinstance(node, ast.ClassDef))
    return (each for each in classes if "Protocol" in map(_name_of, each.bases))


def _names(protocol: ast.ClassDef) -> frozenset[str]:
    return frozenset(each.name for each in _functions(protocol))


@cache
def _homes() -> dict[Path, str]:
    """The module of the client that each group of a channel lives in."""
    channel = CLIENT / "channel.py"
    found = dict.fromkeys(CLIENT.glob("archive*.py"), "archive") | {channel: ""}
    for node in ast.walk(_tree(channel)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            group = _name_of(node.targets[0])
            for file in CLIENT.glob("*.py"):
                if group in _groups() and _has_class(file, _name_of(node.value.func)):
                    found[file] = group
    return found


def _has_class(file: Path, name: str) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == name for node in _tree(file).body)


@cache
def _defined(file: Path) -> frozenset[str]:
    return frozenset(function.name for function in _functions(_tree(file)))


@cache
def _callers() -> dict[Place, set[Place]]:
    """By a function of the client, the functions that mention it."""
    found: dict[Place, set[Place]] = {}
    for file in sorted(CLIENT.glob("*.py")):
        for function in _functions(_tree(file)):
            for node in ast.walk(function):
                for place in _meant_by(node, file):
                    found.setdefault(place, set()).add((file, function.name))
    return found


def _meant_by(node: ast.AST, file: Path) -> Iterator[Place]:
    """Which functions of the client a name or an attribute may mean."""
    name = _name_of(node)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = CLIENT / f"{node.value.id}.py"
        if module.exists():
            yield module, name
            return
    if name in _defined(file):
        yield file, name
    elif isinstance(node, ast.Name | ast.Attribute):
        # A group's methods are called from outside only, by the product.
        others = (
            each
            for each in CLIENT.glob("*.py")
            if each not in _homes() or _homes()[each] == "archive"
        )
        yield from ((other, name) for other in others if name in _defined(other))


def _asked_through(place: Place) -> set[str]:
    """The methods of a channel from which a function of the client is reached, or it itself."""
    reached, waiting = set[str](), {place}
    seen: set[Place] = set()
    while waiting:
        file, name = each = waiting.pop()
        seen.add(each)
        group = _homes().get(file)
        if group is not None and name in _groups()[group]:
            reached.add(f"{group}.{name}".lstrip("."))
        else:
            waiting |= _callers().get(each, set()) - seen
    return reached or {place[1]}


def _methods_called(function: Function) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute):
            group = _group_of(node.value)
            if group is not None and node.attr in _groups()[group]:
                yield f"{group}.{node.attr}".lstrip(".")


def _group_of(receiver: ast.AST) -> str | None:
    """Which group of methods this expression holds, if any."""
    if _is_channel(receiver):
        return ""
    name = _name_of(receiver).lstrip("_")
    if isinstance(receiver, ast.Attribute) and _is_channel(receiver.value):
        return name if name in _groups() else None
    opened = isinstance(receiver, ast.Call) and _name_of(receiver.func) == "open_archive"
    return "archive" if opened or name in ARCHIVES else None


def _is_channel(node: ast.AST) -> bool:
    opened = isinstance(node, ast.Call) and _name_of(node.func) == "open_channel"
    return opened or _name_of(node).lstrip("_") == "channel"


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
