"""What a step may do: the kinds of actions, and what each needs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from campaigns.actions.content import problems_of_message
from campaigns.models import Step
from customers.actions.stages import ensure_stages
from customers.models import Stage, Tag
from scrm.common.errors import FieldProblem
from scrm.tenancy.models import Corp

TASK_CHARACTERS = 500
MOST_TAGS = 20
# Kind → the fields it has besides `kind`.
ACTION_FIELDS: dict[str, frozenset[str]] = {
    Step.Action.MESSAGE: frozenset({"content", "attachments"}),
    Step.Action.TASK: frozenset({"text"}),
    Step.Action.TAG: frozenset({"tags"}),
    Step.Action.UNTAG: frozenset({"tags"}),
    Step.Action.STAGE: frozenset({"stage"}),
}
# Named by the contract, and not there yet.
_LATER = frozenset({"webhook"})

Problems = Iterator[FieldProblem]


def problems_of_action(action: Any, *, corp: Corp, path: str) -> Problems:
    """Everything that keeps this from being the action of a step."""
    kind = action.get("kind") if isinstance(action, Mapping) else None
    if isinstance(kind, str) and kind in _LATER:
        message = _("%(kind)s is not in this version.") % {"kind": kind}
        yield FieldProblem(f"{path}/kind", "unsupported", message)
        return
    if not isinstance(kind, str) or kind not in ACTION_FIELDS:
        message = _("An action needs a kind: one of %(kinds)s.") % {
            "kinds": ", ".join(ACTION_FIELDS)
        }
        yield FieldProblem(f"{path}/kind", "invalid", message)
        return
    for name in action.keys() - ACTION_FIELDS[kind] - {"kind"}:
        yield FieldProblem(f"{path}/{name}", "unknown", _("There is no such field."))
    yield from _CHECKS[kind](action, corp, path)


def _check_message(action: Mapping[str, Any], corp: Corp, path: str) -> Problems:
    content, attachments = action.get("content", ""), action.get("attachments") or []
    if not isinstance(content, str) or "\x00" in content:
        yield FieldProblem(f"{path}/content", "invalid", _("This must be text."))
        return
    if not content.strip() and not attachments:
        message = _("Write a text or add an attachment.")
        yield FieldProblem(f"{path}/content", "required", message)
    for problem in problems_of_message(content, attachments):
        yield FieldProblem(f"{path}{problem.path}", problem.code, problem.message)


def _check_task(action: Mapping[str, Any], _corp: Corp, path: str) -> Problems:
    text = action.get("text")
    if not isinstance(text, str) or "\x00" in text or not 0 < len(text.strip()) <= TASK_CHARACTERS:
        message = _("A task has 1 to %(limit)d characters.") % {"limit": TASK_CHARACTERS}
        yield FieldProblem(f"{path}/text", "invalid", message)


def _check_tags(action: Mapping[str, Any], corp: Corp, path: str) -> Problems:
    given = action.get("tags")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_TAGS:
        message = _("Name 1 to %(limit)d tags.") % {"limit": MOST_TAGS}
        yield FieldProblem(f"{path}/tags", "required", message)
        return
    ids = [each for each in given if type(each) is int and 0 < each < 2**31]
    tags = Tag.objects.for_corp(corp).current().filter(pk__in=ids)
    known = set(tags.values_list("pk", flat=True))
    for position, each in enumerate(given):
        if type(each) is not int or each not in known:
            message = _("There is no tag %(id)s.") % {"id": each}
            yield FieldProblem(f"{path}/tags/{position}", "unknown_id", message)


def _check_stage(action: Mapping[str, Any], corp: Corp, path: str) -> Problems:
    key = action.get("stage")
    ensure_stages(corp)
    keys = list(Stage.objects.for_corp(corp).order_by("order").values_list("key", flat=True))
    if not isinstance(key, str) or key not in keys:
        message = _("There is no stage %(key)s; there are: %(keys)s.") % {
            "key": key,
            "keys": ", ".join(keys),
        }
        yield FieldProblem(f"{path}/stage", "unknown_id", message)


_CHECKS: dict[str, Callable[[Mapping[str, Any], Corp, str], Problems]] = {
    Step.Action.MESSAGE: _check_message,
    Step.Action.TASK: _check_task,
    Step.Action.TAG: _check_tags,
    Step.Action.UNTAG: _check_tags,
    Step.Action.STAGE: _check_stage,
}
