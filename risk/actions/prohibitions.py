"""What lexicons and rules have in common: reading what was asked for, keeping it, publishing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from risk.actions.publishing import check_rules, publish
from risk.actions.screening import Direction
from risk.models import Severity
from risk.models.rules import Prohibition
from risk.screening.folding import fold_words, plain_table
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Department

P = TypeVar("P", bound=Prohibition)

NAME_LENGTH = 64
WORD_LENGTH = 64
MAX_ALLOWED = 1000
_PROBLEMS_NAMED = 50


@dataclass(frozen=True)
class Draft:
    """A prohibition as it is asked for; departments by their ids on the platform."""

    name: str = ""
    category: str = ""
    severity: str = ""
    allow: Sequence[str] = ()
    directions: Sequence[str] = ()
    departments: Sequence[int] = ()
    is_draft: bool = False


@dataclass
class Problems:
    """What is wrong with the input, collected so that all of it is told at once."""

    found: list[FieldProblem] = field(default_factory=list)

    def add(self, path: str, code: str, message: str) -> None:
        if len(self.found) < _PROBLEMS_NAMED:
            self.found.append(FieldProblem(path, code, message))

    def raise_if_any(self) -> None:
        if self.found:
            first = self.found[0]
            raise InvalidInput(f"{first.path}: {first.message}", errors=tuple(self.found))


@dataclass(frozen=True)
class CheckedWords:
    """Words to keep, and those that mean the same as one that is kept."""

    kept: list[str]
    merged: list[str]


def check_common(draft: Draft, problems: Problems) -> dict[str, Any]:
    """The fields every prohibition has, as they are kept."""
    fields = {name: getattr(draft, name).strip() for name in ("name", "category")}
    for name, value in fields.items():
        if not 0 < len(value) <= NAME_LENGTH:
            message = _("Say this in 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
            problems.add(f"/{name}", "invalid", message)
    if draft.severity not in Severity.values:
        problems.add("/severity", "unknown", _("A severity is low, medium or high."))
    for place, direction in enumerate(draft.directions):
        if direction not in set(Direction):
            message = _("A direction is staff, customer or campaign.")
            problems.add(f"/directions/{place}", "unknown", message)
    allow = _check_allowed(draft.allow, problems)
    return {
        **fields,
        "severity": draft.severity,
        "directions": list(dict.fromkeys(str(each) for each in draft.directions)),
        "allow": allow,
        "is_draft": draft.is_draft,
    }


def check_words(words: Sequence[str], problems: Problems, *, path: str) -> CheckedWords:
    """Words that can be found; what means the same as an earlier one is kept once."""
    bare = [word.strip() for word in words]
    kept: dict[str, str] = {}
    merged: list[str] = []
    for place, (word, folded) in enumerate(zip(bare, fold_words(bare, plain_table()), strict=True)):
        if trouble := _trouble_with(word, folded):
            problems.add(f"{path}/{place}", *trouble)
        elif folded in kept:
            merged.append(word)
        else:
            kept[folded] = word
    return CheckedWords(list(kept.values()), merged)


def find_departments(ids: Sequence[int], *, corp: Corp, problems: Problems) -> list[Department]:
    """The corp's departments with these ids on the platform."""
    rows = Department.objects.for_corp(corp).filter(department_id__in=ids, deleted_at__isnull=True)
    known = {each.department_id: each for each in rows}
    for place, department_id in enumerate(ids):
        if department_id not in known:
            message = _("There is no department %(id)s.") % {"id": department_id}
            problems.add(f"/departments/{place}", "unknown", message)
    return list(known.values())


def keep(
    prohibition: P, fields: Mapping[str, Any], *, departments: Sequence[Department], now: datetime
) -> bool:
    """Write the fields; whether anything has changed. The change holds when it is published."""
    before = None if prohibition.pk is None else _state_of(prohibition)
    for name, value in fields.items():
        setattr(prohibition, name, value)
    wanted = {each.pk for each in departments}
    if before is not None and before == {**_state_of(prohibition), "departments": wanted}:
        return False
    prohibition.version += before is not None
    prohibition.updated_at = now
    try:
        with transaction.atomic():
            prohibition.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": prohibition.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None
    prohibition.departments.set(departments)
    if not prohibition.is_draft:
        # Taking rules back is never refused: it is how broken ones are got rid of.
        check_rules(prohibition.corp)
    if not prohibition.is_draft or (before is not None and not before["is_draft"]):
        publish(prohibition.corp, now=now)
    return True


def drop(prohibition: Prohibition, *, now: datetime) -> None:
    was_published = not prohibition.is_draft
    prohibition.delete()
    if was_published:
        publish(prohibition.corp, now=now)


def _state_of(prohibition: Prohibition) -> dict[str, Any]:
    kept_apart = {"id", "version", "created_at", "updated_at"}
    state = {
        each.attname: getattr(prohibition, each.attname)
        for each in prohibition._meta.concrete_fields
        if each.attname not in kept_apart
    }
    return {**state, "departments": set(prohibition.departments.values_list("pk", flat=True))}


def _check_allowed(phrases: Sequence[str], problems: Problems) -> list[str]:
    if len(phrases) > MAX_ALLOWED:
        message = ngettext(
            "At most %(limit)s allowed phrase.", "At most %(limit)s allowed phrases.", MAX_ALLOWED
        )
        problems.add("/allow", "too_many", message % {"limit": MAX_ALLOWED})
        return []
    return check_words(phrases, problems, path="/allow").kept


def _trouble_with(word: str, folded: str) -> tuple[str, str] | None:
    if not word:
        return "empty", _("This word is empty.")
    if len(word) > WORD_LENGTH:
        message = _("A word has at most %(limit)s characters.") % {"limit": WORD_LENGTH}
        return "too_long", message
    if "\0" in word:
        return "invalid_character", _("This text has a character that cannot be stored.")
    if not folded:
        message = _("Of «%(word)s» nothing is left that could be found: spaces, punctuation and emoji do not count.")  # fmt: skip
        return "nothing_left", message % {"word": word}
    if len(folded) == 1 and folded.isascii():
        message = _("«%(word)s» is found as a single «%(left)s», and that is everywhere.")
        return "too_short", message % {"word": word, "left": folded}
    return None
