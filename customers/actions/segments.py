"""Segments: rules over customers, checked, counted, explained and saved."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, ProtectedError, Q, RestrictedError
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, Follow, Segment
from customers.segments.contradictions import Contradiction, find_contradictions
from customers.segments.explaining import (
    CustomerFacts,
    Explanation,
    Line,
    explain_node,
    first_failing,
    lines_of,
)
from customers.segments.fields.relations import lived_at
from customers.segments.nodes import Node
from customers.segments.past import check_past
from customers.segments.reading import read_rule
from customers.segments.schema import rule_schema
from customers.segments.sql import Translator
from customers.segments.words import describe_node
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

__all__ = [
    "CompiledRule",
    "Overlap",
    "Preview",
    "SegmentChanged",
    "SegmentInUse",
    "contradictions_of",
    "create_segment",
    "customers_as_of",
    "customers_of",
    "delete_segment",
    "describe_rule",
    "explain",
    "explain_in_words",
    "overlap_of",
    "preview",
    "rule_schema",
    "update_segment",
    "validate_rule",
]

NAME_LENGTH = 128
_SAMPLE = 10


class SegmentInUse(DomainError):
    code = "segment_in_use"


class SegmentChanged(DomainError):
    """Somebody else has saved another version since; `current` is what it is by now."""

    code = "version_conflict"

    def __init__(self, current: Segment) -> None:
        self.current = current
        message = _(
            "«%(name)s» was changed by somebody else in the meantime: it is version %(version)s"
            " now. Nothing was saved; look at it and save again."
        )
        super().__init__(message % {"name": current.name, "version": current.version})


@dataclass(frozen=True)
class CompiledRule:
    """A rule that has been read for one corp: its fields, operators and ids are all there."""

    node: Node
    corp_pk: int


Rule = Mapping[str, Any] | CompiledRule


@dataclass(frozen=True)
class Preview:
    """How many customers a rule means now, and some of them; why some can never be meant."""

    count: int
    sample: list[dict[str, str]]
    took_ms: int
    warnings: list[dict[str, str]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Overlap:
    """How many customers are only in one of two segments, in both, and only in the other."""

    only_this: int
    both: int
    only_other: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def validate_rule(
    rule: object, *, corp: Corp, prefix: str = "/rule", inside: Segment | None = None
) -> CompiledRule:
    """Read a rule; raises InvalidInput that names every place with a problem by JSON pointer.

    `inside` is the segment whose rule it is to be: it may not be asked about itself.
    """
    pk = inside.pk if inside else None
    return CompiledRule(read_rule(rule, corp=corp, prefix=prefix, inside=pk), corp.pk)


def contradictions_of(rule: Rule, *, corp: Corp, now: datetime) -> list[Contradiction]:
    """Conditions of the rule that exclude each other."""
    return find_contradictions(_compiled(rule, corp).node, now=now)


def customers_of(rule: Rule, *, corp: Corp, now: datetime) -> CustomerQuerySet:
    """The customers a rule means: of the corp, with a live follow. One statement, lazily run."""
    node = _compiled(rule, corp).node
    return Customer.objects.for_corp(corp).live().filter(Translator(corp, now).q(node))


def customers_as_of(rule: Rule, *, corp: Corp, as_of: datetime, now: datetime) -> CustomerQuerySet:
    """The customers a rule meant at a moment of the past: who was followed then.

    Tags, stages and ownership of the past are known; a rule that asks for anything else raises
    InvalidInput, which names it.
    """
    node = _compiled(rule, corp).node
    check_past(node)
    lived = Follow.objects.for_corp(corp).filter(lived_at(as_of), customer=OuterRef("pk"))
    meant = Translator(corp, now, as_of).q(node)
    return Customer.objects.for_corp(corp).filter(Q(Exists(lived)) & meant)


def overlap_of(rule: Rule, other: Rule, *, corp: Corp, now: datetime) -> Overlap:
    """How two rules overlap. Three counts, each through the indexes that its rule can use."""
    ours, theirs = _compiled(rule, corp), _compiled(other, corp)
    this = customers_of(ours, corp=corp, now=now)
    common = this.filter(Translator(corp, now).q(theirs.node)).count()
    total = customers_of(theirs, corp=corp, now=now).count()
    return Overlap(this.count() - common, common, total - common)


def preview(rule: Rule, *, corp: Corp, now: datetime) -> Preview:
    """Count a rule's customers and name the ten who were added last."""
    started = time.perf_counter()
    compiled = _compiled(rule, corp)
    customers = customers_of(compiled, corp=corp, now=now)
    count = customers.count()
    newest = customers.order_by("-added_at", "-pk").only("external_userid", "name")
    sample = [{"external_userid": c.external_userid, "name": c.name} for c in newest[:_SAMPLE]]
    warnings = [
        {"path": each.pointer, "message": each.words}
        for each in contradictions_of(compiled, corp=corp, now=now)
    ]
    return Preview(count, sample, round((time.perf_counter() - started) * 1000), warnings)


def describe_rule(rule: Rule, *, corp: Corp) -> str:
    """The rule in words of the active language."""
    return describe_node(_compiled(rule, corp).node)


def explain(rule: Rule, customer: Customer, *, now: datetime) -> Explanation:
    """Why the rule means the customer or does not.

    `tree` is the rule with the actual values; `first_failing` points at the first clause that
    keeps the customer out. Nobody without a live follow is ever meant.
    """
    node = _compiled(rule, customer.corp).node
    tree = explain_node(node, CustomerFacts(customer, now))
    has_live_follow = customer.live_follows > 0
    return {
        "matched": has_live_follow and tree["matched"],
        "has_live_follow": has_live_follow,
        "first_failing": first_failing(tree),
        "tree": tree,
    }


def explain_in_words(rule: Rule, customer: Customer, *, now: datetime) -> list[Line]:
    """The rule line by line with what is the case for the customer, in the active language."""
    node = _compiled(rule, customer.corp).node
    facts = CustomerFacts(customer, now)
    return lines_of(node, facts, failing=first_failing(explain_node(node, facts)))


@transaction.atomic
def create_segment(
    name: str,
    *,
    corp: Corp,
    rule: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    is_watched: bool = False,
) -> Segment:
    """Save a rule under a name; raises InvalidInput, also for a rule that nobody can fulfil."""
    _refuse_nobody(validate_rule(rule, corp=corp), corp=corp, now=now)
    segment = Segment(
        corp=corp,
        name=checked_name(name),
        rule=dict(rule),
        is_watched=is_watched,
        created_at=now,
        updated_at=now,
    )
    keep(segment)
    record("segments.created", actor=actor, corp=corp, subject=segment, now=now)
    return segment


@transaction.atomic
def update_segment(  # noqa: PLR0913 (what may change, spelled out)
    segment: Segment,
    *,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    rule: Mapping[str, Any] | None = None,
    is_watched: bool | None = None,
    version: int | None = None,
    unchanged_since: datetime | None = None,
) -> Segment:
    """Change the name or the rule; another rule is another version.

    `version`, or `unchanged_since` for every change, is what the caller has looked at: raises
    SegmentChanged when somebody else has saved something since.
    """
    # Two editors at once: neither's version may be counted twice, nor be written over unseen.
    segment = (
        Segment.objects.select_for_update(of=["self"]).select_related("corp").get(pk=segment.pk)
    )
    is_other = version is not None and version != segment.version
    if is_other or (unchanged_since is not None and unchanged_since != segment.updated_at):
        raise SegmentChanged(segment)
    before = _kept(segment)
    if name is not None:
        segment.name = checked_name(name)
    if is_watched is not None:
        segment.is_watched = is_watched
    if rule is not None:
        _change_rule(segment, rule, now=now)
    if before != _kept(segment):
        segment.updated_at = now
        keep(segment)
        data = {"before": before}
        record(
            "segments.changed", actor=actor, corp=segment.corp, subject=segment, now=now, data=data
        )
    return segment


def _kept(segment: Segment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "rule": segment.rule,
        "version": segment.version,
        "is_watched": segment.is_watched,
    }


def _change_rule(segment: Segment, rule: Mapping[str, Any], *, now: datetime) -> None:
    is_other = rule != segment.rule
    if is_other and segment.kind == Segment.Kind.LIST:
        message = _("«%(name)s» is a list: it has members and no rule of its own.")
        text = message % {"name": segment.name}
        raise InvalidInput(text, errors=(FieldProblem("/rule", "conflict", text),))
    compiled = validate_rule(rule, corp=segment.corp, inside=segment)
    _refuse_nobody(compiled, corp=segment.corp, now=now)
    segment.version += is_other
    segment.rule = dict(rule)


def _refuse_nobody(rule: CompiledRule, *, corp: Corp, now: datetime) -> None:
    """Nobody saves a rule on purpose that contradicts itself."""
    whole = [each for each in contradictions_of(rule, corp=corp, now=now) if each.is_whole]
    if whole:
        errors = tuple(FieldProblem(each.pointer, "contradiction", each.words) for each in whole)
        raise InvalidInput(whole[0].words, errors=errors)


@transaction.atomic
def delete_segment(segment: Segment, *, actor: Actor, now: datetime) -> None:
    """Delete a segment that no campaign and no other segment names; raises SegmentInUse."""
    if naming := _segments_naming(segment):
        message = _("«%(name)s» is named by %(others)s and cannot be deleted.")
        others = ", ".join(f"«{other.name}»" for other in naming)
        raise SegmentInUse(message % {"name": segment.name, "others": others})
    data = {"name": segment.name, "rule": segment.rule}
    record("segments.deleted", actor=actor, corp=segment.corp, subject=segment, now=now, data=data)
    try:
        segment.delete()
    except (ProtectedError, RestrictedError):
        message = _("«%(name)s» is used by a campaign and cannot be deleted.")
        raise SegmentInUse(message % {"name": segment.name}) from None


def _compiled(rule: Rule, corp: Corp) -> CompiledRule:
    if not isinstance(rule, CompiledRule):
        return validate_rule(rule, corp=corp)
    if rule.corp_pk != corp.pk:
        raise ValueError("The rule was read for another corp.")
    return rule


def _segments_naming(segment: Segment) -> list[Segment]:
    others = Segment.objects.for_corp(segment.corp).exclude(pk=segment.pk).order_by("name")
    return [other for other in others if _names(other.rule, segment.pk)]


def _names(rule: Any, pk: int) -> bool:
    """Whether a rule, readable or not any more, names the segment."""
    if isinstance(rule, list):
        return any(_names(child, pk) for child in rule)
    if not isinstance(rule, dict):
        return False
    if rule.get("field") in {"segment", "list"}:
        value = rule.get("value")
        return pk in (value if isinstance(value, list) else [value])
    return any(_names(child, pk) for child in rule.values())


def checked_name(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem("/name", "invalid", message),))
    return bare


def keep(segment: Segment) -> None:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": segment.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None
