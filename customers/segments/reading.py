"""Reading a rule: every mistake is found at once and named by a JSON pointer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from customers.segments.fields import FieldKind, Refusal, Shape, kind_of, read_days
from customers.segments.lookups import find_targets
from customers.segments.nodes import Condition, Group, Node, Target
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

GROUPS = ("all", "any", "none")
DEEPEST = 10
MOST_CONDITIONS = 200
MOST_VALUES = 1000
_CONDITION_KEYS = ("field", "op", "value")


def read_rule(rule: object, *, corp: Corp, prefix: str) -> Node:
    """Read a rule as it came in; raises InvalidInput with all problems."""
    reader = _Reader(corp.zone)
    node = reader.read(rule, prefix, depth=1)
    reader.resolve(find_targets(reader.named, corp=corp))
    if reader.problems or node is None:
        sentences = dict.fromkeys(f"{p.path}: {p.message}" for p in reader.problems)
        raise InvalidInput(" ".join(sentences), errors=tuple(reader.problems))
    return node


class _Reader:
    """Collects problems, and the ids that rules name, while it walks through the rule."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.problems: list[FieldProblem] = []
        # (field, value) of every id, with the places where it stands.
        self.places: dict[tuple[str, Any], list[str]] = {}
        # One mapping for all conditions of a field, filled when the ids have been looked up.
        self.targets: dict[str, dict[Any, Target]] = {}
        self.conditions = 0

    @property
    def named(self) -> dict[str, set[Any]]:
        named: dict[str, set[Any]] = {}
        for field, value in self.places:
            named.setdefault(field, set()).add(value)
        return named

    def resolve(self, found: Mapping[str, Mapping[Any, Target]]) -> None:
        for (field, value), pointers in self.places.items():
            target = found.get(field, {}).get(value)
            if target is not None:
                self.targets[field][value] = target
                continue
            for pointer in pointers:
                self._refuse(pointer, "unknown_id", _("%(id)s does not exist.") % {"id": value})

    def read(self, node: object, pointer: str, *, depth: int) -> Node | None:
        if depth > DEEPEST:
            text = _("A rule may be %(deepest)s levels deep.") % {"deepest": DEEPEST}
            return self._refuse(pointer, "too_deep", text)
        if not isinstance(node, dict):
            return self._refuse(pointer, "type", _("This must be an object."))
        words = [word for word in GROUPS if word in node]
        if len(words) == 1 and "field" not in node:
            return self._read_group(node, words[0], pointer, depth=depth)
        if not words and "field" in node:
            return self._read_condition(node, pointer)
        text = _(
            'This must be {"all": […]}, {"any": […]}, {"none": […]} or a condition with a field.'
        )
        return self._refuse(pointer, "invalid", text)

    def _read_group(
        self, node: dict[Any, Any], word: str, pointer: str, *, depth: int
    ) -> Group | None:
        self._refuse_unknown(node, (word,), pointer)
        children = node[word]
        if not isinstance(children, list):
            return self._refuse(f"{pointer}/{word}", "type", _("This must be a list."))
        if len(children) > MOST_CONDITIONS:
            return self._refuse(f"{pointer}/{word}", "too_many", _too_many(MOST_CONDITIONS))
        nodes = [
            self.read(child, f"{pointer}/{word}/{index}", depth=depth + 1)
            for index, child in enumerate(children)
        ]
        return Group(word, tuple(child for child in nodes if child is not None), pointer)

    def _read_condition(self, node: dict[Any, Any], pointer: str) -> Condition | None:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            return self._refuse(pointer, "too_many", _too_many(MOST_CONDITIONS))
        self._refuse_unknown(node, _CONDITION_KEYS, pointer)
        field, op = node["field"], node.get("op")
        kind = kind_of(field) if isinstance(field, str) else None
        if kind is None:
            text = _("There is no field %(field)s.") % {"field": _shown(field)}
            return self._refuse(f"{pointer}/field", "unknown_field", text)
        if not isinstance(op, str) or op not in kind.ops:
            text = _("%(field)s has no operator %(op)s; it has: %(known)s.") % {
                "field": field,
                "op": _shown(op),
                "known": ", ".join(kind.ops),
            }
            return self._refuse(f"{pointer}/op", "unknown_op", text)
        value = self._read_value(kind, field, op, node, f"{pointer}/value")
        targets = self.targets.setdefault(field, {})
        return Condition(field, op, value, pointer, targets)

    def _read_value(
        self, kind: FieldKind, field: str, op: str, node: dict[Any, Any], pointer: str
    ) -> Any:
        shape = kind.ops[op]
        if shape == Shape.FLAG:
            return self._read_flag(node.get("value"), pointer)
        if "value" not in node:
            return self._refuse(pointer, "required", _("A value is missing."))
        value = node["value"]
        if shape == Shape.DAYS:
            return self._try(lambda: read_days(value), pointer)
        if shape == Shape.ONE:
            return self._read_item(kind, field, op, value, pointer)
        return self._read_items(kind, field, op, value, pointer)

    def _read_flag(self, value: object, pointer: str) -> bool | None:
        if value is None or value == []:
            return True
        if isinstance(value, bool):
            return value
        return self._refuse(pointer, "type", _("This must be true or false, or be left out."))

    def _read_items(
        self, kind: FieldKind, field: str, op: str, value: object, pointer: str
    ) -> list[Any] | None:
        if not isinstance(value, list):
            return self._refuse(pointer, "type", _("This must be a list."))
        if kind.ops[op] == Shape.RANGE and len(value) != 2:
            return self._refuse(pointer, "invalid", _("This must be a list of two: from and to."))
        if len(value) > MOST_VALUES:
            return self._refuse(pointer, "too_many", _too_many(MOST_VALUES))
        items = [
            self._read_item(kind, field, op, item, f"{pointer}/{index}")
            for index, item in enumerate(value)
        ]
        if kind.ops[op] == Shape.RANGE and not _are_alike(items):
            return self._refuse(pointer, "type", _("Both ends must be of one type."))
        return items

    def _read_item(self, kind: FieldKind, field: str, op: str, value: object, pointer: str) -> Any:
        item = self._try(lambda: kind.read(value, self.zone), pointer)
        if item is None:
            return None
        if isinstance(item, bool) and op in {"gt", "gte", "lt", "lte", "between", "contains"}:
            return self._refuse(pointer, "type", _("This must be a text or a number."))
        if kind.names_rows:
            self.places.setdefault((field, item), []).append(pointer)
        return item

    def _try(self, read: Callable[[], Any], pointer: str) -> Any:
        try:
            return read()
        except Refusal as refusal:
            return self._refuse(pointer, refusal.code, refusal.message)

    def _refuse_unknown(self, node: dict[Any, Any], known: Iterable[str], pointer: str) -> None:
        for key in node.keys() - set(known):
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            text = _("%(key)s means nothing here.") % {"key": _shown(key)}
            self._refuse(f"{pointer}/{escaped}", "unknown_key", text)

    def _refuse(self, pointer: str, code: str, message: str) -> None:
        self.problems.append(FieldProblem(pointer, code, message))


def _shown(value: object) -> str:
    return str(value)[:64]


def _too_many(most: int) -> str:
    return _("At most %(most)s are possible here.") % {"most": most}


def _are_alike(items: list[Any]) -> bool:
    kinds = {str if isinstance(item, str) else float for item in items if item is not None}
    return len(kinds) < 2
