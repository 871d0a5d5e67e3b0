"""Automatic tags: whoever a rule means carries its tag (自动标签).

A rule is written in the grammar of segments and ranges over everybody who is followed or was, as
stage rules do. Whom it means gains the tag; who carries it and is not meant any more loses it,
unless the rule is a lasting one. Each assignment names the rule and its version. In a group of
which one tag is carried at a time the first rule in the order of the tags decides.

Rules are judged for single customers when something is told of them (`judging.py`), and for all
at night. A rule that asks for the tag of another one sees what that one has done the night before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Case, Count, Exists, Max, OuterRef, Q, Value, When
from django.utils.translation import gettext as _

from customers.actions.own_tags import change_own_tags
from customers.actions.segments import CompiledRule, validate_rule
from customers.actions.tag_changes import (
    Change,
    Origin,
    UsableTag,
    read_rivals,
    read_usable_tags,
)
from customers.actions.tag_usage import tags_in_rule
from customers.actions.tags import create_tag, create_tag_group
from customers.models import (
    Customer,
    CustomerQuerySet,
    Follow,
    Tag,
    TagAssignment,
    TagGroup,
    TagKind,
    TagRule,
    TimelineEntry,
)
from customers.segments.sql import Translator
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

RUNNING = "tag-rules.run"
# So many ids that a step takes some seconds, whatever the rule asks.
_IDS_A_STEP = 200_000
# After the values, which rules ask for; before the stages, whose rules ask for tags.
_NIGHTLY_HOURS = range(3, 8)
_NIGHTLY_EVERY = timedelta(hours=20)
_SAMPLE = 8


@dataclass(frozen=True)
class Simulation:
    """What a run would do now: customers who gain the tag, lose it, keep it; and some of them."""

    gain: int
    lose: int
    keep: int
    gaining: tuple[str, ...] = ()
    losing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Readable:
    """A rule that can be judged, and the condition of those whom it means."""

    rule: TagRule
    meant: Q

    @property
    def is_lasting(self) -> bool:
        # Where one tag is carried at a time, what lasts would never make room.
        return self.rule.is_lasting and not self.rule.tag.group.is_exclusive


@transaction.atomic
def create_auto_tag(name: str, *, group: str, corp: Corp, actor: Actor, now: datetime) -> Tag:
    """Make a tag that a rule may own, in the group of automatic tags with this name."""
    groups = TagGroup.objects.for_corp(corp).filter(kind=TagKind.AUTO, deleted_at=None)
    found = groups.filter(name=group.strip()).first() or create_tag_group(
        group, corp=corp, actor=actor, now=now, kind=TagKind.AUTO
    )
    return create_tag(name, group=found, actor=actor, now=now)


@transaction.atomic
def save_tag_rule(  # noqa: PLR0913 (a rule, spelled out)
    rule: TagRule | None,
    *,
    tag: Tag,
    condition: Mapping[str, Any],
    is_lasting: bool,
    corp: Corp,
    actor: Actor,
    now: datetime,
) -> TagRule:
    """Make a rule, switched off, or change it: it gets the next version then.

    Raises InvalidInput that names what is wrong with the condition, or with the tag: it has to be
    an automatic one with no other rule, and the rule may not ask for it.
    """
    validate_rule(condition, corp=corp)
    _check_tag(tag, condition, rule=rule, is_lasting=is_lasting, corp=corp)
    saved = rule or TagRule(corp=corp, version=0)
    verb = "changed" if saved.pk else "created"
    if not saved.pk or (saved.rule, saved.is_lasting) != (dict(condition), is_lasting):
        saved.version += 1
    saved.tag, saved.rule, saved.is_lasting = tag, dict(condition), is_lasting
    saved.updated_at = now
    saved.save()
    data = {"rule": saved.rule, "version": saved.version, "is_lasting": is_lasting}
    _record(verb, saved, actor=actor, now=now, data=data)
    if saved.is_active:
        start_tag_run(corp, now=now)
    return saved


@transaction.atomic
def activate_tag_rule(rule: TagRule, *, actor: Actor, now: datetime) -> Job:
    """Switch a rule on and judge everybody by it; the job that does so tells how many changed."""
    validate_rule(rule.rule, corp=rule.corp)
    if not rule.is_active:
        rule.is_active, rule.updated_at = True, now
        rule.save(update_fields=["is_active", "updated_at"])
        _record("activated", rule, actor=actor, now=now, data={"version": rule.version})
    return start_tag_run(rule.corp, now=now)


@transaction.atomic
def deactivate_tag_rule(rule: TagRule, *, actor: Actor, now: datetime) -> None:
    """Switch a rule off: everybody keeps, or goes without, the tag as it is."""
    if rule.is_active:
        rule.is_active, rule.updated_at = False, now
        rule.save(update_fields=["is_active", "updated_at"])
        _record("deactivated", rule, actor=actor, now=now, data={"version": rule.version})


@transaction.atomic
def delete_tag_rule(rule: TagRule, *, actor: Actor, now: datetime) -> int:
    """Delete a rule; its tag is taken from everybody: nobody could take it by hand.

    Returns from how many.
    """
    taken = 0
    if (tag := read_usable_tags([rule.tag_id], corp=rule.corp).get(rule.tag_id)) is not None:
        carrying = Customer.objects.for_corp(rule.corp).filter(_carries(rule))
        origin = _origin(rule).because("tag_rule_deleted")
        change = Change(rule.corp, origin, now, remove=(tag,))
        taken = change_own_tags(carrying, change).removed
    data = {"tag": rule.tag_id, "rule": rule.rule, "version": rule.version, "taken": taken}
    _record("deleted", rule, actor=actor, now=now, data=data)
    rule.delete()
    return taken


def simulate_tag_rule(
    rule: TagRule, *, now: datetime, condition: object = None, samples: bool = True
) -> Simulation:
    """What this rule, or another condition in its place, would do now, switched on or not.

    Counted in one statement; raises InvalidInput that names what is wrong with the condition.
    """
    corp = rule.corp
    compiled = validate_rule(rule.rule if condition is None else condition, corp=corp)
    readable = _readable(rule, compiled, _active(corp.pk), now=now)
    carries = Exists(_assignments(rule))
    rows = _told_apart(Customer.objects.for_corp(corp), readable).annotate(carries=carries)
    gains, carried = Q(means=True, carries=False), Q(carries=True)
    loses = carried & Q(means=False)
    counts = rows.order_by().aggregate(
        gain=Count("pk", filter=gains),
        lose=Count("pk", filter=loses),
        carried=Count("pk", filter=carried),
    )
    lose = 0 if readable.is_lasting else counts["lose"]
    told = Simulation(counts["gain"], lose, counts["carried"] - lose)
    if not samples:
        return told
    newest = rows.order_by("-added_at", "-pk")
    gaining, losing = (
        tuple(str(each) for each in newest.filter(side)[:_SAMPLE]) if count else ()
        for side, count in ((gains, told.gain), (loses, told.lose))
    )
    return replace(told, gaining=gaining, losing=losing)


def problem_of(rule: TagRule) -> str:
    """Why a saved rule is passed over, such as a tag that was deleted since; empty when it is not."""
    if rule.tag.deleted_at is not None:
        return _("Its tag has been deleted.")
    try:
        validate_rule(rule.rule, corp=rule.corp)
    except InvalidInput as error:
        return str(error.detail)
    return ""


def judge_tags(customer_ids: Iterable[int], *, corp_id: int, now: datetime) -> int:
    """Give and take automatic tags of single customers, locked by the caller; return how many.

    A rule whose tag somebody is changing at this moment is left to the night.
    """
    ids = sorted(set(customer_ids))
    rules = _active(corp_id) if ids else []
    if not rules:
        return 0
    corp, chosen = rules[0].corp, Customer.objects.filter(corp=corp_id, pk__in=ids)
    tags = read_usable_tags((rule.tag_id for rule in rules), corp=corp, skip_locked=True)
    changed = 0
    for readable in _all_readable(rules, now=now):
        if (tag := tags.get(readable.rule.tag_id)) is not None:
            changed += sum(_apply(readable, tag, chosen, now=now))
    return changed


def start_tag_run(corp: Corp, *, now: datetime) -> Job:
    """Judge everybody by the active rules; done by a job, in steps."""
    return start_job(RUNNING, corp=corp, now=now)


def start_nightly_tag_runs(*, now: datetime) -> int:
    """Start a run for every corp with rules whose night it is and whose last one is a day old."""
    started = 0
    with_rules = TagRule.objects.filter(is_active=True).values("corp")
    for corp in Corp.objects.filter(pk__in=with_rules).order_by("pk"):
        runs = Job.objects.for_corp(corp).filter(kind=RUNNING, created_at__gt=now - _NIGHTLY_EVERY)
        if now.astimezone(corp.zone).hour in _NIGHTLY_HOURS and not runs.exists():
            start_tag_run(corp, now=now)
            started += 1
    return started


def register_jobs() -> None:
    register_job(RUNNING, _run)


def _run(job: Job, clock: Callable[[], datetime]) -> Outcome:
    everybody = Customer.objects.for_corp(job.corp)
    until = everybody.aggregate(last=Max("pk"))["last"] or 0
    state: dict[str, int] = job.state or {"rule": 0, "after": 0, "gained": 0, "lost": 0}
    pks = sorted(rule.pk for rule in _active(job.corp_id))
    for place, pk in enumerate(pks):
        if pk < state["rule"]:
            continue
        state = state | {"rule": pk, "after": state["after"] if state["rule"] == pk else 0}
        while state["after"] < until:
            last = state["after"] + _IDS_A_STEP
            step = everybody.filter(pk__gt=state["after"], pk__lte=last)
            with transaction.atomic():
                gained, lost = _apply_active(pk, step, corp=job.corp, now=clock())
                gained, lost = gained + state["gained"], lost + state["lost"]
                state = {"rule": pk, "after": last, "gained": gained, "lost": lost}
                note_progress(job, now=clock(), done=place, total=len(pks), state=state)
    passed_over = [
        {"message": f"{rule.tag}: {problem}"}
        for rule in _active(job.corp_id)
        if (problem := problem_of(rule))
    ]
    report = {"rules": len(pks), "gained": state["gained"], "lost": state["lost"]}
    return Outcome(report, tuple(passed_over))


def _apply_active(
    pk: int, customers: CustomerQuerySet, *, corp: Corp, now: datetime
) -> tuple[int, int]:
    """By the rule as it is at this step: somebody may switch it off while a long run goes on."""
    # The tag before the customers, as whoever deletes it does.
    rules = _active(corp.pk)
    mine = next((each for each in _all_readable(rules, now=now) if each.rule.pk == pk), None)
    if mine is None:
        return 0, 0
    tag = read_usable_tags([mine.rule.tag_id], corp=corp).get(mine.rule.tag_id)
    return _apply(mine, tag, customers, now=now) if tag else (0, 0)


def _apply(
    readable: _Readable, tag: UsableTag, customers: CustomerQuerySet, *, now: datetime
) -> tuple[int, int]:
    rule, origin = readable.rule, _origin(readable.rule)
    # The rule says for how long, whatever the tag itself says.
    tag = tag._replace(lasts_days=None)
    give = Change(rule.corp, origin, now, add=(tag,), displaced=read_rivals([tag]))
    gained = change_own_tags(customers.filter(readable.meant, ~_carries(rule)), give).added
    if readable.is_lasting:
        return gained, 0
    carrying = _told_apart(customers.filter(_carries(rule)), readable)
    take = Change(rule.corp, origin, now, remove=(tag,))
    return gained, change_own_tags(carrying.filter(means=False), take).removed


def _told_apart(customers: CustomerQuerySet, readable: _Readable) -> Any:
    """With `means`: whether the rule means her."""
    means = Case(
        When(readable.meant, then=Value(True)),  # noqa: FBT003
        default=Value(False),  # noqa: FBT003
        output_field=BooleanField(),
    )
    return customers.annotate(means=means)


def _active(corp_id: int) -> list[TagRule]:
    """In the order in which those of one group decide."""
    rules = TagRule.objects.filter(corp=corp_id, is_active=True, tag__deleted_at=None)
    return list(rules.select_related("corp", "tag__group").order_by("tag__order", "tag_id"))


def _all_readable(rules: Sequence[TagRule], *, now: datetime) -> list[_Readable]:
    """Without rules that have lost their meaning; `problem_of` tells of them."""
    readable = []
    for rule in rules:
        try:
            compiled = validate_rule(rule.rule, corp=rule.corp)
        except InvalidInput:
            continue
        readable.append(_readable(rule, compiled, rules, now=now))
    return readable


def _readable(
    rule: TagRule, compiled: CompiledRule, rules: Sequence[TagRule], *, now: datetime
) -> _Readable:
    translator = Translator(rule.corp, now)
    followed = Q(Exists(Follow.objects.filter(customer=OuterRef("pk"))))
    meant = followed & translator.q(compiled.node)
    if rule.tag.group.is_exclusive:
        for other in rules:
            is_before = (other.tag.order, other.tag_id) < (rule.tag.order, rule.tag_id)
            if other.tag.group_id == rule.tag.group_id and is_before and not problem_of(other):
                node = validate_rule(other.rule, corp=rule.corp).node
                meant &= ~translator.q(node)
    return _Readable(rule, meant)


def _assignments(rule: TagRule) -> Any:
    carried = TagAssignment.objects.filter(corp=rule.corp_id, tag=rule.tag_id, follow=None)
    return carried.filter(customer=OuterRef("pk"))


def _carries(rule: TagRule) -> Q:
    return Q(Exists(_assignments(rule)))


def _origin(rule: TagRule) -> Origin:
    why = {"reason": "tag_rule", "tag_rule": rule.pk, "version": rule.version}
    return Origin(TimelineEntry.Source.RULE, why)


def _check_tag(
    tag: Tag,
    condition: Mapping[str, Any],
    *,
    rule: TagRule | None,
    is_lasting: bool,
    corp: Corp,
) -> None:
    others = TagRule.objects.filter(tag=tag).exclude(pk=rule.pk if rule else 0)
    if tag.corp_id != corp.pk or tag.deleted_at is not None:
        path, code, message = "/tag", "unknown", _("There is no such tag.")
    elif tag.kind != TagKind.AUTO:
        path, code, message = "/tag", "invalid", _("A rule needs an automatic tag.")
    elif others.exists():
        path, code, message = "/tag", "taken", _("This tag has a rule already.")
    elif tag.pk in set(tags_in_rule(dict(condition))):
        path, code = "/rule", "circular"
        message = _("The rule asks for the tag that it gives.")
    elif is_lasting and tag.group.is_exclusive:
        path, code = "/is_lasting", "exclusive"
        message = _("Of this group one tag is carried at a time: none of them can stay for good.")
    else:
        return
    raise InvalidInput(message, errors=(FieldProblem(path, code, message),))


def _record(verb: str, rule: TagRule, *, actor: Actor, now: datetime, data: dict[str, Any]) -> None:
    told = {"tag": rule.tag_id} | data
    record(f"tag_rules.{verb}", actor=actor, corp=rule.corp, subject=rule, now=now, data=told)
