"""What a corp has published, compiled: one rule set per process, swapped when the version moves.

Every change of what holds raises `Publication.version` in its own transaction. A process looks at
the version at most once a second, so a change holds everywhere a second (and a compilation) after
the answer; the rules that are being replaced serve until the new ones stand.
"""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock

from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from risk.models import Lexicon, Publication, RiskRule
from risk.screening.engine import Rule, RuleSet
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp, Department, Staff

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds
# Trees of departments change without a publication.
_TREE_EVERY = 60.0
_CORPS_KEPT = 200


class RulesBroken(DomainError):
    code = "rules_broken"


@dataclass(frozen=True)
class Published:
    """The rules of one version; `stamp` tells two versions of one number apart."""

    version: int
    stamp: tuple[int, int]
    rules: RuleSet


_published: dict[int, tuple[float, Published]] = {}
_trees: dict[int, tuple[float, dict[int, frozenset[int]]]] = {}
_locks: defaultdict[int, Lock] = defaultdict(Lock)


def publish(corp: Corp, *, now: datetime) -> None:
    """Let every process know that what holds has changed; call it in the change's transaction."""
    raised = Publication.objects.for_corp(corp).update(version=F("version") + 1, published_at=now)
    if not raised:
        # Two first publications at once: the one that comes second raises.
        _row, is_new = Publication.objects.get_or_create(
            corp=corp, defaults={"version": 1, "published_at": now}
        )
        if not is_new:
            publish(corp, now=now)
    forget(corp.pk)
    transaction.on_commit(partial(forget, corp.pk))


def check_rules(corp: Corp) -> None:
    """Raise RulesBroken unless what is about to hold can be compiled."""
    try:
        compile_rules(corp)
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("Rules cannot be compiled", extra={"corp": corp.corp_id})
        message = _("These rules cannot be put to work, so nothing was published: make a draft of %(names)s, or change it.")  # fmt: skip
        raise RulesBroken(message % {"names": _names_of_broken(corp)}) from error


def forget(corp_pk: int) -> None:
    """Look again at the next text instead of in a second."""
    _published.pop(corp_pk, None)


def published_rules(corp: Corp) -> Published:
    """What this process screens the corp's texts by."""
    known = _published.get(corp.id)
    if known and time.monotonic() - known[0] < _LOOK_EVERY:
        return known[1]
    lock = _locks[corp.pk]
    if not lock.acquire(blocking=known is None):
        # Another thread is compiling; what held until now holds for its texts.
        assert known is not None  # noqa: S101 — without rules it would have waited
        return known[1]
    try:
        return _look(corp)
    finally:
        lock.release()


def compile_rules(corp: Corp, *, with_drafts: bool = False) -> RuleSet:
    """The corp's lexicons and rules as they are now, without any memory."""
    wanted = {} if with_drafts else {"is_draft": False}
    return RuleSet(_rules_of(corp, **wanted))


def departments_above(staff: Staff) -> frozenset[int]:
    """The departments of a member of staff, with all above them."""
    known = _trees.get(staff.corp_id)
    if known is None or time.monotonic() - known[0] >= _TREE_EVERY:
        known = _trees[staff.corp_id] = (time.monotonic(), _lines_of(staff.corp_id))
    own = staff.departments.values_list("pk", flat=True)
    return frozenset().union(*(known[1].get(pk, {pk}) for pk in own))


def _look(corp: Corp) -> Published:
    known = _published.get(corp.pk)
    # Before the rows: rules newer than their number are compiled again, older ones never stay.
    version, stamp = _stamp_of(corp)
    if known is None or known[1].stamp != stamp:
        current = _compile(corp, version, stamp, known=known and known[1])
    else:
        current = known[1]
    if corp.pk not in _published and len(_published) >= _CORPS_KEPT:
        _published.pop(next(iter(_published)), None)
    _published[corp.pk] = (time.monotonic(), current)
    return current


def _compile(
    corp: Corp, version: int, stamp: tuple[int, int], *, known: Published | None
) -> Published:
    try:
        return Published(version, stamp, compile_rules(corp))
    except DatabaseError:
        raise
    except Exception:
        if known is None:
            raise
        # Until they are mended the rules before them hold, under their own number.
        logger.exception("Rules cannot be compiled", extra={"corp": corp.corp_id})
        return known


def _rules_of(corp: Corp, **wanted: bool) -> list[Rule]:
    lexicons = Lexicon.objects.for_corp(corp).filter(**wanted).order_by("pk")
    rules = RiskRule.objects.for_corp(corp).filter(**wanted).order_by("pk")
    return [
        *map(_of_lexicon, lexicons.prefetch_related("departments")),
        *map(_of_rule, rules.prefetch_related("departments")),
    ]


def _names_of_broken(corp: Corp) -> str:
    """Those that fail alone; all, when they fail together only."""
    rules = _rules_of(corp, is_draft=False)
    broken = [rule.name for rule in rules if not _compiles(rule)]
    return ", ".join(f"«{name}»" for name in broken or [rule.name for rule in rules])


def _compiles(rule: Rule) -> bool:
    try:
        RuleSet([rule])
    except Exception:  # noqa: BLE001 — what it was is in the log already
        return False
    return True


def _stamp_of(corp: Corp) -> tuple[int, tuple[int, int]]:
    # With the transaction that wrote it: one that was rolled back may have used the same number.
    row = (
        Publication.objects.for_corp(corp)
        .annotate(writer=RawSQL("risk_publication.xmin::text::bigint", []))
        .values_list("version", "writer")
        .first()
    )
    return (row[0], (row[0], row[1])) if row else (0, (0, 0))


def _of_lexicon(lexicon: Lexicon) -> Rule:
    return Rule(
        key=f"lexicon:{lexicon.pk}",
        name=lexicon.name,
        category=lexicon.category,
        severity=lexicon.severity,
        words=tuple(lexicon.words),
        allow=tuple(lexicon.allow),
        directions=frozenset(lexicon.directions),
        departments=frozenset(each.pk for each in lexicon.departments.all()),
        options=frozenset(lexicon.options),
    )


def _of_rule(rule: RiskRule) -> Rule:
    return Rule(
        key=f"riskrule:{rule.pk}",
        name=rule.name,
        category=rule.category,
        severity=rule.severity,
        kind=rule.kind,
        allow=tuple(rule.allow),
        directions=frozenset(rule.directions),
        departments=frozenset(each.pk for each in rule.departments.all()),
        settings=rule.settings,
    )


def _lines_of(corp_pk: int) -> dict[int, frozenset[int]]:
    """Department → itself and all above it."""
    rows = Department.objects.filter(corp_id=corp_pk, deleted_at__isnull=True)
    by_platform_id = {each.department_id: each for each in rows}
    lines: dict[int, frozenset[int]] = {}
    for department in by_platform_id.values():
        line: set[int] = set()
        node: Department | None = department
        while node is not None and node.pk not in line:
            line.add(node.pk)
            node = by_platform_id.get(node.parent_id_on_platform)
        lines[department.pk] = frozenset(line)
    return lines
