"""Segments: rules over customers, checked, counted, explained and saved."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, Segment
from customers.segments.explaining import Explanation, Facts, explain_node, first_failing
from customers.segments.nodes import Node
from customers.segments.reading import read_rule
from customers.segments.schema import SCHEMA
from customers.segments.sql import Translator
from customers.segments.words import describe_node
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

__all__ = [
    "SCHEMA",
    "CompiledRule",
    "Preview",
    "SegmentInUse",
    "create_segment",
    "customers_of",
    "delete_segment",
    "describe_rule",
    "explain",
    "preview",
    "update_segment",
    "validate_rule",
]

NAME_LENGTH = 128
_SAMPLE = 10


class SegmentInUse(DomainError):
    code = "segment_in_use"


@dataclass(frozen=True)
class CompiledRule:
    """A rule that has been read for one corp: its fields, operators and ids are all there."""

    node: Node
    corp_pk: int


Rule = Mapping[str, Any] | CompiledRule


@dataclass(frozen=True)
class Preview:
    """How many customers a rule means now, and some of them."""

    count: int
    sample: list[dict[str, str]]
    took_ms: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def validate_rule(rule: object, *, corp: Corp, prefix: str = "/rule") -> CompiledRule:
    """Read a rule; raises InvalidInput that names every place with a problem by JSON pointer."""
    return CompiledRule(read_rule(rule, corp=corp, prefix=prefix), corp.pk)


def customers_of(rule: Rule, *, corp: Corp, now: datetime) -> CustomerQuerySet:
    """The customers a rule means: of the corp, with a live follow. One statement, lazily run."""
    node = _compiled(rule, corp).node
    return Customer.objects.for_corp(corp).live().filter(Translator(corp, now).q(node))


def preview(rule: Rule, *, corp: Corp, now: datetime) -> Preview:
    """Count a rule's customers and name the ten who were added last."""
    started = time.perf_counter()
    customers = customers_of(rule, corp=corp, now=now)
    count = customers.count()
    newest = customers.order_by("-added_at", "-pk").only("external_userid", "name")
    sample = [{"external_userid": c.external_userid, "name": c.name} for c in newest[:_SAMPLE]]
    return Preview(count, sample, round((time.perf_counter() - started) * 1000))


def describe_rule(rule: Rule, *, corp: Corp) -> str:
    """The rule in words of the active language."""
    return describe_node(_compiled(rule, corp).node)


def explain(rule: Rule, customer: Customer, *, now: datetime) -> Explanation:
    """Why the rule means the customer or does not.

    `tree` is the rule with the actual values; `first_failing` points at the first clause that
    keeps the customer out. Nobody without a live follow is ever meant.
    """
    node = _compiled(rule, customer.corp).node
    tree = explain_node(node, Facts(customer, now))
    has_live_follow = customer.live_follows > 0
    return {
        "matched": has_live_follow and tree["matched"],
        "has_live_follow": has_live_follow,
        "first_failing": first_failing(tree),
        "tree": tree,
    }


@transaction.atomic
def create_segment(
    name: str, *, corp: Corp, rule: Mapping[str, Any], actor: Actor, now: datetime
) -> Segment:
    """Save a rule under a name."""
    validate_rule(rule, corp=corp)
    segment = Segment(
        corp=corp, name=_checked(name), rule=dict(rule), created_at=now, updated_at=now
    )
    _keep(segment)
    record("segments.created", actor=actor, corp=corp, subject=segment, now=now)
    return segment


@transaction.atomic
def update_segment(
    segment: Segment,
    *,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    rule: Mapping[str, Any] | None = None,
) -> Segment:
    """Change the name or the rule; another rule is another version."""
    # Two editors at once: neither's version may be counted twice.
    segment = (
        Segment.objects.select_for_update(of=["self"]).select_related("corp").get(pk=segment.pk)
    )
    before = {"name": segment.name, "rule": segment.rule, "version": segment.version}
    if name is not None:
        segment.name = _checked(name)
    if rule is not None:
        validate_rule(rule, corp=segment.corp)
        segment.version += dict(rule) != segment.rule
        segment.rule = dict(rule)
    if before != {"name": segment.name, "rule": segment.rule, "version": segment.version}:
        segment.updated_at = now
        _keep(segment)
        data = {"before": before}
        record(
            "segments.changed", actor=actor, corp=segment.corp, subject=segment, now=now, data=data
        )
    return segment


@transaction.atomic
def delete_segment(segment: Segment, *, actor: Actor, now: datetime) -> None:
    """Delete a segment that no campaign names; raises SegmentInUse."""
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


def _checked(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": NAME_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem("/name", "invalid", message),))
    return bare


def _keep(segment: Segment) -> None:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": segment.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None
