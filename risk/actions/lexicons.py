"""Lexicons: lists of words, checked, kept, published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from risk.actions.prohibitions import (
    Draft,
    Problems,
    check_common,
    check_words,
    drop,
    find_departments,
    keep,
)
from risk.models import Lexicon
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

MAX_WORDS = 100_000
_WORDS_IN_AUDIT = 50


@dataclass(frozen=True)
class LexiconDraft(Draft):
    words: Sequence[str] = ()
    # What it sees through besides the normative disguises: Lexicon.OPTIONS.
    options: Sequence[str] = ()


@transaction.atomic
def create_lexicon(draft: LexiconDraft, *, corp: Corp, actor: Actor, now: datetime) -> Lexicon:
    """Keep a lexicon; unless it is a draft, its words hold at once.

    `merged_words` of the answer are those that mean the same as another one.
    """
    lexicon = Lexicon(corp=corp, created_at=now)
    _write(lexicon, draft, now=now)
    data = {"words": len(lexicon.words), "draft": lexicon.is_draft}
    record("lexicons.created", actor=actor, corp=corp, subject=lexicon, now=now, data=data)
    return lexicon


@transaction.atomic
def update_lexicon(
    lexicon: Lexicon, *, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> Lexicon:
    """Change some fields of a lexicon; names as in LexiconDraft."""
    lexicon = (
        Lexicon.objects.select_for_update(of=["self"]).select_related("corp").get(pk=lexicon.pk)
    )
    before = set(lexicon.words)
    draft = replace(draft_of(lexicon), **changes)
    if _write(lexicon, draft, now=now):
        data = {"fields": sorted(changes), "draft": lexicon.is_draft}
        data |= _difference(before, set(lexicon.words))
        record(
            "lexicons.changed", actor=actor, corp=lexicon.corp, subject=lexicon, now=now, data=data
        )
    return lexicon


@transaction.atomic
def delete_lexicon(lexicon: Lexicon, *, actor: Actor, now: datetime) -> None:
    data = {"name": lexicon.name, "words": len(lexicon.words)}
    record("lexicons.deleted", actor=actor, corp=lexicon.corp, subject=lexicon, now=now, data=data)
    drop(lexicon, now=now)


def draft_of(lexicon: Lexicon) -> LexiconDraft:
    """The lexicon as it would be asked for."""
    return LexiconDraft(
        name=lexicon.name,
        category=lexicon.category,
        severity=lexicon.severity,
        allow=lexicon.allow,
        directions=lexicon.directions,
        departments=[each.department_id for each in lexicon.departments.all()],
        is_draft=lexicon.is_draft,
        words=lexicon.words,
        options=lexicon.options,
    )


def _write(lexicon: Lexicon, draft: LexiconDraft, *, now: datetime) -> bool:
    problems = Problems()
    fields = check_common(draft, problems)
    departments = find_departments(draft.departments, corp=lexicon.corp, problems=problems)
    _check_number(draft.words)
    words = check_words(draft.words, problems, path="/words")
    for place, option in enumerate(draft.options):
        if option not in Lexicon.OPTIONS:
            message = _("An option is one of %(options)s.") % {
                "options": ", ".join(Lexicon.OPTIONS)
            }
            problems.add(f"/options/{place}", "unknown", message)
    problems.raise_if_any()
    options = {f"sees_{option}": option in draft.options for option in Lexicon.OPTIONS}
    lexicon.merged_words = words.merged
    fields |= {"words": words.kept, **options}
    return keep(lexicon, fields, departments=departments, now=now)


def _check_number(words: Sequence[str]) -> None:
    if not 0 < len(words) <= MAX_WORDS:
        message = _("A lexicon has 1 to %(limit)s words.") % {"limit": MAX_WORDS}
        raise InvalidInput(message, errors=(FieldProblem("/words", "wrong_number", message),))


def _difference(before: set[str], after: set[str]) -> dict[str, Any]:
    """What came and what went; of long lists the numbers and the first words."""
    added, removed = sorted(after - before), sorted(before - after)
    difference: dict[str, Any] = {}
    for name, words in (("added", added), ("removed", removed)):
        if words:
            difference |= {name: words[:_WORDS_IN_AUDIT], f"{name}_count": len(words)}
    return difference
