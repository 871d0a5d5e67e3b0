"""Rules: patterns rather than words, checked, kept, published."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from risk.models import RiskRule
from scrm.audit.actions.recording import Actor, record
from scrm.tenancy.models import Corp

WITHIN = 12
MAX_WITHIN = 100
MAX_GROUPS = 4
MAX_GROUP_WORDS = 200
MAX_HOSTS = 200
_HOST = re.compile(r"(?=.{1,253}$)[^\s/:@?#.]{1,63}(\.[^\s/:@?#.]{1,63})+")


@dataclass(frozen=True)
class RuleDraft(Draft):
    kind: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def create_rule(draft: RuleDraft, *, corp: Corp, actor: Actor, now: datetime) -> RiskRule:
    """Keep a rule; unless it is a draft, it holds at once."""
    rule = RiskRule(corp=corp, created_at=now)
    _write(rule, draft, now=now)
    data = {"kind": rule.kind, "draft": rule.is_draft}
    record("risk_rules.created", actor=actor, corp=corp, subject=rule, now=now, data=data)
    return rule


@transaction.atomic
def update_rule(
    rule: RiskRule, *, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> RiskRule:
    """Change some fields of a rule; names as in RuleDraft."""
    rule = RiskRule.objects.select_for_update(of=["self"]).select_related("corp").get(pk=rule.pk)
    before = rule.settings
    if _write(rule, replace(draft_of(rule), **changes), now=now):
        data = {"fields": sorted(changes), "draft": rule.is_draft, "settings_before": before}
        record("risk_rules.changed", actor=actor, corp=rule.corp, subject=rule, now=now, data=data)
    return rule


@transaction.atomic
def delete_rule(rule: RiskRule, *, actor: Actor, now: datetime) -> None:
    data = {"name": rule.name, "kind": rule.kind}
    record("risk_rules.deleted", actor=actor, corp=rule.corp, subject=rule, now=now, data=data)
    drop(rule, now=now)


def draft_of(rule: RiskRule) -> RuleDraft:
    """The rule as it would be asked for."""
    return RuleDraft(
        name=rule.name,
        category=rule.category,
        severity=rule.severity,
        allow=rule.allow,
        directions=rule.directions,
        departments=[each.department_id for each in rule.departments.all()],
        is_draft=rule.is_draft,
        kind=rule.kind,
        settings=rule.settings,
    )


def _write(rule: RiskRule, draft: RuleDraft, *, now: datetime) -> bool:
    problems = Problems()
    fields = check_common(draft, problems)
    departments = find_departments(draft.departments, corp=rule.corp, problems=problems)
    if draft.kind not in RiskRule.Kind.values:
        message = _("A kind is one of %(kinds)s.") % {"kinds": ", ".join(RiskRule.Kind.values)}
        problems.add("/kind", "unknown", message)
    settings = _check_settings(draft, problems)
    problems.raise_if_any()
    fields |= {"kind": draft.kind, "settings": settings}
    return keep(rule, fields, departments=departments, now=now)


def _check_settings(draft: RuleDraft, problems: Problems) -> dict[str, Any]:
    readers = _READERS.get(draft.kind, {})
    for name in draft.settings:
        if name not in readers:
            message = _("This kind of rule has no such setting.")
            problems.add(f"/settings/{name}", "unknown", message)
    return {
        name: read(draft.settings.get(name), f"/settings/{name}", problems)
        for name, read in readers.items()
    }


def _read_groups(given: Any, path: str, problems: Problems) -> list[list[str]]:
    if not isinstance(given, list) or not 2 <= len(given) <= MAX_GROUPS:
        message = _("Give 2 to %(limit)s lists of words; one of each must be near the others.")
        problems.add(path, "invalid", message % {"limit": MAX_GROUPS})
        return []
    return [_read_group(group, f"{path}/{place}", problems) for place, group in enumerate(given)]


def _read_group(given: Any, path: str, problems: Problems) -> list[str]:
    if not _is_list_of_text(given) or not 0 < len(given) <= MAX_GROUP_WORDS:
        message = _("Give 1 to %(limit)s words.") % {"limit": MAX_GROUP_WORDS}
        problems.add(path, "invalid", message)
        return []
    return check_words(given, problems, path=path).kept


def _read_within(given: Any, path: str, problems: Problems) -> int:
    if given is None:
        return WITHIN
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_WITHIN:
        message = _("Give a number of characters from 0 to %(limit)s.") % {"limit": MAX_WITHIN}
        problems.add(path, "invalid", message)
        return WITHIN
    return given


def _read_hosts(given: Any, path: str, problems: Problems) -> list[str]:
    if given is None:
        return []
    if not _is_list_of_text(given) or len(given) > MAX_HOSTS:
        message = _("Give a list of at most %(limit)s hosts.") % {"limit": MAX_HOSTS}
        problems.add(path, "invalid", message)
        return []
    hosts = [host.strip().lower().strip(".") for host in given]
    for place, host in enumerate(hosts):
        if not _HOST.fullmatch(host):
            message = _("A host is written like shop.brand.com, without https:// and without a path.")  # fmt: skip
            problems.add(f"{path}/{place}", "invalid", message)
    return list(dict.fromkeys(hosts))


def _is_list_of_text(given: Any) -> bool:
    is_sequence = isinstance(given, Sequence) and not isinstance(given, str)
    return is_sequence and all(isinstance(each, str) for each in given)


_READERS: dict[str, dict[str, Callable[[Any, str, Problems], Any]]] = {
    RiskRule.Kind.LINK: {"hosts": _read_hosts},
    RiskRule.Kind.WORDS_TOGETHER: {"words": _read_groups, "within": _read_within},
}
