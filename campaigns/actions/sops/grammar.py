"""What a SOP may say: every mistake is found at once and named by a JSON pointer."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import time
from typing import Any

from django.utils.translation import gettext as _

from campaigns.actions.sops.step_actions import problems_of_action
from campaigns.models import Sop
from customers.actions.segments import validate_rule
from customers.models import Tag
from groups.models import GroupChat, GroupTag
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Staff

NAME_LENGTH = 128
MOST_STEPS = 100
# Ten years either way: more is a slip of the pen.
MOST_DAYS = 3_653
MOST_MINUTES = MOST_DAYS * 24 * 60
MOST_GRACE = 7 * 24 * 60
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ATTRIBUTE = re.compile(r"[\w-]{1,64}")
# Before the anchor something can only be done when the anchor is known before it comes.
_FORESEEN = (Sop.Trigger.ATTRIBUTE_DATE, Sop.Trigger.MANUAL, Sop.Trigger.API)
# Trigger → what belongs to it besides its type, and whether it must be given.
TRIGGER_FIELDS: dict[str, dict[str, bool]] = {
    Sop.Trigger.MANUAL: {},
    Sop.Trigger.API: {},
    Sop.Trigger.CUSTOMER_ADDED: {"state": False, "staff": False},
    Sop.Trigger.TAG_ADDED: {"tag": True},
    Sop.Trigger.ATTRIBUTE_DATE: {"attribute": True, "yearly": False},
    Sop.Trigger.GROUP_JOINED: {"chat_ids": False, "tag": False},
}
_STEP_FIELDS = frozenset({"id", "offset", "at", "action", "condition"})

Problems = Iterator[FieldProblem]


@dataclass(frozen=True)
class SopDraft:
    """A SOP as a person or a brand writes it down, in the words of the API."""

    name: str
    trigger: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]] = field(default=())
    exit: Mapping[str, Any] | None = None
    quiet_hours: Mapping[str, Any] | None = None
    late_policy: str = Sop.LatePolicy.SKIP
    grace_minutes: int = 60


DRAFT_FIELDS = tuple(each.name for each in fields(SopDraft))


def check_draft(draft: SopDraft, *, corp: Corp, known_steps: Sequence[int] = ()) -> None:
    """Raise InvalidInput with every problem of the draft; `known_steps` are its steps so far."""
    problems = (
        *_problems_of_form(draft),
        *_problems_of_trigger(draft.trigger, corp=corp),
        *_problems_of_rule(draft.exit, corp=corp, path="/exit"),
        *_problems_of_quiet_hours(draft.quiet_hours),
        *_problems_of_steps(draft, corp=corp, known_steps=known_steps),
    )
    if problems:
        sentences = dict.fromkeys(f"{each.path}: {each.message}" for each in problems)
        raise InvalidInput(" ".join(sentences), errors=problems)


def read_time(text: str) -> time:
    return time.fromisoformat(text)


def is_whole(value: Any, *, least: int, most: int) -> bool:
    # True is an int to Python, but not to whoever wrote it.
    return type(value) is int and least <= value <= most


def _problems_of_form(draft: SopDraft) -> Problems:
    if not 0 < len(draft.name.strip()) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        yield FieldProblem("/name", "invalid", message)
    if draft.late_policy not in Sop.LatePolicy.values:
        message = _("late_policy is one of %(words)s.") % {
            "words": ", ".join(Sop.LatePolicy.values)
        }
        yield FieldProblem("/late_policy", "invalid", message)
    if not is_whole(draft.grace_minutes, least=0, most=MOST_GRACE):
        yield FieldProblem("/grace_minutes", "invalid", _between(0, MOST_GRACE))


def _problems_of_trigger(trigger: Any, *, corp: Corp) -> Problems:
    word = trigger.get("type") if isinstance(trigger, Mapping) else None
    known = TRIGGER_FIELDS.get(word) if isinstance(word, str) else None
    if known is None or not isinstance(word, str):
        words = ", ".join(TRIGGER_FIELDS)
        message = _("A trigger needs a type: one of %(words)s.") % {"words": words}
        yield FieldProblem("/trigger/type", "invalid", message)
        return
    yield from _unknown_fields(trigger, {"type", *known}, "/trigger")
    for name, is_required in known.items():
        value = trigger.get(name)
        if value is not None:
            yield from _TRIGGER_CHECKS[word, name](value, corp, f"/trigger/{name}")
        elif is_required:
            yield FieldProblem(f"/trigger/{name}", "required", _("This must be given."))
    if word == Sop.Trigger.GROUP_JOINED and bool(trigger.get("chat_ids")) == bool(
        trigger.get("tag")
    ):
        message = _("Name either chats (chat_ids) or a group tag (tag).")
        yield FieldProblem("/trigger/chat_ids", "required", message)


def _check_state(value: Any, _corp: Corp, path: str) -> Problems:
    if not isinstance(value, str) or not 0 < len(value) <= 64 or "\x00" in value:
        yield FieldProblem(path, "invalid", _("A channel is a text of 1 to 64 characters."))


def _check_staff(value: Any, corp: Corp, path: str) -> Problems:
    yield from _check_ids(value, Staff.objects.for_corp(corp), "userid", path)


def _check_chats(value: Any, corp: Corp, path: str) -> Problems:
    yield from _check_ids(value, GroupChat.objects.for_corp(corp), "chat_id", path)


def _check_ids(value: Any, rows: Any, column: str, path: str) -> Problems:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        yield FieldProblem(path, "invalid", _("This must be a list of ids."))
        return
    named = [each for each in value if "\x00" not in each]
    known = set(rows.filter(**{f"{column}__in": named}).values_list(column, flat=True))
    for position, each in enumerate(value):
        if each not in known:
            message = _("%(id)s does not exist.") % {"id": each}
            yield FieldProblem(f"{path}/{position}", "unknown_id", message)


def _check_tag(value: Any, corp: Corp, path: str) -> Problems:
    tags = Tag.objects.for_corp(corp).current()
    if not is_whole(value, least=1, most=2**31 - 1) or not tags.filter(pk=value).exists():
        message = _("There is no tag %(id)s.") % {"id": value}
        yield FieldProblem(path, "unknown_id", message)


def _check_group_tag(value: Any, corp: Corp, path: str) -> Problems:
    tags = GroupTag.objects.for_corp(corp)
    if not is_whole(value, least=1, most=2**63 - 1) or not tags.filter(pk=value).exists():
        message = _("There is no group tag %(id)s.") % {"id": value}
        yield FieldProblem(path, "unknown_id", message)


def _check_attribute(value: Any, _corp: Corp, path: str) -> Problems:
    if not isinstance(value, str) or not _ATTRIBUTE.fullmatch(value):
        message = _("An attribute's key has 1 to 64 letters, digits, - and _.")
        yield FieldProblem(path, "invalid_key", message)


def _check_flag(value: Any, _corp: Corp, path: str) -> Problems:
    if not isinstance(value, bool):
        yield FieldProblem(path, "invalid", _("This must be true or false."))


_TRIGGER_CHECKS: dict[tuple[str, str], Callable[[Any, Corp, str], Problems]] = {
    (Sop.Trigger.CUSTOMER_ADDED, "state"): _check_state,
    (Sop.Trigger.CUSTOMER_ADDED, "staff"): _check_staff,
    (Sop.Trigger.TAG_ADDED, "tag"): _check_tag,
    (Sop.Trigger.ATTRIBUTE_DATE, "attribute"): _check_attribute,
    (Sop.Trigger.ATTRIBUTE_DATE, "yearly"): _check_flag,
    (Sop.Trigger.GROUP_JOINED, "chat_ids"): _check_chats,
    (Sop.Trigger.GROUP_JOINED, "tag"): _check_group_tag,
}


def _problems_of_quiet_hours(quiet: Any) -> Problems:
    if quiet is None:
        return
    if not isinstance(quiet, Mapping):
        yield FieldProblem("/quiet_hours", "invalid", _("This must be {start, end}."))
        return
    yield from _unknown_fields(quiet, {"start", "end"}, "/quiet_hours")
    texts = [quiet.get(name) for name in ("start", "end")]
    for name, text in zip(("start", "end"), texts, strict=True):
        if not _is_time(text):
            yield FieldProblem(f"/quiet_hours/{name}", "invalid", _not_a_time())
    if _is_time(texts[0]) and texts[0] == texts[1]:
        message = _("Quiet hours must end at another time than they start.")
        yield FieldProblem("/quiet_hours/end", "invalid", message)


def _problems_of_rule(rule: Any, *, corp: Corp, path: str) -> Problems:
    if rule is None:
        return
    try:
        validate_rule(rule, corp=corp, prefix=path)
    except InvalidInput as error:
        yield from error.errors


def _problems_of_steps(draft: SopDraft, *, corp: Corp, known_steps: Sequence[int]) -> Problems:
    steps: Any = draft.steps
    if not isinstance(steps, (list, tuple)):
        yield FieldProblem("/steps", "invalid", _("This must be a list."))
        return
    if len(steps) > MOST_STEPS:
        message = _("A SOP has at most %(limit)d steps.") % {"limit": MOST_STEPS}
        yield FieldProblem("/steps", "too_many", message)
        return
    left = set(known_steps)
    trigger: Any = draft.trigger
    word = trigger.get("type") if isinstance(trigger, Mapping) else None
    for position, step in enumerate(steps):
        path = f"/steps/{position}"
        if not isinstance(step, Mapping):
            yield FieldProblem(path, "invalid", _("This must be an object."))
            continue
        yield from _problems_of_id(step, left, path)
        yield from _unknown_fields(step, _STEP_FIELDS, path)
        yield from _problems_of_time(step, path, may_precede=word in _FORESEEN)
        yield from problems_of_action(step.get("action"), corp=corp, path=f"{path}/action")
        yield from _problems_of_rule(step.get("condition"), corp=corp, path=f"{path}/condition")


def _problems_of_id(step: Mapping[str, Any], left: set[int], path: str) -> Problems:
    step_id = step.get("id")
    if step_id is None:
        return
    if type(step_id) is not int or step_id not in left:
        message = _("This SOP has no step %(id)s, or it is listed twice.") % {"id": step_id}
        yield FieldProblem(f"{path}/id", "unknown_id", message)
        return
    left.remove(step_id)


def _problems_of_time(step: Mapping[str, Any], path: str, *, may_precede: bool) -> Problems:
    at, offset = step.get("at"), step.get("offset") or {}
    if at is not None and not _is_time(at):
        yield FieldProblem(f"{path}/at", "invalid", _not_a_time())
    if not isinstance(offset, Mapping):
        yield FieldProblem(f"{path}/offset", "invalid", _("This must be {days, minutes}."))
        return
    yield from _unknown_fields(offset, {"days", "minutes"}, f"{path}/offset")
    for name, most in (("days", MOST_DAYS), ("minutes", MOST_MINUTES)):
        least = -most if may_precede else 0
        if not is_whole(offset.get(name, 0), least=least, most=most):
            yield FieldProblem(f"{path}/offset/{name}", "invalid", _between(least, most))


def _unknown_fields(given: Mapping[str, Any], known: Any, path: str) -> Problems:
    for name in given:
        if name not in known:
            yield FieldProblem(f"{path}/{name}", "unknown", _("There is no such field."))


def _is_time(text: Any) -> bool:
    return isinstance(text, str) and _TIME.fullmatch(text) is not None


def _not_a_time() -> str:
    return _("Give the time as HH:MM, such as 09:00.")


def _between(least: int, most: int) -> str:
    return _("A whole number from %(least)d to %(most)d.") % {"least": least, "most": most}
