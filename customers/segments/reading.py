"""Reading a rule: every mistake is found at once and named by a JSON pointer."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from customers.segments.fields import field_of
from customers.segments.fields.base import Field
from customers.segments.nodes import Condition, Group, Node, Target, conditions_of
from customers.segments.values import Refusal, Shape, read_days
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

GROUPS = ("all", "any", "none")
DEEPEST = 10
MOST_CONDITIONS = 200
MOST_VALUES = 1000
# Segments within segments, and all conditions that they come to in the end.
DEEPEST_SEGMENTS = 5
MOST_IN_ALL = 1000
_CONDITION_KEYS = ("field", "op", "value")
_ORDERED = frozenset({"gt", "gte", "lt", "lte", "between", "contains"})


def read_rule(rule: object, *, corp: Corp, prefix: str, inside: int | None = None) -> Node:
    """Read a rule as it came in; raises InvalidInput with all problems.

    `inside` is the saved segment whose rule it is to be: it may not name itself, by no detour.
    """
    reader = _Reader(corp, inside=(inside,) if inside else ())
    node = reader.read_all(rule, prefix)
    if reader.problems or node is None:
        sentences = dict.fromkeys(f"{p.path}: {p.message}" for p in reader.problems)
        raise InvalidInput(" ".join(sentences), errors=tuple(reader.problems))
    return node


class _Reader:
    """Collects problems, and the ids that rules name, while it walks through the rule."""

    def __init__(
        self, corp: Corp, *, inside: tuple[int, ...] = (), read: dict[int, Node] | None = None
    ) -> None:
        self.corp = corp
        # The segments that we are within, and those that have been read on the way.
        self.inside = inside
        self.segments: dict[int, Node] = {} if read is None else read
        self.problems: list[FieldProblem] = []
        self.kinds: dict[str, Field] = {}
        # (field, value) of every id, with the places where it stands.
        self.places: dict[tuple[str, Any], list[str]] = {}
        # One mapping for all conditions of a field, filled when the ids have been looked up.
        self.targets: dict[str, dict[Any, Target]] = {}
        self.conditions = 0

    def read_all(self, rule: object, prefix: str) -> Node | None:
        node = self.read(rule, prefix, depth=1)
        self.resolve(
            {field: self.kinds[field].find(names, self.corp) for field, names in self.named.items()}
        )
        if node is not None and not self.problems and _size(node) > MOST_IN_ALL:
            self.problems.append(FieldProblem(prefix, "too_many", _too_many(MOST_IN_ALL)))
        return node

    @property
    def named(self) -> dict[str, set[Any]]:
        named: dict[str, set[Any]] = {}
        for field, value in self.places:
            named.setdefault(field, set()).add(value)
        return named

    def resolve(self, found: Mapping[str, Mapping[Any, Target]]) -> None:
        for (field, value), pointers in self.places.items():
            try:
                self.targets[field][value] = self._resolved(found.get(field, {}).get(value), value)
            except _Problem as problem:
                wrong = problem.found
                self.problems += [replace(wrong, path=pointer) for pointer in pointers]

    def _resolved(self, target: Target | None, value: Any) -> Target:
        if target is None:
            raise _Problem("", "unknown_id", _("%(id)s does not exist.") % {"id": value})
        if target.rule is None:
            return target
        (pk,) = target.ids
        if pk not in self.segments:
            self.segments[pk] = self._read_segment(pk, target)
        return replace(target, node=self.segments[pk])

    def _read_segment(self, pk: int, target: Target) -> Node:
        name = {"name": target.name}
        if pk in self.inside:
            text = _("«%(name)s» would be asked about itself.") % name
            raise _Problem("", "circular", text)
        if len(self.inside) >= DEEPEST_SEGMENTS:
            text = _("Segments may name each other %(deepest)s levels deep.")
            raise _Problem("", "too_deep", text % {"deepest": DEEPEST_SEGMENTS})
        inner = _Reader(self.corp, inside=(*self.inside, pk), read=self.segments)
        node = inner.read_all(target.rule, "")
        for problem in inner.problems:
            if problem.code in {"circular", "too_deep"}:
                raise _Problem("", problem.code, problem.message)
            text = _("«%(name)s» has lost its meaning: %(problem)s")
            raise _Problem("", "unreadable", text % (name | {"problem": problem.message}))
        if node is None:
            raise ValueError("A rule without a problem has a node.")
        return node

    def read(self, node: object, pointer: str, *, depth: int) -> Node | None:
        """Read a node with all below it; None, and a problem noted, when it is none."""
        try:
            return self._read_node(node, pointer, depth=depth)
        except _Problem as problem:
            self.problems.append(problem.found)
            return None

    def _read_node(self, node: object, pointer: str, *, depth: int) -> Node:
        if depth > DEEPEST:
            text = _("A rule may be %(deepest)s levels deep.") % {"deepest": DEEPEST}
            raise _Problem(pointer, "too_deep", text)
        if not isinstance(node, dict):
            raise _Problem(pointer, "type", _("This must be an object."))
        words = [word for word in GROUPS if word in node]
        if len(words) == 1 and "field" not in node:
            return self._read_group(node, words[0], pointer, depth=depth)
        if not words and "field" in node:
            return self._read_condition(node, pointer)
        text = _(
            'This must be {"all": […]}, {"any": […]}, {"none": […]} or a condition with a field.'
        )
        raise _Problem(pointer, "invalid", text)

    def _read_group(self, node: dict[Any, Any], word: str, pointer: str, *, depth: int) -> Group:
        self._note_unknown(node, (word,), pointer)
        children = node[word]
        if not isinstance(children, list):
            raise _Problem(f"{pointer}/{word}", "type", _("This must be a list."))
        if len(children) > MOST_CONDITIONS:
            raise _Problem(f"{pointer}/{word}", "too_many", _too_many(MOST_CONDITIONS))
        nodes = [
            self.read(child, f"{pointer}/{word}/{index}", depth=depth + 1)
            for index, child in enumerate(children)
        ]
        return Group(word, tuple(child for child in nodes if child is not None), pointer)

    def _read_condition(self, node: dict[Any, Any], pointer: str) -> Condition:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise _Problem(pointer, "too_many", _too_many(MOST_CONDITIONS))
        field, op = node["field"], node.get("op")
        kind = field_of(field) if isinstance(field, str) else None
        known = (*_CONDITION_KEYS, "within_days") if kind and kind.has_window else _CONDITION_KEYS
        self._note_unknown(node, known, pointer)
        if kind is None:
            text = _("There is no field %(field)s.") % {"field": _shown(field)}
            raise _Problem(f"{pointer}/field", "unknown_field", text)
        if not isinstance(op, str) or op not in kind.ops:
            text = _("%(field)s has no operator %(op)s; it has: %(known)s.") % {
                "field": field,
                "op": _shown(op),
                "known": ", ".join(kind.ops),
            }
            raise _Problem(f"{pointer}/op", "unknown_op", text)
        self.kinds[field] = kind
        value = self._read_value(_Place(kind, field, op), node, f"{pointer}/value")
        window = None
        if kind.has_window and node.get("within_days") is not None:
            with _at(f"{pointer}/within_days"):
                window = read_days(node["within_days"])
        targets = self.targets.setdefault(field, {})
        return Condition(field, op, value, pointer, targets, kind, window)

    def _read_value(self, place: "_Place", node: dict[Any, Any], pointer: str) -> Any:
        shape, value = place.shape, node.get("value")
        if shape == Shape.FLAG:
            return _read_flag(value, pointer)
        if "value" not in node:
            raise _Problem(pointer, "required", _("A value is missing."))
        if shape == Shape.DAYS:
            with _at(pointer):
                return read_days(value)
        if shape == Shape.ONE:
            return self._read_item(place, value, pointer)
        return self._read_items(place, value, pointer)

    def _read_items(self, place: "_Place", value: object, pointer: str) -> list[Any]:
        if not isinstance(value, list):
            raise _Problem(pointer, "type", _("This must be a list."))
        if place.shape == Shape.RANGE and len(value) != 2:
            raise _Problem(pointer, "invalid", _("This must be a list of two: from and to."))
        if len(value) > MOST_VALUES:
            raise _Problem(pointer, "too_many", _too_many(MOST_VALUES))
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self._read_item(place, item, f"{pointer}/{index}"))
            except _Problem as problem:
                self.problems.append(problem.found)
        if place.shape == Shape.RANGE and not _are_alike(items):
            raise _Problem(pointer, "type", _("Both ends must be of one type."))
        return items

    def _read_item(self, place: "_Place", value: object, pointer: str) -> Any:
        with _at(pointer):
            item = place.kind.read(value, self.corp.zone)
        if isinstance(item, bool) and place.op in _ORDERED:
            raise _Problem(pointer, "type", _("This must be a text or a number."))
        if place.kind.names_rows:
            self.places.setdefault((place.field, item), []).append(pointer)
        return item

    def _note_unknown(self, node: dict[Any, Any], known: Iterable[str], pointer: str) -> None:
        for key in node.keys() - set(known):
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            text = _("%(key)s means nothing here.") % {"key": _shown(key)}
            self.problems.append(FieldProblem(f"{pointer}/{escaped}", "unknown_key", text))


class _Problem(Exception):
    """What makes a part of a rule unreadable."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message)
        self.found = FieldProblem(pointer, code, message)


@dataclass(frozen=True)
class _Place:
    """What a value belongs to."""

    kind: Field
    field: str
    op: str

    @property
    def shape(self) -> Shape:
        return self.kind.ops[self.op]


@contextmanager
def _at(pointer: str) -> Iterator[None]:
    """Say where a value stands that a field refuses."""
    try:
        yield
    except Refusal as refusal:
        raise _Problem(pointer, refusal.code, refusal.message) from None


def _read_flag(value: object, pointer: str) -> bool:
    if value is None or value == []:
        return True
    if isinstance(value, bool):
        return value
    raise _Problem(pointer, "type", _("This must be true or false, or be left out."))


def _shown(value: object) -> str:
    return str(value)[:64]


def _too_many(most: int) -> str:
    return _("At most %(most)s are possible here.") % {"most": most}


def _are_alike(items: list[Any]) -> bool:
    kinds = {str if isinstance(item, str) else float for item in items}
    return len(kinds) < 2


def _size(node: Node) -> int:
    """The conditions, with those of segments that are named, as often as they are."""
    return sum(
        1 + sum(_size(target.node) for name in leaf.values if (target := leaf.targets[name]).node)
        if leaf.kind.names_rows
        else 1
        for leaf in conditions_of(node)
    )
